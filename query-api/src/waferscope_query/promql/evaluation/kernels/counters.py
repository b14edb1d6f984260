# ruff: noqa: FBT001, PLR0917 - compiled code takes its arrays and flags by position
"""Change over a window: rate, increase, delta by extrapolation; irate, idelta by the last two samples."""

from __future__ import annotations

from waferscope_query.promql.evaluation.kernels.compiling import kernel
from waferscope_query.promql.evaluation.kernels.steps import advance
from waferscope_query.promql.evaluation.kernels.types import Bools, Floats, Ints

NEAR = 1.1  # an edge counts as reached when it is at most this many average intervals away


@kernel
def extrapolation_factor(
    to_start: float, to_end: float, sampled: float, samples: int, change: float, initial: float, counter: bool
) -> float:
    """How much the change between the first and last sample grows when it is stretched to the window (all in s)."""
    average = sampled / (samples - 1)
    threshold = average * NEAR
    if to_start >= threshold:
        to_start = average / 2
    if counter and change > 0 and initial >= 0:
        to_start = min(to_start, sampled * (initial / change))  # a counter was never below zero
    if to_end >= threshold:
        to_end = average / 2
    return 1.0 if sampled == 0 else (sampled + to_start + to_end) / sampled


@kernel
def extrapolated(
    offsets: Ints, ts: Ints, values: Floats, times: Ints, width: int, counter: bool, per_second: bool,
    out: Floats, present: Bools, first: int, last: int,
) -> None:  # fmt: skip
    """Fill rate (counter, per second), increase (counter) or delta (neither)."""
    for i in range(first, last):
        low = high = offsets[i]
        end = offsets[i + 1]
        searched, reset = low + 1, low  # the newest reset found so far: windows without one are not searched again
        for j in range(len(times)):
            low = advance(ts, low, end, times[j] - width)
            high = advance(ts, max(low, high), end, times[j])
            if high - low < 2:  # noqa: PLR2004, a change takes two samples
                continue
            while searched < high:
                if values[searched] < values[searched - 1]:
                    reset = searched
                searched += 1
            change = values[high - 1] - values[low]
            if counter and reset > low:
                for k in range(low + 1, high):
                    if values[k] < values[k - 1]:
                        change += values[k - 1]
            factor = extrapolation_factor(
                (ts[low] - (times[j] - width)) / 1000, (times[j] - ts[high - 1]) / 1000,
                (ts[high - 1] - ts[low]) / 1000, high - low, change, values[low], counter,
            )  # fmt: skip
            if per_second:
                factor /= width / 1000
            out[i, j] = change * factor
            present[i, j] = True


@kernel
def last_two(
    offsets: Ints, ts: Ints, values: Floats, times: Ints, width: int, counter: bool,
    out: Floats, present: Bools, first: int, last: int,
) -> None:  # fmt: skip
    """Fill irate (counter) or idelta."""
    for i in range(first, last):
        low = high = offsets[i]
        end = offsets[i + 1]
        for j in range(len(times)):
            low = advance(ts, low, end, times[j] - width)
            high = advance(ts, max(low, high), end, times[j])
            if high - low < 2:  # noqa: PLR2004, a change takes two samples
                continue
            reset = counter and values[high - 1] < values[high - 2]
            change = values[high - 1] if reset else values[high - 1] - values[high - 2]
            out[i, j] = change / ((ts[high - 1] - ts[high - 2]) / 1000) if counter else change
            present[i, j] = True
