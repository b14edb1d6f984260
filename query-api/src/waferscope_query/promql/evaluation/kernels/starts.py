# ruff: noqa: FBT001, FBT003, PLR0917 - compiled code takes its arrays and flags by position
"""Start timestamps of counters: since when a sample counts, in ms, 0 where nobody knows.

A counter whose start moves on was reset, even where its value went on growing (Prometheus, use-start-timestamps).
"""

from __future__ import annotations

from waferscope_query.promql.evaluation.kernels.compiling import kernel
from waferscope_query.promql.evaluation.kernels.counters import NEAR, extrapolation_factor
from waferscope_query.promql.evaluation.kernels.steps import advance
from waferscope_query.promql.evaluation.kernels.types import Bools, Floats, Ints


@kernel
def restarted(start_before: int, before: int, start: int, at: int) -> bool:
    """Whether a counter began anew between two samples at `before` and `at`."""
    if start in (0, start_before) or start >= at or start < before:
        return False
    # A start right at the sample before is that of a delta, or of a counter whose start was not known then.
    return start > before or (0 != start_before < before)


@kernel
def restarted_after(limit: int, start: int, at: int) -> bool:
    """Whether the counter of a sample began after a time."""
    return start > limit and at > limit and restarted(limit, limit, start, at)


@kernel
def find_restarts(offsets: Ints, ts: Ints, starts: Ints, out: Bools, overlaps: Bools) -> None:
    """Add to `out` before which samples a counter began anew; fill which starts lie before the sample before."""
    for i in range(len(offsets) - 1):
        for k in range(offsets[i] + 1, offsets[i + 1]):
            out[k] |= restarted(starts[k - 1], ts[k - 1], starts[k], ts[k])
            overlaps[k] = 0 != starts[k] < ts[k - 1] and starts[k] != starts[k - 1]


@kernel
def find_resets(offsets: Ints, ts: Ints, values: Floats, starts: Ints, out: Bools, overlaps: Bools) -> None:
    """Fill before which samples a counter of floats was reset, and which starts lie before the sample before."""
    for i in range(len(offsets) - 1):
        for k in range(offsets[i] + 1, offsets[i + 1]):
            out[k] = values[k] < values[k - 1]
    find_restarts(offsets, ts, starts, out, overlaps)


@kernel
def stretching(
    ts: Ints, low: int, high: int, window_start: int, window_end: int, start: int, change: float, initial: float,
) -> tuple[bool, float]:  # fmt: skip
    """How much a counter's change over the samples low to high grows when it is stretched to the window.

    Args:
        ts: All samples' times.
        low: The window's first sample.
        high: One past its last.
        window_start: In ms, as the others.
        window_end: Inclusive.
        start: The start of the first sample.
        change: From the first to the last sample.
        initial: The value of the first sample.

    Returns:
        Whether the counter is known to have been zero within the window, before its first sample, whose value counts as
        growth then; and the factor, 0 where a single sample tells nothing.
    """
    sampled, average = (ts[high - 1] - ts[low]) / 1000, 0.0
    to_end = (window_end - ts[high - 1]) / 1000
    if high - low > 1:
        average = sampled / (high - low - 1)
    if not (start != 0 and window_start < start < ts[low]):
        if high - low == 1:
            return False, 0.0
        to_start = (ts[low] - window_start) / 1000
        return False, extrapolation_factor(to_start, to_end, sampled, high - low, change, initial, True)
    if to_end >= average * NEAR:
        to_end = average / 2
    since_start = (ts[high - 1] - start) / 1000
    return True, (since_start + to_end) / since_start


@kernel
def newest_of(flags: Bools, begin: int, end: int, found: int) -> int:
    """The last set flag from begin to end, or what was found before."""
    for k in range(begin, end):
        if flags[k]:
            found = k
    return found


@kernel
def lost_in_resets(values: Floats, resets: Bools, low: int, high: int) -> float:
    """What a counter lost in resets between the samples low to high."""
    lost = 0.0
    for k in range(low + 1, high):
        if resets[k]:
            lost += values[k - 1]
    return lost


@kernel
def extrapolated(
    offsets: Ints, ts: Ints, values: Floats, times: Ints, width: int, starts: Ints, resets: Bools, overlaps: Bools,
    per_second: bool, overlapping: Bools, out: Floats, present: Bools, first: int, last: int,
) -> None:  # fmt: skip
    """Fill rate (per second) or increase, and which windows hold overlaps: bool[n, s]."""
    for i in range(first, last):
        low = high = offsets[i]
        end = offsets[i + 1]
        searched, reset, overlap = low + 1, low, low  # the newest ones found so far
        for j in range(len(times)):
            low = advance(ts, low, end, times[j] - width)
            high = advance(ts, max(low, high), end, times[j])
            reset, overlap = newest_of(resets, searched, high, reset), newest_of(overlaps, searched, high, overlap)
            searched = max(searched, high)
            if high == low:
                continue
            change = values[high - 1] - values[low]
            if reset > low:
                change += lost_in_resets(values, resets, low, high)
            if overlap > low:
                overlapping[i, j] = True
            from_zero, factor = stretching(ts, low, high, times[j] - width, times[j], starts[low], change, values[low])
            if factor == 0:
                continue
            if per_second:
                factor /= width / 1000
            out[i, j] = (change + values[low] if from_zero else change) * factor
            present[i, j] = True


@kernel
def last_two(
    offsets: Ints, ts: Ints, values: Floats, times: Ints, width: int, resets: Bools,
    out: Floats, present: Bools, first: int, last: int,
) -> None:  # fmt: skip
    """Fill irate."""
    for i in range(first, last):
        low = high = offsets[i]
        end = offsets[i + 1]
        for j in range(len(times)):
            low = advance(ts, low, end, times[j] - width)
            high = advance(ts, max(low, high), end, times[j])
            if high - low < 2:  # noqa: PLR2004, a change takes two samples
                continue
            change = values[high - 1] if resets[high - 1] else values[high - 1] - values[high - 2]
            out[i, j] = change / ((ts[high - 1] - ts[high - 2]) / 1000)
            present[i, j] = True
