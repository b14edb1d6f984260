"""Comparing histograms: equality, and whether a counter was reset between two of them."""

from __future__ import annotations

import math

from waferscope_query.promql.evaluation.kernels.compiling import kernel
from waferscope_query.promql.evaluation.kernels.native.adding import coarser, zero_count_up_to
from waferscope_query.promql.evaluation.kernels.native.layout import upper_bound
from waferscope_query.promql.evaluation.kernels.native.work import Work, same_floats
from waferscope_query.promql.evaluation.kernels.types import Floats
from waferscope_query.promql.histograms import (
    COUNT,
    CUSTOM_BUCKETS,
    HINT,
    NEGATIVE_FIRST,
    POSITIVE_FIRST,
    SCHEMA,
    ZERO_COUNT,
    ZERO_THRESHOLD,
)

_UNKNOWN, _RESET, _NOT_RESET, _GAUGE = range(4)  # of `Hint`, which compiled code can't read


@kernel
def same_bits(a: float, b: float) -> bool:
    """Whether two numbers are the same: NaN is NaN, zero is not minus zero."""
    if a == b:
        return a != 0 or math.copysign(1.0, a) == math.copysign(1.0, b)
    return math.isnan(a) and math.isnan(b)


@kernel
def same_side(first: int, counts: Floats, other_first: int, other: Floats) -> bool:
    """Whether two sides have the same buckets."""
    if len(counts) != len(other) or (len(counts) > 0 and first != other_first):
        return False
    different = 0
    for k in range(len(counts)):
        different += not same_bits(counts[k], other[k])
    return different == 0


@kernel
def equal(a: Work, b: Work) -> bool:
    """Whether two histograms are the same; counter reset hints don't matter."""
    if a.shape[SCHEMA] != b.shape[SCHEMA] or a.head[ZERO_THRESHOLD] != b.head[ZERO_THRESHOLD]:
        return False
    for key in range(3):
        if not same_bits(a.head[key], b.head[key]):
            return False
    return (
        same_floats(a.bounds, b.bounds)
        and same_side(a.shape[POSITIVE_FIRST], a.positive, b.shape[POSITIVE_FIRST], b.positive)
        and same_side(a.shape[NEGATIVE_FIRST], a.negative, b.shape[NEGATIVE_FIRST], b.negative)
    )


@kernel
def side_fell(  # noqa: PLR0917, compiled code takes its arrays by position
    first: int,
    counts: Floats,
    before_first: int,
    before: Floats,
    by: int,
    schema: int,
    threshold: float,
    bounds: Floats,
) -> bool:
    """Whether any bucket holds less than before; `before` has a schema finer by `by`."""
    k = 0
    while k < len(before):
        index = coarser(before_first + k, by) if by else before_first + k
        total = 0.0
        while k < len(before) and (coarser(before_first + k, by) if by else before_first + k) == index:
            total += before[k]
            k += 1
        if threshold > 0 and upper_bound(index, schema, bounds) <= threshold:
            continue
        j = index - first
        if (counts[j] if 0 <= j < len(counts) else 0.0) < total:
            return True
    return False


@kernel
def custom_fell(now: Work, before: Work) -> bool:
    """Whether any range between bounds that two histograms share, or beyond the last, holds less than before."""
    i, j, k, m = 0, 0, 0, 0
    first, before_first = now.shape[POSITIVE_FIRST], before.shape[POSITIVE_FIRST]
    while i <= len(now.bounds) and j <= len(before.bounds):
        bound, before_bound = upper_bound(i, CUSTOM_BUCKETS, now.bounds), upper_bound(j, CUSTOM_BUCKETS, before.bounds)
        if bound == before_bound:
            held, held_before = 0.0, 0.0
            while k < len(now.positive) and first + k <= i:
                held += now.positive[k]
                k += 1
            while m < len(before.positive) and before_first + m <= j:
                held_before += before.positive[m]
                m += 1
            if held < held_before:
                return True
            i, j = i + 1, j + 1
        elif bound < before_bound:
            i += 1
        else:
            j += 1
    return False


@kernel
def was_reset(now: Work, before: Work) -> bool:
    """Whether a counter was reset between two histograms: by the hint, else because something became less."""
    if now.shape[HINT] == _RESET:
        return True
    return now.shape[HINT] != _NOT_RESET and fell(now, before)


@kernel
def told_hint(now: Work, before: Work) -> int:
    """The hint that Prometheus's storage puts on a histogram after another one of its series.

    It knows of gauges and of what continues a counter; where a counter was reset, functions have to see for themselves.
    """
    if now.shape[HINT] == _GAUGE:
        return _GAUGE
    if now.shape[HINT] == _RESET:
        return _UNKNOWN
    continues = (
        before.shape[HINT] != _GAUGE
        and now.shape[SCHEMA] == before.shape[SCHEMA]
        and now.head[ZERO_THRESHOLD] == before.head[ZERO_THRESHOLD]
        and same_floats(now.bounds, before.bounds)
        and not fell(now, before)
    )
    return _NOT_RESET if continues else _UNKNOWN


@kernel
def fell(now: Work, before: Work) -> bool:
    """Whether anything became less between two histograms, which a counter's parts never do."""
    schema = now.shape[SCHEMA]
    if now.head[COUNT] < before.head[COUNT]:
        return True
    if schema == CUSTOM_BUCKETS:
        if before.shape[SCHEMA] != CUSTOM_BUCKETS:
            return True
        if not same_floats(now.bounds, before.bounds):
            return custom_fell(now, before)
    threshold = now.head[ZERO_THRESHOLD]
    if schema > before.shape[SCHEMA] or threshold < before.head[ZERO_THRESHOLD]:
        return True
    zeros, widened, _ = zero_count_up_to(before, threshold, False)  # noqa: FBT003, positional
    if widened != threshold or now.head[ZERO_COUNT] < zeros:
        return True
    by = before.shape[SCHEMA] - schema
    return side_fell(
        now.shape[POSITIVE_FIRST], now.positive, before.shape[POSITIVE_FIRST], before.positive, by, schema, threshold,
        now.bounds,
    ) or side_fell(
        now.shape[NEGATIVE_FIRST], now.negative, before.shape[NEGATIVE_FIRST], before.negative, by, schema, threshold,
        now.bounds,
    )  # fmt: skip
