# ruff: noqa: FBT001, FBT003, PLR0917 - compiled code takes its arrays and flags by position
"""Windows whose edges are `anchored` at the sample before them or `smoothed` between the samples around them.

`reach` is the lookback in ms: how far before a window (and, smoothed, behind it) a sample may lie.
"""

from __future__ import annotations

from waferscope_query.promql.evaluation.kernels.compiling import kernel
from waferscope_query.promql.evaluation.kernels.starts import restarted, restarted_after
from waferscope_query.promql.evaluation.kernels.steps import advance
from waferscope_query.promql.evaluation.kernels.types import Bools, Floats, Ints


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
    if ts[last] <= start:
        return -1, -1
    return first, last


@kernel
def between(at: int, before: int, low: float, after: int, high: float, counter: bool) -> float:
    """The value at a time between two others; a counter that fell counts from 0."""
    if counter and high < low:
        low = 0.0
    return float(low + (high - low) * float(at - before) / float(after - before))


@kernel
def lone_edge(
    ts: Ints, values: Floats, starts: Ints, k: int, at: int, lookback: int, smoothed: bool, counter: bool
) -> float:
    """The value at an edge `at` before the sample k, the first there is since `lookback`."""
    if not counter or not restarted_after(lookback, starts[k], ts[k]):
        return float(values[k])
    if not smoothed or restarted_after(at, starts[k], ts[k]):
        return 0.0
    return between(at, starts[k], 0.0, ts[k], values[k], True)


@kernel
def left_edge(
    ts: Ints, values: Floats, starts: Ints, first: int, at: int, lookback: int, smoothed: bool, counter: bool
) -> tuple[float, int]:
    """The value at the left edge of a window, and since when it counts."""
    told = starts[first] if starts[first] <= at else 0
    if ts[first] == at:
        return values[first], starts[first]
    if ts[first] > at:
        return lone_edge(ts, values, starts, first, at, lookback, smoothed, counter), told
    before, low, after, high = ts[first], values[first], ts[first + 1], values[first + 1]
    if counter and restarted_after(at, starts[first + 1], after):
        after, high = starts[first + 1], 0.0
    elif counter and restarted(starts[first], before, starts[first + 1], after):
        before, low = starts[first + 1], 0.0
        told = before
    return (between(at, before, low, after, high, counter) if smoothed else low), told


@kernel
def right_edge(
    ts: Ints, values: Floats, starts: Ints, last: int, low: int, at: int, lookback: int, smoothed: bool, counter: bool
) -> tuple[float, int]:
    """The value at the right edge of a window, and since when it counts; `low` is the first sample since `lookback`."""
    told = starts[last] if starts[last] <= at else 0
    if ts[last] <= at:
        return values[last], told
    if last == low:
        return lone_edge(ts, values, starts, last, at, lookback, smoothed, counter), told
    before, held, after, high = ts[last - 1], values[last - 1], ts[last], values[last]
    if counter and restarted_after(at, starts[last], after):
        after, high = starts[last], 0.0
        told = starts[last - 1]
    elif counter and restarted(starts[last - 1], before, starts[last], after):
        before, held = starts[last], 0.0
    return (between(at, before, held, after, high, counter) if smoothed else held), told


@kernel
def lost_in_resets(
    ts: Ints, values: Floats, starts: Ints, head: int, tail: int, left: tuple[float, int], right: tuple[float, int],
    start: int, end: int,
) -> float:  # fmt: skip
    """What a counter lost in resets between the edges of a window; head and tail are its first and last sample."""
    previous, began = left
    at, lost = start, 0.0
    for k in range(head, tail + 1):
        if ts[k] <= start or ts[k] >= end:
            continue
        if values[k] < previous or restarted(began, at, starts[k], ts[k]):
            lost += previous
        previous, at, began = values[k], ts[k], starts[k]
    if right[0] < previous or restarted(began, at, right[1], end):
        lost += previous
    return lost


@kernel
def tells_nothing(ts: Ints, starts: Ints, first: int, end: int, lookback: int, counter: bool) -> bool:
    """Whether a sample behind a smoothed window says nothing of it: a counter does if it began before the end."""
    if ts[first] <= end:
        return False
    if not counter or not restarted_after(lookback, starts[first], ts[first]):
        return True
    return restarted_after(end, starts[first], ts[first])


@kernel
def changes_of_extended(
    offsets: Ints, ts: Ints, values: Floats, times: Ints, width: int, starts: Ints, reach: int, smoothed: bool,
    counter: bool, per_second: bool, out: Floats, present: Bools, first: int, last: int,
) -> None:  # fmt: skip
    """Fill rate (counter, per second), increase (counter) or delta (neither) between the edges."""
    for i in range(first, last):
        low = high = offsets[i]
        stop = offsets[i + 1]
        for j in range(len(times)):
            start, end = times[j] - width, times[j]
            lookback = start - reach
            low = advance(ts, low, stop, lookback)
            high = advance(ts, max(low, high), stop, end + reach if smoothed else end)
            if high == low:
                continue
            head, tail = window_bounds(ts, low, high, start, end, smoothed)
            if head < 0 or (smoothed and tells_nothing(ts, starts, head, end, lookback, counter)):
                continue
            left = left_edge(ts, values, starts, head, start, lookback, smoothed, counter)
            right = right_edge(ts, values, starts, tail, low, end, lookback, smoothed, counter)
            change = right[0] - left[0]
            if counter:
                change += lost_in_resets(ts, values, starts, head, tail, left, right, start, end)
            out[i, j] = change / (width / 1000) if per_second else change
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
                out[i, j] = between(times[j], ts[before], values[before], ts[after], values[after], False)
