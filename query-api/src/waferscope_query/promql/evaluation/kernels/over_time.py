# ruff: noqa: PLR0917 - compiled code takes its arrays by position
"""Reductions of the samples in a window to one value: the *_over_time functions, resets, changes."""

from __future__ import annotations

import math

import numpy as np

from waferscope_query.promql.evaluation.kernels.compiling import kernel
from waferscope_query.promql.evaluation.kernels.steps import add, advance, quantile_of_sorted
from waferscope_query.promql.evaluation.kernels.types import Bools, Floats, Ints

COUNT, SUM, AVG, MIN, MAX, FIRST, LAST, PRESENT, STDDEV, STDVAR, RESETS, CHANGES, MAD = range(13)


@kernel
def total(values: Floats, low: int, high: int) -> float:
    """The compensated sum."""
    running, lost = 0.0, 0.0
    for k in range(low, high):
        running, lost = add(values[k], running, lost)
    return running if math.isinf(running) else running + lost


@kernel
def mean(values: Floats, low: int, high: int) -> float:
    """The compensated mean; incremental from where the sum would overflow."""
    running, lost = values[low], 0.0
    incremental = False
    for k in range(low + 1, high):
        count = k - low + 1.0
        if not incremental:
            raised, new_lost = add(values[k], running, lost)
            if not math.isinf(raised):
                running, lost = raised, new_lost
                continue
            incremental = True
            running /= count - 1
            lost /= count - 1
        share = (count - 1) / count
        running, lost = add(values[k] / count, share * running, share * lost)
    if incremental:
        return float(running + lost)
    return float(running / (high - low) + lost / (high - low))


@kernel
def variance(values: Floats, low: int, high: int) -> float:
    """The population variance, by Welford's method with compensated sums."""
    average, average_lost, squares, squares_lost = 0.0, 0.0, 0.0, 0.0
    for k in range(low, high):
        delta = values[k] - (average + average_lost)
        average, average_lost = add(delta / (k - low + 1), average, average_lost)
        squares, squares_lost = add(delta * (values[k] - (average + average_lost)), squares, squares_lost)
    return (squares + squares_lost) / (high - low)


@kernel
def extreme(values: Floats, low: int, high: int, sign: float) -> float:
    """The largest (sign 1) or smallest (sign -1) value; NaN only when all are."""
    best = values[low]
    for k in range(low + 1, high):
        if sign * values[k] > sign * best or math.isnan(best):
            best = values[k]
    return float(best)


@kernel
def count_resets(values: Floats, low: int, high: int) -> float:
    """How often the value fell."""
    count = 0
    for k in range(low + 1, high):
        count += values[k] < values[k - 1]
    return float(count)


@kernel
def count_changes(values: Floats, low: int, high: int) -> float:
    """How often the value changed; NaN after NaN is no change."""
    count = 0
    for k in range(low + 1, high):
        both_nan = math.isnan(values[k]) and math.isnan(values[k - 1])
        count += values[k] != values[k - 1] and not both_nan
    return float(count)


@kernel
def median_deviation(values: Floats, low: int, high: int) -> float:
    """The median distance from the median; NaN where any value is."""
    window = np.sort(values[low:high])
    if math.isnan(window[-1]):
        return math.nan
    median = quantile_of_sorted(window, high - low, 0.5)
    return quantile_of_sorted(np.sort(np.abs(window - median)), high - low, 0.5)


@kernel
def reduce_window(op: int, values: Floats, low: int, high: int) -> float:  # noqa: C901, PLR0911, one branch per function
    """Apply one function to the samples low to high, at least one."""
    if op == COUNT:
        return float(high - low)
    if op == SUM:
        return total(values, low, high)
    if op == AVG:
        return mean(values, low, high)
    if op == MIN:
        return extreme(values, low, high, -1.0)
    if op == MAX:
        return extreme(values, low, high, 1.0)
    if op == FIRST:
        return float(values[low])
    if op == LAST:
        return float(values[high - 1])
    if op == STDDEV:
        return math.sqrt(variance(values, low, high))
    if op == STDVAR:
        return variance(values, low, high)
    if op == RESETS:
        return count_resets(values, low, high)
    if op == CHANGES:
        return count_changes(values, low, high)
    if op == MAD:
        return median_deviation(values, low, high)
    return 1.0


@kernel
def reduced(
    offsets: Ints, ts: Ints, values: Floats, times: Ints, width: int, op: int,
    out: Floats, present: Bools, first: int, last: int,
) -> None:  # fmt: skip
    """Fill one of the reductions."""
    for i in range(first, last):
        low = high = offsets[i]
        end = offsets[i + 1]
        for j in range(len(times)):
            low = advance(ts, low, end, times[j] - width)
            high = advance(ts, max(low, high), end, times[j])
            if high > low:
                out[i, j] = reduce_window(op, values, low, high)
                present[i, j] = True


@kernel
def quantiles(
    offsets: Ints, ts: Ints, values: Floats, times: Ints, width: int, q: Floats,
    out: Floats, present: Bools, first: int, last: int,
) -> None:  # fmt: skip
    """Fill quantile_over_time; q float64[s] may differ from step to step."""
    for i in range(first, last):
        low = high = offsets[i]
        end = offsets[i + 1]
        for j in range(len(times)):
            low = advance(ts, low, end, times[j] - width)
            high = advance(ts, max(low, high), end, times[j])
            if high > low:
                out[i, j] = quantile_of_sorted(np.sort(values[low:high]), high - low, q[j])
                present[i, j] = True
