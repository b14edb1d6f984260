# ruff: noqa: PLR0917 - compiled code takes its arrays and flags by position
"""Integrals, smoothed values and the moments of extremes in a window."""

from __future__ import annotations

import math

from waferscope_query.promql.evaluation.kernels.compiling import kernel
from waferscope_query.promql.evaluation.kernels.steps import add, advance
from waferscope_query.promql.evaluation.kernels.types import Bools, Floats, Ints

LEFT, RIGHT, TRAPEZOIDAL = range(3)
TS_OF_FIRST, TS_OF_LAST, TS_OF_MAX, TS_OF_MIN = range(4)


@kernel
def height(before: float, now: float, rule: int) -> tuple[float, float]:
    """The height of one interval and what rounding lost of it."""
    if rule == LEFT:
        return before, 0.0
    if rule == RIGHT:
        return now, 0.0
    if before == 0 and now == 0:
        return 0.0, 0.0
    total, lost = add(now, before, 0.0)
    if math.isinf(total) and not math.isinf(now) and not math.isinf(before):
        return add(now / 2, before / 2, 0.0)
    return total / 2, lost / 2


@kernel
def integral(ts: Ints, values: Floats, low: int, high: int, rule: int) -> float:
    """The area under the samples low to high, in seconds; NaN counts as 0."""
    total, lost, before = 0.0, 0.0, 0.0
    for k in range(low, high):
        now = 0.0 if math.isnan(values[k]) else values[k]
        if k > low:
            value, rest = height(before, now, rule)
            if value != 0 or rest != 0:
                seconds = float(ts[k] - ts[k - 1]) / 1000
                total, lost = add(value * seconds, total, lost + rest * seconds)
        before = now
    return total if math.isinf(total) else total + lost


@kernel
def integrals(
    offsets: Ints, ts: Ints, values: Floats, times: Ints, width: int, rules: Ints,
    out: Floats, present: Bools, first: int, last: int,
) -> None:  # fmt: skip
    """Fill integral by the `rules` int64[s]."""
    for i in range(first, last):
        low = high = offsets[i]
        end = offsets[i + 1]
        for j in range(len(times)):
            low = advance(ts, low, end, times[j] - width)
            high = advance(ts, max(low, high), end, times[j])
            if high > low:
                out[i, j] = integral(ts, values, low, high, rules[j])
                present[i, j] = True


@kernel
def smoothed(
    offsets: Ints, ts: Ints, values: Floats, times: Ints, width: int, smoothing: Floats, trend: Floats,
    out: Floats, present: Bools, first: int, last: int,
) -> None:  # fmt: skip
    """Fill double_exponential_smoothing by the factors float64[s]."""
    for i in range(first, last):
        low = high = offsets[i]
        end = offsets[i + 1]
        for j in range(len(times)):
            low = advance(ts, low, end, times[j] - width)
            high = advance(ts, max(low, high), end, times[j])
            if high - low < 2:  # noqa: PLR2004, a trend takes two samples
                continue
            before, level, slope = 0.0, values[low], values[low + 1] - values[low]
            for k in range(low + 1, high):
                if k > low + 1:
                    slope = trend[j] * (level - before) + (1 - trend[j]) * slope
                before, level = level, smoothing[j] * values[k] + (1 - smoothing[j]) * (level + slope)
            out[i, j] = level
            present[i, j] = True


@kernel
def moment(op: int, ts: Ints, values: Floats, low: int, high: int) -> float:
    """When the first, last, largest or smallest of the samples low to high was, in seconds; the latest of equals."""
    best = low if op == TS_OF_FIRST else high - 1
    if op in (TS_OF_MAX, TS_OF_MIN):
        best = low
        for k in range(low, high):
            beats = values[k] >= values[best] if op == TS_OF_MAX else values[k] <= values[best]
            if beats or math.isnan(values[best]):
                best = k
    return float(ts[best]) / 1000


@kernel
def moments(
    offsets: Ints, ts: Ints, values: Floats, times: Ints, width: int, op: int,
    out: Floats, present: Bools, first: int, last: int,
) -> None:  # fmt: skip
    """Fill one of ts_of_…_over_time."""
    for i in range(first, last):
        low = high = offsets[i]
        end = offsets[i + 1]
        for j in range(len(times)):
            low = advance(ts, low, end, times[j] - width)
            high = advance(ts, max(low, high), end, times[j])
            if high > low:
                out[i, j] = moment(op, ts, values, low, high)
                present[i, j] = True
