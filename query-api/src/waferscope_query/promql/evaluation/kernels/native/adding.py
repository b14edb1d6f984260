# ruff: noqa: PLR0917 - compiled code takes its arrays by position
"""Adding and subtracting histograms of different schemas, zero buckets and bounds."""

from __future__ import annotations

import numpy as np

from waferscope_query.promql.evaluation.kernels.compiling import kernel
from waferscope_query.promql.evaluation.kernels.native.layout import upper_bound
from waferscope_query.promql.evaluation.kernels.native.work import Work, compacted, same_floats
from waferscope_query.promql.evaluation.kernels.steps import add
from waferscope_query.promql.evaluation.kernels.types import Floats
from waferscope_query.promql.histograms import (
    COUNT,
    CUSTOM_BUCKETS,
    HINT,
    NEGATIVE_FIRST,
    POSITIVE_FIRST,
    SCHEMA,
    SUM,
    ZERO_COUNT,
    ZERO_THRESHOLD,
)

INCOMPATIBLE, COLLISION, RECONCILED = 1, 2, 4
"""What may be said of an addition: it is impossible, counter resets contradict each other, bounds were reconciled."""

_UNKNOWN, _GAUGE = 0, 3  # of `Hint`, which compiled code can't read
_NO_BOUNDS = np.zeros(0)


@kernel
def coarser(index: int, by: int) -> int:
    """The bucket that holds a bucket when the schema is lowered."""
    return ((index - 1) >> by) + 1


@kernel
def reduced_side(first: int, counts: Floats, lost: Floats, by: int) -> tuple[int, Floats, Floats]:
    """A side at a lower schema."""
    if by == 0 or len(counts) == 0:
        return first, counts, lost
    start = coarser(first, by)
    size = coarser(first + len(counts) - 1, by) - start + 1
    out, out_lost = np.zeros(size), np.zeros(size)
    for k in range(len(counts)):
        j = coarser(first + k, by) - start
        out[j], out_lost[j] = add(counts[k], out[j], out_lost[j])
        if lost[k] != 0:
            out[j], out_lost[j] = add(lost[k], out[j], out_lost[j])
    return start, out, out_lost


@kernel
def reduced(one: Work, schema: int) -> Work:
    """The same histogram at a lower schema; changes its shape in place."""
    by = one.shape[SCHEMA] - schema
    if by <= 0:
        return one
    first, positive, positive_lost = reduced_side(one.shape[POSITIVE_FIRST], one.positive, one.positive_lost, by)
    lower, negative, negative_lost = reduced_side(one.shape[NEGATIVE_FIRST], one.negative, one.negative_lost, by)
    one.shape[SCHEMA], one.shape[POSITIVE_FIRST], one.shape[NEGATIVE_FIRST] = schema, first, lower
    return Work(one.shape, one.head, one.head_lost, positive, positive_lost, negative, negative_lost, one.bounds)


@kernel
def zero_count_up_to(one: Work, threshold: float, keeps_lost: bool) -> tuple[float, float, float]:  # noqa: FBT001, positional
    """What the zero bucket holds when it is widened, how wide it has to be for that, and what rounding lost.

    A bucket that isn't empty is swallowed whole, which widens the zero bucket further.
    """
    schema = one.shape[SCHEMA]
    lost = one.head_lost[ZERO_COUNT] if keeps_lost else 0.0
    if threshold == one.head[ZERO_THRESHOLD]:
        return one.head[ZERO_COUNT], threshold, lost
    again = True
    count = 0.0
    while again:
        again = False
        count = one.head[ZERO_COUNT]
        for side in range(2):
            counts, first = (
                (one.positive, one.shape[POSITIVE_FIRST]) if side == 0 else (one.negative, one.shape[NEGATIVE_FIRST])
            )
            counts_lost = one.positive_lost if side == 0 else one.negative_lost
            for k in range(len(counts)):
                if upper_bound(first + k - 1, schema, one.bounds) >= threshold:
                    break
                count, lost = add(counts[k], count, lost)
                if keeps_lost:
                    count, lost = add(counts_lost[k], count, lost)
                upper = upper_bound(first + k, schema, one.bounds)
                if upper > threshold:
                    if counts[k] != 0:
                        threshold = upper
                        again = side == 1  # the positive side may have more to give now
                    break
            if again:
                break
    return count, threshold, lost


@kernel
def clear_zero_zone(one: Work) -> None:
    """Empty the buckets that begin within the zero bucket, in place."""
    schema, threshold = one.shape[SCHEMA], one.head[ZERO_THRESHOLD]
    for k in range(len(one.positive)):
        if upper_bound(one.shape[POSITIVE_FIRST] + k - 1, schema, one.bounds) >= threshold:
            break
        one.positive[k] = one.positive_lost[k] = 0.0
    for k in range(len(one.negative)):
        if upper_bound(one.shape[NEGATIVE_FIRST] + k - 1, schema, one.bounds) >= threshold:
            break
        one.negative[k] = one.negative_lost[k] = 0.0


@kernel
def with_zero_buckets_alike(one: Work, other: Work) -> tuple[Work, float, float]:
    """Widen the narrower zero bucket until both are as wide; the other's count, and what rounding lost of it."""
    count, threshold, lost = other.head[ZERO_COUNT], other.head[ZERO_THRESHOLD], 0.0
    while threshold != one.head[ZERO_THRESHOLD]:
        if one.head[ZERO_THRESHOLD] > threshold:
            count, threshold, lost = zero_count_up_to(other, one.head[ZERO_THRESHOLD], False)  # noqa: FBT003, positional
        if threshold > one.head[ZERO_THRESHOLD]:
            own = zero_count_up_to(one, threshold, True)  # noqa: FBT003, positional
            one.head[ZERO_COUNT], one.head[ZERO_THRESHOLD], one.head_lost[ZERO_COUNT] = own
            clear_zero_zone(one)
            one = compacted(one)
    return one, count, lost


@kernel
def merged_side(
    first: int, counts: Floats, lost: Floats, other_first: int, other: Floats, other_lost: Floats, sign: float,
) -> tuple[int, Floats, Floats]:  # fmt: skip
    """The sum of two sides of the same schema; the first may be changed in place."""
    if len(other) == 0:
        return first, counts, lost
    if len(counts) == 0:
        first = other_first
    start = min(first, other_first)
    end = max(first + len(counts), other_first + len(other))
    if start != first or end != first + len(counts):
        out, out_lost = np.zeros(end - start), np.zeros(end - start)
        out[first - start : first - start + len(counts)] = counts
        out_lost[first - start : first - start + len(counts)] = lost
    else:
        out, out_lost = counts, lost
    for k in range(len(other)):
        j = other_first + k - start
        out[j], out_lost[j] = add(sign * other[k], out[j], out_lost[j])
        if other_lost[k] != 0:
            out[j], out_lost[j] = add(sign * other_lost[k], out[j], out_lost[j])
    return start, out, out_lost


@kernel
def side_above_zero(
    first: int, counts: Floats, by: int, schema: int, threshold: float
) -> tuple[int, Floats, Floats]:  # fmt: skip
    """A side at a lower schema, without the buckets that lie within the zero bucket."""
    first, counts, lost = reduced_side(first, counts, np.zeros_like(counts), by)
    k = 0
    while k < len(counts) and upper_bound(first + k, schema, _NO_BOUNDS) <= threshold:
        k += 1
    return first + k, counts[k:], lost[k:]


@kernel
def common_bounds(a: Floats, b: Floats) -> Floats:
    """The bounds that two histograms share."""
    out = np.empty(min(len(a), len(b)))
    i, j, size = 0, 0, 0
    while i < len(a) and j < len(b):
        if a[i] == b[j]:
            out[size] = a[i]
            i, j, size = i + 1, j + 1, size + 1
        elif a[i] < b[j]:
            i += 1
        else:
            j += 1
    return out[:size]


@kernel
def pour(
    first: int, counts: Floats, lost: Floats, bounds: Floats, target: Floats, sign: float,
    out: Floats, out_lost: Floats,
) -> None:  # fmt: skip
    """Add buckets to those of fewer bounds: each goes into the one that holds it."""
    j = 0
    for k in range(len(counts)):
        if first + k < len(bounds):
            while j < len(target) and target[j] < bounds[first + k]:
                j += 1
        else:
            j = len(target)
        out[j], out_lost[j] = add(sign * counts[k], out[j], out_lost[j])
        if lost[k] != 0:
            out[j], out_lost[j] = add(sign * lost[k], out[j], out_lost[j])


@kernel
def joined_hint(own: int, other: int) -> int:
    """The counter reset hint of a sum."""
    if own in (other, _GAUGE):
        return own
    if other == _GAUGE:
        return _GAUGE
    return _UNKNOWN


@kernel
def added(one: Work, other: Work, sign: float) -> tuple[Work, int]:
    """Add a histogram (a view) to one that may be changed in place, or subtract it (sign -1).

    Returns:
        The sum, and what is to be said of it (see INCOMPATIBLE); what is incompatible stays as it was.
    """
    custom = one.shape[SCHEMA] == CUSTOM_BUCKETS
    if custom != (other.shape[SCHEMA] == CUSTOM_BUCKETS):
        return one, INCOMPATIBLE
    said = 0
    own_hint, other_hint = one.shape[HINT], other.shape[HINT]
    if own_hint != other_hint and own_hint in (1, 2) and other_hint in (1, 2):
        said = COLLISION
    one.shape[HINT] = joined_hint(own_hint, other_hint)
    if not custom:
        one, zeros, lost = with_zero_buckets_alike(one, other)
        pair = add(sign * zeros, one.head[ZERO_COUNT], one.head_lost[ZERO_COUNT])
        pair = add(sign * lost, pair[0], pair[1])
        one.head[ZERO_COUNT], one.head_lost[ZERO_COUNT] = pair
    for key in (COUNT, SUM):
        one.head[key], one.head_lost[key] = add(sign * other.head[key], one.head[key], one.head_lost[key])
    if custom:
        one, reconciled = with_custom_buckets(one, other, sign)
        return one, said | reconciled
    schema = min(one.shape[SCHEMA], other.shape[SCHEMA])
    one = reduced(one, schema)
    by, threshold = other.shape[SCHEMA] - schema, one.head[ZERO_THRESHOLD]
    positive = side_above_zero(other.shape[POSITIVE_FIRST], other.positive, by, schema, threshold)
    negative = side_above_zero(other.shape[NEGATIVE_FIRST], other.negative, by, schema, threshold)
    upper = merged_side(
        one.shape[POSITIVE_FIRST], one.positive, one.positive_lost, positive[0], positive[1], positive[2], sign
    )
    lower = merged_side(
        one.shape[NEGATIVE_FIRST], one.negative, one.negative_lost, negative[0], negative[1], negative[2], sign
    )
    one.shape[POSITIVE_FIRST], one.shape[NEGATIVE_FIRST] = upper[0], lower[0]
    return Work(one.shape, one.head, one.head_lost, upper[1], upper[2], lower[1], lower[2], one.bounds), said


@kernel
def with_custom_buckets(one: Work, other: Work, sign: float) -> tuple[Work, int]:
    """The buckets of two histograms with custom buckets, added; different bounds are reduced to those they share."""
    first, other_first = one.shape[POSITIVE_FIRST], other.shape[POSITIVE_FIRST]
    nothing = np.zeros_like(other.positive)
    if same_floats(one.bounds, other.bounds):
        first, counts, lost = merged_side(
            first, one.positive, one.positive_lost, other_first, other.positive, nothing, sign
        )
        one.shape[POSITIVE_FIRST] = first
        return Work(one.shape, one.head, one.head_lost, counts, lost, one.negative, one.negative_lost, one.bounds), 0
    bounds = common_bounds(one.bounds, other.bounds)
    counts, lost = np.zeros(len(bounds) + 1), np.zeros(len(bounds) + 1)
    pour(first, one.positive, one.positive_lost, one.bounds, bounds, 1.0, counts, lost)
    pour(other_first, other.positive, nothing, other.bounds, bounds, sign, counts, lost)
    one.shape[POSITIVE_FIRST] = 0
    mixed = Work(one.shape, one.head, one.head_lost, counts, lost, one.negative, one.negative_lost, bounds)
    return compacted(mixed), RECONCILED
