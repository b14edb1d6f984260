# ruff: noqa: FBT001, PLR0917 - compiled code takes its arrays and flags by position
"""Windows whose edges are `anchored` at the sample before them or `smoothed` between the samples around them.

`reach` is the lookback in ms: how far before a window (and, smoothed, behind it) a sample may lie.
"""

from __future__ import annotations

from waferscope_query.promql.evaluation.kernels.compiling import kernel
from waferscope_query.promql.evaluation.kernels.over_time import count_changes, count_resets
from waferscope_query.promql.evaluation.kernels.steps import advance
from waferscope_query.promql.evaluation.kernels.types import Bools, Floats, Ints


@kernel
def interpolated(ts: Ints, values: Floats, before: int, at: int, counter: bool) -> float:
    """The value at a time between the sample `before` and the next one; a counter that fell counts from 0."""
    low, high = values[before], values[before + 1]
    if counter and high < low:
        low = 0.0
    return float(low + (high - low) * float(at - ts[before]) / float(ts[before + 1] - ts[before]))


@kernel
def window_bounds(ts: Ints, low: int, high: int, start: int, end: int, smoothed: bool) -> tuple[int, int]:
    """First and last sample that tell of a window (start, end], among the samples low to high; -1 where none does."""
    last = high - 1
    after_start = low
    while after_start < last and ts[after_start] <= start:
        after_start += 1
    first = max(low, after_start - 1)
    if smoothed:
        last = after_start
        while last < high - 1 and ts[last] < end:
            last += 1
    if ts[last] <= start or (smoothed and ts[first] > end):
        return -1, -1
    return first, last


@kernel
def edges(
    ts: Ints, values: Floats, first: int, last: int, low: int, start: int, end: int, smoothed: bool, counter: bool
) -> tuple[float, float]:
    """The values at both edges of a window."""
    left = values[first]
    if smoothed and ts[first] < start:
        left = interpolated(ts, values, first, start, counter)
    right = values[last]
    if ts[last] > end and last > low:
        right = interpolated(ts, values, last - 1, end, counter) if smoothed else values[last - 1]
    return left, right


@kernel
def changes_of_extended(
    offsets: Ints, ts: Ints, values: Floats, times: Ints, width: int, reach: int, smoothed: bool,
    counter: bool, per_second: bool, out: Floats, present: Bools, first: int, last: int,
) -> None:  # fmt: skip
    """Fill rate (counter, per second), increase (counter) or delta (neither) between the edges."""
    for i in range(first, last):
        low = high = offsets[i]
        stop = offsets[i + 1]
        for j in range(len(times)):
            start, end = times[j] - width, times[j]
            low = advance(ts, low, stop, start - reach)
            high = advance(ts, max(low, high), stop, end + reach if smoothed else end)
            if high == low:
                continue
            head, tail = window_bounds(ts, low, high, start, end, smoothed)
            if head < 0:
                continue
            left, right = edges(ts, values, head, tail, low, start, end, smoothed, counter)
            change = right - left
            if counter:
                previous, lost = left, 0.0
                for k in range(head, tail + 1):
                    if ts[k] <= start or ts[k] >= end:
                        continue
                    if values[k] < previous:
                        lost += previous
                    previous = values[k]
                if right < previous:
                    lost += previous
                change += lost
            out[i, j] = change / (width / 1000) if per_second else change
            present[i, j] = True


@kernel
def counted_from_anchor(
    offsets: Ints, ts: Ints, values: Floats, times: Ints, width: int, reach: int, resets: bool,
    out: Floats, present: Bools, first: int, last: int,
) -> None:  # fmt: skip
    """Fill resets or changes, the newest sample before the window being the first to compare with."""
    for i in range(first, last):
        low = high = offsets[i]
        stop = offsets[i + 1]
        for j in range(len(times)):
            start = times[j] - width
            low = advance(ts, low, stop, start)
            high = advance(ts, max(low, high), stop, times[j])
            if high == low:
                continue
            anchor = low - 1 if low > offsets[i] and ts[low - 1] > start - reach else low
            counted = count_resets(values, anchor, high) if resets else count_changes(values, anchor, high)
            out[i, j] = counted
            present[i, j] = True


@kernel
def smoothed_values(
    offsets: Ints, ts: Ints, values: Floats, times: Ints, reach: int,
    out: Floats, present: Bools, first: int, last: int,
) -> None:  # fmt: skip
    """Fill the value of each series at each step, between the samples around it; without a later one, the last."""
    for i in range(first, last):
        after = offsets[i]
        stop = offsets[i + 1]
        for j in range(len(times)):
            after = advance(ts, after, stop, times[j])
            before = after - 1
            if before < offsets[i] or ts[before] <= times[j] - reach:
                continue
            present[i, j] = True
            if ts[before] == times[j] or after == stop or ts[after] > times[j] + reach:
                out[i, j] = values[before]
            else:
                out[i, j] = interpolated(ts, values, before, times[j], False)  # noqa: FBT003, numba takes no keywords
