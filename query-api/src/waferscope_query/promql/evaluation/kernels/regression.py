# ruff: noqa: PLR0917 - compiled code takes its arrays by position
"""Simple linear regression over a window: deriv and predict_linear."""

from __future__ import annotations

import math

from waferscope_query.promql.evaluation.kernels.compiling import kernel
from waferscope_query.promql.evaluation.kernels.steps import add, advance
from waferscope_query.promql.evaluation.kernels.types import Bools, Floats, Ints


@kernel
def fit(ts: Ints, values: Floats, low: int, high: int, origin: int) -> tuple[float, float]:
    """Slope per second and value at `origin` (ms) of the line of least squares, by compensated sums."""
    x_sum, x_lost, y_sum, y_lost, xy_sum, xy_lost, xx_sum, xx_lost = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    constant = True
    for k in range(low, high):
        constant = constant and (k == low or values[k] == values[low])
        x = (ts[k] - origin) / 1000
        x_sum, x_lost = add(x, x_sum, x_lost)
        y_sum, y_lost = add(values[k], y_sum, y_lost)
        xy_sum, xy_lost = add(x * values[k], xy_sum, xy_lost)
        xx_sum, xx_lost = add(x * x, xx_sum, xx_lost)
    if constant:
        return (math.nan, math.nan) if math.isinf(values[low]) else (0.0, values[low])
    n = high - low
    x_sum, y_sum, xy_sum, xx_sum = x_sum + x_lost, y_sum + y_lost, xy_sum + xy_lost, xx_sum + xx_lost
    slope = (xy_sum - x_sum * y_sum / n) / (xx_sum - x_sum * x_sum / n)
    return slope, y_sum / n - slope * x_sum / n


@kernel
def slopes(
    offsets: Ints, ts: Ints, values: Floats, times: Ints, width: int,
    out: Floats, present: Bools, first: int, last: int,
) -> None:  # fmt: skip
    """Fill deriv."""
    for i in range(first, last):
        low = high = offsets[i]
        end = offsets[i + 1]
        for j in range(len(times)):
            low = advance(ts, low, end, times[j] - width)
            high = advance(ts, max(low, high), end, times[j])
            if high - low > 1:
                out[i, j], _ = fit(ts, values, low, high, ts[low])
                present[i, j] = True


@kernel
def predictions(
    offsets: Ints, ts: Ints, values: Floats, times: Ints, width: int, now: Ints, ahead: Floats,
    out: Floats, present: Bools, first: int, last: int,
) -> None:  # fmt: skip
    """Fill predict_linear: the line's value `ahead` float64[s] seconds after the steps `now` int64[s] (ms)."""
    for i in range(first, last):
        low = high = offsets[i]
        end = offsets[i + 1]
        for j in range(len(times)):
            low = advance(ts, low, end, times[j] - width)
            high = advance(ts, max(low, high), end, times[j])
            if high - low > 1:
                slope, level = fit(ts, values, low, high, now[j])
                out[i, j] = slope * ahead[j] + level
                present[i, j] = True
