# ruff: noqa: FBT001, FBT003, PLR0917 - compiled code takes its arrays and flags by position
"""Windows of samples that are histograms, or floats and histograms: change over the window, resets, changes.

Window k holds the samples lows[k] to highs[k]; `at` int64[m] is each sample's histogram, -1 of a float.
"""

from __future__ import annotations

import math

import numpy as np

from waferscope_query.promql.evaluation.kernels.compiling import kernel
from waferscope_query.promql.evaluation.kernels.counters import extrapolation_factor
from waferscope_query.promql.evaluation.kernels.native.adding import INCOMPATIBLE, RECONCILED, added, reduced
from waferscope_query.promql.evaluation.kernels.native.cells import without_lost
from waferscope_query.promql.evaluation.kernels.native.comparing import equal, fell, told_hint, was_reset
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
from waferscope_query.promql.evaluation.kernels.starts import stretching
from waferscope_query.promql.evaluation.kernels.steps import advance
from waferscope_query.promql.evaluation.kernels.types import Bools, Floats, Ints
from waferscope_query.promql.histograms import COUNT, CUSTOM_BUCKETS, HINT, SCHEMA, HistogramTable

NOT_COUNTER, NOT_GAUGE, MIXED_SCHEMAS, SUBTRACTED_MISMATCH, ADDED_MISMATCH, EMPTY = 1, 2, 4, 8, 16, 32
"""What may be said of a change: what the function doesn't fit, what forbids it, which bounds were reconciled, or that
there is none."""

_UNKNOWN, _RESET, _NOT_RESET, _GAUGE = range(4)  # of `Hint`, which compiled code can't read


@kernel
def bounds(offsets: Ints, ts: Ints, times: Ints, width: int, lows: Ints, highs: Ints) -> None:
    """Fill where the windows of n series begin and end: int64[n, s]."""
    for i in range(len(offsets) - 1):
        low = high = offsets[i]
        end = offsets[i + 1]
        for j in range(len(times)):
            low = advance(ts, low, end, times[j] - width)
            high = advance(ts, max(low, high), end, times[j])
            lows[i, j], highs[i, j] = low, high


@kernel
def newest(offsets: Ints, ts: Ints, stale: Bools, times: Ints, lookback: int, out: Ints) -> None:
    """Fill the position of the newest sample within the lookback, -1 where there is none or the series has ended."""
    for i in range(len(offsets) - 1):
        after, end = offsets[i], offsets[i + 1]
        for j in range(len(times)):
            after = advance(ts, after, end, times[j])
            found = after - 1
            usable = found >= offsets[i] and ts[found] > times[j] - lookback and not stale[found]
            out[i, j] = found if usable else -1


@kernel
def resets_between(table: HistogramTable, at: Ints, offsets: Ints, out: Bools) -> None:
    """Fill whether a counter was reset right before each histogram; the first of a series tells nothing."""
    for i in range(len(offsets) - 1):
        for k in range(offsets[i] + 1, offsets[i + 1]):
            if at[k] >= 0 and at[k - 1] >= 0:
                out[k] = was_reset(view(table, at[k]), view(table, at[k - 1]))


@kernel
def hints(table: HistogramTable, at: Ints, stale: Bools, offsets: Ints, out: Ints) -> None:
    """Fill each histogram's hint as Prometheus's storage tells it."""
    for i in range(len(offsets) - 1):
        for k in range(offsets[i], offsets[i + 1]):
            if at[k] < 0:
                continue
            if k > offsets[i] and at[k - 1] >= 0 and not stale[k - 1]:
                out[k] = told_hint(view(table, at[k]), view(table, at[k - 1]))
            else:
                out[k] = _GAUGE if table.shape[at[k], HINT] == _GAUGE else _UNKNOWN


@kernel
def statistics_hints(table: HistogramTable, at: Ints, offsets: Ints, out: Ints) -> None:
    """Fill hints that tell of resets after the first histogram of a series, where the own hint leaves it open."""
    for i in range(len(offsets) - 1):
        before = -1
        for k in range(offsets[i], offsets[i + 1]):
            if at[k] < 0:
                continue
            own = table.shape[at[k], HINT]
            if own == _UNKNOWN and before >= 0:
                own = _RESET if fell(view(table, at[k]), view(table, at[before])) else _NOT_RESET
            out[k] = own
            before = k


@kernel
def blank_like(one: Work) -> Work:
    """An empty histogram with the schema and bounds of another."""
    shape, head, none = np.zeros_like(one.shape), np.zeros_like(one.head), np.zeros(0)
    shape[SCHEMA] = one.shape[SCHEMA]
    return Work(shape, head, np.zeros_like(head), none, none, none, none, one.bounds)


@kernel
def change(  # noqa: C901, PLR0912, one rule each
    table: HistogramTable, at: Ints, resets: Bools, told: Bools, low: int, high: int, counter: bool
) -> tuple[Work, int]:
    """The change over a window of at least two histograms, and what is to be said of it (void: MIXED_SCHEMAS).

    `told` says which of the resets are known without comparing histograms.
    """
    said = 0
    before, last = view(table, at[low]), view(table, at[high - 1])
    if counter and (before.shape[HINT] == _GAUGE or last.shape[HINT] == _GAUGE):
        said |= NOT_COUNTER
    if counter and resets[low + 1]:
        before = blank_like(view(table, at[low + 1]))
    custom = before.shape[SCHEMA] == CUSTOM_BUCKETS
    if (last.shape[SCHEMA] == CUSTOM_BUCKETS) != custom:
        return copied(last), said | MIXED_SCHEMAS
    schema = min(last.shape[SCHEMA], before.shape[SCHEMA])
    if counter:
        for k in range(low + 1, high - 1):
            if table.shape[at[k], HINT] == _GAUGE:
                said |= NOT_COUNTER
            schema = min(schema, table.shape[at[k], SCHEMA])
            if (table.shape[at[k], SCHEMA] == CUSTOM_BUCKETS) != custom:
                return copied(last), MIXED_SCHEMAS
    elif before.shape[HINT] != _GAUGE or last.shape[HINT] != _GAUGE:
        said |= NOT_GAUGE
    one, more = added(reduced(copied(last), schema), before, -1.0)
    if more & RECONCILED:
        said |= SUBTRACTED_MISMATCH
    if counter:
        for k in range(low + 1, high):
            if told[k] if k == low + 1 else resets[k]:  # nothing is less than the blank one after a reset
                if k > low + 1:
                    before = view(table, at[k - 1])
                one, more = added(one, before, 1.0)
                if more & INCOMPATIBLE:
                    return one, MIXED_SCHEMAS
                if more & RECONCILED:
                    said |= ADDED_MISMATCH
    one.shape[HINT] = _GAUGE
    return compacted(without_lost(one)), said


@kernel
def increase(
    table: HistogramTable,
    at: Ints,
    ts: Ints,
    starts: Ints,
    resets: Bools,
    told: Bools,
    low: int,
    high: int,
    start: int,
    end: int,
) -> tuple[Work, float, int]:
    """The growth of a counter over a window of at least one histogram, how it is stretched, and what is to be said.

    Where only the first histogram doesn't go with the others, which were compared then, EMPTY is said as well.
    """
    initial = view(table, at[low])
    if high - low == 1:
        one, said = copied(initial), 0
    else:
        one, said = change(table, at, resets, told, low, high, True)
    if said & MIXED_SCHEMAS:
        return one, 0.0, said
    from_zero, factor = stretching(
        ts, low, high, start, end, starts[low], one.head[COUNT], initial.head[COUNT]
    )  # fmt: skip
    if factor == 0:
        return one, factor, said | EMPTY
    if from_zero and high - low > 1:
        one, more = added(one, initial, 1.0)
        one = without_lost(one)
        said |= MIXED_SCHEMAS | EMPTY if more & INCOMPATIBLE else ADDED_MISMATCH if more & RECONCILED else 0
    return one, factor, said


@kernel
def increases(
    table: HistogramTable, at: Ints, ts: Ints, starts: Ints, resets: Bools, told: Bools, lows: Ints, highs: Ints,
    ends: Ints, width: int, per_second: bool, said: Ints,
) -> HistogramTable:  # fmt: skip
    """Rates (per second) or increases; `said` int64[k] is filled, see NOT_COUNTER."""
    builder = new_builder(len(lows))
    for k in range(len(lows)):
        one, factor, said[k] = increase(
            table, at, ts, starts, resets, told, lows[k], highs[k], ends[k] - width, ends[k]
        )  # fmt: skip
        scale(one, factor / (width / 1000) if per_second else factor)
        builder = append(builder, one)
    return built(builder)


@kernel
def deltas(
    table: HistogramTable, at: Ints, ts: Ints, lows: Ints, highs: Ints, ends: Ints, width: int, said: Ints
) -> HistogramTable:
    """Deltas over windows of at least two histograms; `said` as above."""
    builder = new_builder(len(lows))
    no_resets = np.zeros(0, np.bool_)
    for k in range(len(lows)):
        low, high = lows[k], highs[k]
        one, said[k] = change(table, at, no_resets, no_resets, low, high, False)
        if not said[k] & MIXED_SCHEMAS:
            factor = extrapolation_factor(
                (ts[low] - (ends[k] - width)) / 1000, (ends[k] - ts[high - 1]) / 1000,
                (ts[high - 1] - ts[low]) / 1000, high - low, one.head[COUNT], table.head[at[low], COUNT], False,
            )  # fmt: skip
            scale(one, factor)
        builder = append(builder, one)
    return built(builder)


@kernel
def last_changes(
    table: HistogramTable, at: Ints, ts: Ints, restarts: Bools, highs: Ints, counter: bool, said: Ints
) -> HistogramTable:
    """What irate (counter) and idelta give where a window's last two samples are histograms; `said` as above."""
    builder = new_builder(len(highs))
    for k in range(len(highs)):
        last = highs[k] - 1
        now, before = view(table, at[last]), view(table, at[last - 1])
        one = copied(now)
        gauges = (now.shape[HINT] == _GAUGE) + (before.shape[HINT] == _GAUGE)
        said[k] = 0
        if counter and gauges > 0:
            said[k] |= NOT_COUNTER
        if not counter and gauges < 2:  # noqa: PLR2004, both
            said[k] |= NOT_GAUGE
        if not counter or not (restarts[last] or was_reset(now, before)):
            one, more = added(one, before, -1.0)
            if more & INCOMPATIBLE:
                said[k] |= MIXED_SCHEMAS
            if more & RECONCILED:
                said[k] |= SUBTRACTED_MISMATCH
        one.shape[HINT] = _GAUGE
        one = compacted(without_lost(one))
        if counter:
            divide(one, (ts[last] - ts[last - 1]) / 1000)
        builder = append(builder, one)
    return built(builder)


@kernel
def find_events(table: HistogramTable, at: Ints, values: Floats, offsets: Ints, of_resets: bool, out: Bools) -> None:
    """Fill before which samples a counter was reset or a value changed: both are so between a float and a histogram."""
    for i in range(len(offsets) - 1):
        for k in range(offsets[i] + 1, offsets[i + 1]):
            if (at[k] < 0) != (at[k - 1] < 0):
                out[k] = True
            elif at[k] < 0:
                if of_resets:
                    out[k] = values[k] < values[k - 1]
                else:
                    out[k] = values[k] != values[k - 1] and not (math.isnan(values[k]) and math.isnan(values[k - 1]))
            elif of_resets:
                out[k] = was_reset(view(table, at[k]), view(table, at[k - 1]))
            else:
                out[k] = not equal(view(table, at[k]), view(table, at[k - 1]))
