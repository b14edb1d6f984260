# ruff: noqa: PLR0917 - compiled code takes its arrays by position
"""Quantiles of classic histograms: rows are buckets, cumulated over their upper bounds."""

from __future__ import annotations

import math

import numpy as np

from waferscope_query.promql.evaluation.kernels.compiling import kernel
from waferscope_query.promql.evaluation.kernels.types import Bools, Floats, Ints

_TOLERANCE = 1e-12
_SMALLEST_NORMAL = 2.2250738585072014e-308
_LARGEST = 1.7976931348623157e308


@kernel
def nearly_equal(a: float, b: float) -> bool:
    """Whether two counts differ by no more than rounding."""
    size = abs(a) + abs(b)
    difference = abs(a - b)
    if a == 0 or b == 0 or size < _SMALLEST_NORMAL:
        return difference < _TOLERANCE * _SMALLEST_NORMAL
    return difference / min(size, _LARGEST) < _TOLERANCE


@kernel
def make_monotonic(uppers: Floats, counts: Floats, size: int) -> tuple[float, float, float]:
    """Lift every count to its forerunner's.

    Returns:
        Lowest and highest bucket and largest fall, of counts that fell by more than rounding explains; a fall of 0
        where there are none.
    """
    lowest, highest, fall = math.inf, -math.inf, 0.0
    previous = counts[0]
    for k in range(1, size):
        if counts[k] == previous:
            continue
        if nearly_equal(previous, counts[k]):
            counts[k] = previous
        elif counts[k] < previous:
            fall = max(fall, previous - counts[k])
            lowest, highest = min(lowest, uppers[k]), max(highest, uppers[k])
            counts[k] = previous
        else:
            previous = counts[k]
    return lowest, highest, fall


@kernel
def bucket_quantile(q: float, uppers: Floats, counts: Floats, size: int) -> float:  # noqa: PLR0911, one case each
    """The quantile by linear interpolation within its bucket; uppers ascending, all different."""
    if math.isnan(q):
        return math.nan
    if q < 0:
        return -math.inf
    if q > 1:
        return math.inf
    if size < 2 or uppers[size - 1] != math.inf or counts[size - 1] == 0:  # noqa: PLR2004, +Inf alone tells nothing
        return math.nan
    rank = q * counts[size - 1]
    b = 0
    while b < size - 1 and not counts[b] >= rank:
        b += 1
    if b == size - 1:
        return float(uppers[size - 2])
    if b == 0:
        return float(uppers[0] if uppers[0] <= 0 else uppers[0] * (rank / counts[0]))
    within = (rank - counts[b - 1]) / (counts[b] - counts[b - 1])
    return float(uppers[b - 1] + (uppers[b] - uppers[b - 1]) * within)


@kernel
def bucket_fraction(  # noqa: C901, one rule each
    low: float, high: float, uppers: Floats, counts: Floats, size: int
) -> float:
    """The fraction of observations between two values; uppers ascending, all different."""
    if uppers[size - 1] != math.inf or counts[size - 1] == 0 or math.isnan(low) or math.isnan(high):
        return math.nan
    if low >= high:
        return 0.0
    total = counts[size - 1]
    rank, low_rank, high_rank, low_set, high_set = 0.0, 0.0, 0.0, False, False
    lower = -math.inf if uppers[0] <= 0 else 0.0
    for k in range(size):
        if k > 0:
            lower = uppers[k - 1]
        if not low_set and lower >= low:
            low_rank, low_set = rank, True
        if not high_set and lower >= high:
            high_rank, high_set = rank, True
        if not low_set and lower < low < uppers[k]:
            low_rank, low_set = rank_within(low, lower, uppers[k], rank, counts[k]), True
        if not high_set and lower < high < uppers[k]:
            high_rank, high_set = rank_within(high, lower, uppers[k], rank, counts[k]), True
        rank = counts[k]
    if not low_set or low_rank > total:
        low_rank = total
    if not high_set or high_rank > total:
        high_rank = total
    return float((high_rank - low_rank) / total)


@kernel
def rank_within(value: float, lower: float, upper: float, below: float, up_to: float) -> float:
    """How many observations lie below a value within a bucket."""
    return up_to if lower == -math.inf else below + (up_to - below) * (value - lower) / (upper - lower)


@kernel
def buckets_at(
    values: Floats, present: Bools, order: Ints, first: int, last: int, upper: Floats, step: int,
    uppers: Floats, counts: Floats,
) -> int:  # fmt: skip
    """Fill one histogram's buckets at one step, equal bounds added up; how many there are."""
    count = 0
    for k in range(first, last):
        row = order[k]
        if not present[row, step]:
            continue
        if count and uppers[count - 1] == upper[row]:
            counts[count - 1] += values[row, step]
            continue
        uppers[count], counts[count] = upper[row], values[row, step]
        count += 1
    return count


@kernel
def histogram_fractions(
    values: Floats, present: Bools, order: Ints, bounds: Ints, upper: Floats, low: Floats, high: Floats,
    out: Floats, seen: Bools,
) -> None:  # fmt: skip
    """Fill fractions; arguments as of `histogram_quantiles`."""
    for g in range(len(out)):
        size = bounds[g + 1] - bounds[g]
        uppers, counts = np.empty(size), np.empty(size)
        for j in range(out.shape[1]):
            count = buckets_at(values, present, order, bounds[g], bounds[g + 1], upper, j, uppers, counts)
            if count:
                seen[g, j] = True
                out[g, j] = bucket_fraction(low[j], high[j], uppers, counts, count)


@kernel
def histogram_quantiles(
    values: Floats, present: Bools, order: Ints, bounds: Ints, upper: Floats, q: Floats,
    out: Floats, seen: Bools, lifted: Bools, extremes: Floats,
) -> None:  # fmt: skip
    """Fill quantiles; `order` lists the rows histogram by histogram, each by ascending `upper` float64[n].

    `lifted` bool[g, s] is filled: where counts had to be lifted. `extremes` float64[g, 3] then holds the lowest and
    highest bucket and the largest fall of each histogram.
    """
    for g in range(len(out)):
        size = bounds[g + 1] - bounds[g]
        uppers, counts = np.empty(size), np.empty(size)
        extremes[g, 0], extremes[g, 1], extremes[g, 2] = math.inf, -math.inf, 0.0
        for j in range(out.shape[1]):
            count = buckets_at(values, present, order, bounds[g], bounds[g + 1], upper, j, uppers, counts)
            if count == 0:
                continue
            seen[g, j] = True
            if uppers[count - 1] == math.inf and 0 <= q[j] <= 1:
                lowest, highest, fall = make_monotonic(uppers, counts, count)
                if fall > 0:
                    lifted[g, j] = True
                    extremes[g, 0], extremes[g, 1] = min(extremes[g, 0], lowest), max(extremes[g, 1], highest)
                    extremes[g, 2] = max(extremes[g, 2], fall)
            out[g, j] = bucket_quantile(q[j], uppers, counts, count)
