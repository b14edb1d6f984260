# ruff: noqa: PLR0917 - compiled code takes its arrays by position
"""Estimates from the buckets of one histogram: quantiles, fractions, variance."""

from __future__ import annotations

import math

from waferscope_query.promql.evaluation.kernels.compiling import kernel
from waferscope_query.promql.evaluation.kernels.native.layout import upper_bound
from waferscope_query.promql.evaluation.kernels.native.work import Work
from waferscope_query.promql.evaluation.kernels.steps import add
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

EXACT, RESULT_IS_NAN, SKEWED = 0, 1, 2
"""What may be said of an estimate: observations that are NaN leave none, or shift it."""


@kernel
def bucket_number(one: Work) -> int:
    """How many buckets `bucket` gives: the negative ones, the zero bucket where it isn't empty, the positive ones."""
    return len(one.negative) + int(one.head[ZERO_COUNT] > 0) + len(one.positive)


@kernel
def bucket(one: Work, number: int) -> tuple[float, float, float]:
    """Lower bound, upper bound and count of a bucket, counted from the lowest; none reaches into the zero bucket."""
    schema, threshold = one.shape[SCHEMA], one.head[ZERO_THRESHOLD]
    below = len(one.negative)
    if number < below:
        k = below - 1 - number
        index = one.shape[NEGATIVE_FIRST] + k
        lower = -upper_bound(index, schema, one.bounds)
        upper = -upper_bound(index - 1, schema, one.bounds)
        return lower, -threshold if 0 > upper > -threshold else upper, one.negative[k]
    number -= below
    if one.head[ZERO_COUNT] > 0:
        if number == 0:
            return -threshold, threshold, one.head[ZERO_COUNT]
        number -= 1
    index = one.shape[POSITIVE_FIRST] + number
    lower = upper_bound(index - 1, schema, one.bounds)
    upper = upper_bound(index, schema, one.bounds)
    return threshold if 0 < lower < threshold else lower, upper, one.positive[number]


@kernel
def one_sided(one: Work, lower: float, upper: float) -> tuple[float, float]:
    """The zero bucket of a histogram that has but one side begins or ends at zero."""
    if len(one.negative) == 0 and len(one.positive) > 0:
        return 0.0, upper
    if len(one.positive) == 0 and len(one.negative) > 0:
        return lower, 0.0
    return lower, upper


@kernel
def fraction_below(value: float, lower: float, upper: float, linear: bool) -> float:  # noqa: FBT001, positional
    """Which part of a bucket lies below a value within it."""
    if linear:
        return (value - lower) / (upper - lower)
    low, high, at = math.log2(abs(lower)), math.log2(abs(upper)), math.log2(abs(value))
    return (at - low) / (high - low) if value > 0 else 1 - (at - high) / (low - high)


@kernel
def quantile(one: Work, q: float) -> tuple[float, int]:  # noqa: C901, PLR0911, PLR0912, one rule each
    """A quantile, interpolated within its bucket; counted from that end to which fewer buckets are to be passed."""
    if q < 0:
        return -math.inf, EXACT
    if q > 1:
        return math.inf, EXACT
    count = one.head[COUNT]
    if count == 0 or math.isnan(q):
        return math.nan, EXACT
    has_nan = math.isnan(one.head[SUM])
    upwards = has_nan or q < 0.5  # noqa: PLR2004, the middle
    rank = q * count if upwards else (1 - q) * count
    number = bucket_number(one)
    lower, upper, held, seen, passed = 0.0, 0.0, 0.0, 0.0, 0
    while passed < number:
        lower, upper, held = bucket(one, passed if upwards else number - 1 - passed)
        passed += 1
        seen += held
        if held != 0 and seen >= rank:
            break
    if one.shape[SCHEMA] != CUSTOM_BUCKETS:
        if lower < 0 < upper:
            lower, upper = one_sided(one, lower, upper)
    elif lower == -math.inf:
        if upper <= 0:
            return upper, EXACT
        lower = 0.0
    elif upper == math.inf:
        return lower, EXACT
    seen = min(seen, count)
    if seen < rank:
        return (math.nan, RESULT_IS_NAN) if has_nan else (upper, EXACT)
    rank = rank - (seen - held) if upwards else seen - rank
    said = EXACT
    if has_nan:
        while passed < number:
            seen += bucket(one, passed)[2]
            passed += 1
        if seen < count:
            said = SKEWED
    part = rank / held
    if one.shape[SCHEMA] == CUSTOM_BUCKETS or lower <= 0 <= upper:
        return lower + (upper - lower) * part, said
    low, high = math.log2(abs(lower)), math.log2(abs(upper))
    if lower > 0:
        return 2.0 ** (low + (high - low) * part), said
    return -(2.0 ** (high + (low - high) * (1 - part))), said


@kernel
def rank_of(value: float, lower: float, upper: float, held: float, rank: float, linear: bool) -> float:  # noqa: FBT001, positional
    """How many observations lie below a value within a bucket."""
    if linear and lower == -math.inf:
        return held
    return rank + held * fraction_below(value, lower, upper, linear)


@kernel
def fraction(one: Work, low: float, high: float) -> tuple[float, int]:  # noqa: C901, PLR0912, one rule each
    """Which part of the observations lies between two values."""
    total = one.head[COUNT]
    if total == 0 or math.isnan(low) or math.isnan(high):
        return math.nan, EXACT
    if low >= high:
        return 0.0, EXACT
    custom = one.shape[SCHEMA] == CUSTOM_BUCKETS
    count, rank, low_rank, high_rank, low_set, high_set = 0.0, 0.0, 0.0, 0.0, False, False
    number, passed = bucket_number(one), 0
    while passed < number and not (low_set and high_set):
        lower, upper, held = bucket(one, passed)
        passed += 1
        count += held
        linear = custom
        if custom:
            if lower == -math.inf and upper > 0:
                lower = 0.0
        elif lower <= 0 <= upper:
            linear = True
            lower, upper = one_sided(one, lower, upper)
        if not low_set and lower >= low:
            low_rank, low_set = rank, True
        if not high_set and lower >= high:
            high_rank, high_set = rank, True
        if low_set and high_set:
            break
        if not low_set and lower < low < upper:
            low_rank, low_set = rank_of(low, lower, upper, held, rank, linear), True
        if not high_set and lower < high < upper:
            high_rank, high_set = rank_of(high, lower, upper, held, rank, linear), True
        rank += held
    said = EXACT
    if math.isnan(one.head[SUM]):
        while passed < number:
            count += bucket(one, passed)[2]
            passed += 1
        if count < total:
            said = SKEWED
    else:
        count = total
    if not low_set or low_rank > count:
        low_rank = count
    if not high_set or high_rank > count:
        high_rank = count
    return (high_rank - low_rank) / total, said


@kernel
def variance(one: Work) -> float:
    """The variance, each observation taken for the middle of its bucket: the geometric one of exponential buckets."""
    mean = one.head[SUM] / one.head[COUNT]
    total, lost = 0.0, 0.0
    for number in range(bucket_number(one)):
        lower, upper, held = bucket(one, number)
        if held == 0:
            continue
        if one.shape[SCHEMA] == CUSTOM_BUCKETS:
            middle = (upper + lower) / 2
        elif lower <= 0 <= upper:
            middle = 0.0
        else:
            middle = math.sqrt(upper * lower)
            if upper < 0:
                middle = -middle
        total, lost = add(held * (middle - mean) * (middle - mean), total, lost)
    return float((total + lost) / one.head[COUNT])
