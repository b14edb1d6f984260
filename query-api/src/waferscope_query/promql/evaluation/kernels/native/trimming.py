# ruff: noqa: FBT001, PLR0917 - compiled code takes its arrays and flags by position
"""The operators `</` and `>/`: a histogram without the observations above or below a value."""

from __future__ import annotations

import math

from waferscope_query.promql.evaluation.kernels.compiling import kernel
from waferscope_query.promql.evaluation.kernels.native.estimating import fraction_below
from waferscope_query.promql.evaluation.kernels.native.layout import upper_bound
from waferscope_query.promql.evaluation.kernels.native.work import Work, compacted
from waferscope_query.promql.histograms import (
    COUNT,
    CUSTOM_BUCKETS,
    NEGATIVE_FIRST,
    POSITIVE_FIRST,
    SCHEMA,
    SUM,
    ZERO_COUNT,
    ZERO_THRESHOLD,
)


@kernel
def middle(lower: float, upper: float, positive: bool, linear: bool) -> float:
    """Where the observations of a bucket are taken to be."""
    if math.isinf(lower):
        if math.isinf(upper):
            return 0.0
        return upper / 2 if upper > 0 else upper
    if math.isinf(upper):
        return lower
    if linear:
        return (lower + upper) / 2
    mean = math.sqrt(abs(lower * upper))
    return mean if positive else -mean


@kernel
def finite(value: float) -> float:
    """The value, or zero for infinity."""
    return 0.0 if math.isinf(value) else value


@kernel
def trimmed_endless(lower: float, upper: float, held: float, value: float, below: bool) -> tuple[float, float]:  # noqa: PLR0911, one case each
    """`trimmed_bucket` where a bound is infinite and the value lies within."""
    if lower == -math.inf:
        if below:
            if value >= upper:
                return held, 0.0
            if value > 0 and 0 < upper < math.inf:
                return held * value / upper, value / 2
            if upper <= 0:
                return held, value
            return 0.0, finite(upper)
        if value <= lower:
            return held, 0.0
        if value >= 0 and value < upper < math.inf:
            return held * (1 - value / upper), (value + upper) / 2
        return 0.0, finite(upper)
    if below:
        return 0.0, finite(lower)
    if value >= lower:
        return held, value
    return 0.0, finite(lower)


@kernel
def trimmed_bucket(
    lower: float, upper: float, held: float, value: float, below: bool, positive: bool, linear: bool
) -> tuple[float, float]:
    """What is left of a bucket, and where it is taken to be."""
    if (upper <= value) if below else (lower >= value):
        return held, middle(lower, upper, positive, linear)
    if not ((lower < value) if below else (upper > value)):
        return 0.0, 0.0
    if lower == -math.inf or upper == math.inf:
        return trimmed_endless(lower, upper, held, value, below)
    under = held * fraction_below(value, lower, upper, linear)
    if value <= lower:
        under = 0.0
    if value >= upper:
        under = held
    if below:
        return under, middle(lower, value, positive, linear)
    return held - under, middle(value, upper, positive, linear)


@kernel
def trimmed_zero(
    threshold: float, held: float, value: float, below: bool, has_negative: bool, has_positive: bool
) -> tuple[float, float]:
    """What is left of the zero bucket, and where it is taken to be."""
    lower, upper = -threshold, threshold
    if has_negative and not has_positive:
        upper = 0.0
    if has_positive and not has_negative:
        lower = 0.0
    if below:
        if value <= lower:
            return 0.0, 0.0
        if value >= upper:
            return held, (lower + upper) / 2
        return held * ((value - lower) / (upper - lower)), (lower + value) / 2
    if value <= lower:
        return held, (lower + upper) / 2
    if value >= upper:
        return 0.0, 0.0
    return held * ((upper - value) / (upper - lower)), (value + upper) / 2


@kernel
def trimmed(one: Work, value: float, below: bool) -> Work:
    """Keep what lies below a value, or above; changes the histogram in place."""
    schema = one.shape[SCHEMA]
    linear = schema == CUSTOM_BUCKETS
    count, total, changed, has_positive, has_negative = 0.0, 0.0, False, False, False
    for k in range(len(one.positive)):
        if one.positive[k] == 0:
            continue
        has_positive = True
        index = one.shape[POSITIVE_FIRST] + k
        lower, upper = upper_bound(index - 1, schema, one.bounds), upper_bound(index, schema, one.bounds)
        kept, at = trimmed_bucket(lower, upper, one.positive[k], value, below, True, linear)  # noqa: FBT003, positional
        count, total = count + kept, total + at * kept
        changed = changed or one.positive[k] != kept
        one.positive[k] = kept
    for k in range(len(one.negative)):
        if one.negative[k] == 0:
            continue
        has_negative = True
        index = one.shape[NEGATIVE_FIRST] + k
        lower, upper = -upper_bound(index, schema, one.bounds), -upper_bound(index - 1, schema, one.bounds)
        kept, at = trimmed_bucket(lower, upper, one.negative[k], value, below, False, linear)  # noqa: FBT003, positional
        count, total = count + kept, total + at * kept
        changed = changed or one.negative[k] != kept
        one.negative[k] = kept
    held = one.head[ZERO_COUNT]
    if held > 0:
        kept, at = trimmed_zero(one.head[ZERO_THRESHOLD], held, value, below, has_negative, has_positive)
        count, total = count + kept, total + at * kept
        changed = changed or held != kept
        one.head[ZERO_COUNT] = kept
    if not changed:
        return one
    one.head[COUNT], one.head[SUM] = count, total
    return compacted(one)
