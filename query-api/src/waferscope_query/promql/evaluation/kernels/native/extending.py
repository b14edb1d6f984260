# ruff: noqa: FBT001, PLR0917 - compiled code takes its arrays and flags by position
"""Histograms in `anchored` and `smoothed` windows, and between samples."""

from __future__ import annotations

from waferscope_query.promql.evaluation.kernels.compiling import kernel
from waferscope_query.promql.evaluation.kernels.extended import window_bounds
from waferscope_query.promql.evaluation.kernels.native.adding import INCOMPATIBLE, RECONCILED, added
from waferscope_query.promql.evaluation.kernels.native.cells import without_lost
from waferscope_query.promql.evaluation.kernels.native.comparing import was_reset
from waferscope_query.promql.evaluation.kernels.native.windows import (
    ADDED_MISMATCH,
    EMPTY,
    MIXED_SCHEMAS,
    NOT_COUNTER,
    NOT_GAUGE,
    SUBTRACTED_MISMATCH,
)
from waferscope_query.promql.evaluation.kernels.native.work import (
    Work,
    append,
    built,
    compacted,
    copied,
    divide,
    new_builder,
    scale,
    view,
)
from waferscope_query.promql.evaluation.kernels.types import Ints
from waferscope_query.promql.histograms import CUSTOM_BUCKETS, HINT, SCHEMA, HistogramTable

_UNKNOWN, _GAUGE = 0, 3  # of `Hint`, which compiled code can't read


@kernel
def subtract(one: Work, other: Work) -> tuple[Work, int]:
    """The first, which may be changed in place, without the other, and what is to be said of it."""
    one, more = added(one, other, -1.0)
    if more & INCOMPATIBLE:
        return one, MIXED_SCHEMAS
    return without_lost(one), SUBTRACTED_MISMATCH if more & RECONCILED else 0


@kernel
def plus(one: Work, other: Work) -> tuple[Work, int]:
    """The sum; otherwise as `subtract`."""
    one, more = added(one, other, 1.0)
    if more & INCOMPATIBLE:
        return one, MIXED_SCHEMAS
    return without_lost(one), ADDED_MISMATCH if more & RECONCILED else 0


@kernel
def between(at: int, before: int, low: Work, after: int, high: Work, counter: bool) -> tuple[Work, int]:
    """The histogram at a time between two others, a reset counter from 0 on, and what is to be said of it."""
    if at == before:
        return copied(low), 0
    one = copied(high)
    if at == after:
        return one, 0
    fraction = float(at - before) / float(after - before)
    if counter and was_reset(high, low):
        scale(one, fraction)
        return one, 0
    one, said = subtract(one, low)
    if said & MIXED_SCHEMAS:
        return one, said
    scale(one, fraction)
    one, more = plus(one, low)
    return one, said | more


@kernel
def fitting(table: HistogramTable, at: Ints, first: int, last: int, counter: bool) -> int:
    """What is to be said of the samples of a window before anything is computed."""
    said, custom = 0, table.shape[at[first], SCHEMA] == CUSTOM_BUCKETS
    for k in range(first, last + 1):
        if (table.shape[at[k], SCHEMA] == CUSTOM_BUCKETS) != custom:
            return said | MIXED_SCHEMAS
        if counter and table.shape[at[k], HINT] == _GAUGE:
            said |= NOT_COUNTER
    return said


@kernel
def with_lost(
    one: Work, table: HistogramTable, at: Ints, first: int, last: int, left: Work, right: Work, crossed: bool
) -> tuple[Work, int]:
    """Add to a change what the counter lost in resets between its edges, and tell what is to be said of it.

    Args:
        one: The change, which may be changed in place.
        table: The histograms.
        at: Their rows by sample.
        first: The sample that stands for the left edge.
        last: The one for the right edge.
        left: The value at the left edge.
        right: The value at the right edge.
        crossed: Whether the left edge lies within a reset: the next sample continues it.
    """
    begin, previous = first + 1, left
    if crossed:
        begin, previous = first + 2, view(table, at[first + 1])
    said, found = 0, False
    lost = previous
    for k in range(begin, last + 1):
        now = right if k == last else view(table, at[k])
        if was_reset(now, previous):
            if found:
                lost, more = plus(lost, previous)
                said |= more
                if said & MIXED_SCHEMAS:
                    return one, said
            else:
                lost, found = copied(previous), True
        previous = now
    if not found:
        return one, said
    one, more = plus(one, lost)
    return one, said | more


@kernel
def change(
    table: HistogramTable, at: Ints, ts: Ints, low: int, high: int, start: int, end: int, smoothed: bool, counter: bool
) -> tuple[Work, int]:
    """The change between the edges of a window, and what is to be said of it; void where EMPTY or MIXED_SCHEMAS."""
    first, last = window_bounds(ts, low, high, start, end, smoothed)
    if first < 0 or (smoothed and ts[first] > end):
        return view(table, at[low]), EMPTY
    said = fitting(table, at, first, last, counter)
    left, right = copied(view(table, at[first])), copied(view(table, at[last]))
    if said & MIXED_SCHEMAS:
        return left, said
    crossed = False
    if smoothed and ts[first] < start:
        after = view(table, at[first + 1])
        crossed = was_reset(after, view(table, at[first]))
        left, more = between(start, ts[first], view(table, at[first]), ts[first + 1], after, counter)
        said |= more
    if smoothed and last > low and ts[last] > end:
        before = view(table, at[last - 1])
        right, more = between(end, ts[last - 1], before, ts[last], view(table, at[last]), counter)
        said |= more
    if not counter and (left.shape[HINT] != _GAUGE or right.shape[HINT] != _GAUGE):
        said |= NOT_GAUGE
    one, more = subtract(copied(right), left)
    said |= more
    if counter and not said & MIXED_SCHEMAS:
        one, more = with_lost(one, table, at, first, last, left, right, crossed)
        said |= more
    return one, said


@kernel
def changes_of_extended(
    table: HistogramTable, at: Ints, ts: Ints, lows: Ints, highs: Ints, ends: Ints, width: int,
    smoothed: bool, counter: bool, per_second: bool, said: Ints,
) -> HistogramTable:  # fmt: skip
    """Rates (counter, per second), increases (counter) or deltas; `said` int64[k] is filled.

    Window k reaches from ends[k] - width to ends[k]; lows and highs tell which samples are near it.
    """
    builder = new_builder(len(lows))
    for k in range(len(lows)):
        one, said[k] = change(table, at, ts, lows[k], highs[k], ends[k] - width, ends[k], smoothed, counter)
        if not said[k] & (MIXED_SCHEMAS | EMPTY):
            if per_second:
                divide(one, width / 1000)
            one.shape[HINT] = _GAUGE
            one = compacted(one)
        builder = append(builder, one)
    return built(builder)


@kernel
def smoothed_values(
    table: HistogramTable, at: Ints, ts: Ints, befores: Ints, highs: Ints, times: Ints, said: Ints
) -> HistogramTable:  # fmt: skip
    """Histograms at times[k], between the sample befores[k] and the next one, which is there below highs[k].

    `said` int64[k] is filled; void where MIXED_SCHEMAS.
    """
    builder = new_builder(len(befores))
    for k in range(len(befores)):
        before = befores[k]
        now, said[k] = view(table, at[before]), 0
        if ts[before] == times[k]:
            builder = append(builder, now)
            continue
        one = copied(now)
        if before + 1 == highs[k]:
            one.shape[HINT] = _UNKNOWN  # it tells of a sample and the one before, not of a value
        else:
            after = view(table, at[before + 1])
            if (now.shape[SCHEMA] == CUSTOM_BUCKETS) != (after.shape[SCHEMA] == CUSTOM_BUCKETS):
                said[k] = MIXED_SCHEMAS
            else:
                counter = now.shape[HINT] != _GAUGE or after.shape[HINT] != _GAUGE
                one, said[k] = between(times[k], ts[before], now, ts[before + 1], after, counter)
        builder = append(builder, compacted(one))
    return built(builder)
