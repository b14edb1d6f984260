"""Functions of range vectors that hold histograms, alone or among floats.

Floats and histograms of a window are looked at apart. What makes one value of many either refuses windows that hold
both, or ignores the histograms; each says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from waferscope_query.promql.evaluation.context import Context
from waferscope_query.promql.evaluation.functions.started import growth_and_overlaps, warn_of_overlaps
from waferscope_query.promql.evaluation.functions.windowed import over_windows
from waferscope_query.promql.evaluation.kernels import events, starts
from waferscope_query.promql.evaluation.kernels.native import adding, cells
from waferscope_query.promql.evaluation.kernels.native import windows as kernels
from waferscope_query.promql.evaluation.mixed import (
    MISMATCH,
    MIXED,
    MIXED_SCHEMAS,
    Bools,
    Bounds,
    Made,
    Mixed,
    refuse_mixtures,
    say,
    split,
    window_bounds,
    with_changes,
    with_histograms,
)
from waferscope_query.promql.evaluation.selecting import known_starts
from waferscope_query.promql.evaluation.values import Vector, Windows
from waferscope_query.promql.histograms import HINT, Hint
from waferscope_query.promql.parsing.tree import Call, Expr, Subquery
from waferscope_query.promql.source import Samples

OverFloats = Callable[[Call, Windows, Context], Vector]

IGNORED = "ignored histograms in a range containing both floats and histograms for metric name"
COLLISION = "conflicting counter resets during histogram"


def over_histograms(node: Call, argument: Expr, windows: Windows, over_floats: OverFloats, context: Context) -> Vector:
    """Evaluate a function of a range vector that holds histograms; `over_floats` is how it treats floats."""
    start = 0 if isinstance(argument, Subquery) else node.args[0].start  # where Prometheus points
    mixed = split(start, windows, (windows.ends, windows.width_ms))
    context.control.check()
    return _FUNCTIONS.get(node.function, _ignoring)(node, mixed, over_floats, context)


def _all_bounds(mixed: Mixed) -> Bounds:
    """The windows of all samples."""
    return window_bounds(mixed.windows.samples, (mixed.windows.ends, mixed.windows.width_ms))


def _ignoring(node: Call, mixed: Mixed, over_floats: OverFloats, context: Context) -> Vector:
    """Look at the floats only, and say so where there are any."""
    both = (mixed.has_float & mixed.has_histogram).any(axis=1)
    say(context.notes.inform, IGNORED, both, mixed, context)
    return over_floats(node, mixed.floats, context)


def _both(node: Call, mixed: Mixed, over_floats: OverFloats, context: Context) -> Vector:
    """count_over_time, present_over_time and the like see samples, whatever they are."""
    windows = replace(mixed.windows, samples=replace(mixed.windows.samples, histograms=None))
    return over_floats(node, windows, context)


def _pick(node: Call, mixed: Mixed, over_floats: OverFloats, context: Context) -> Vector:
    """first_over_time and last_over_time give the sample as it is."""
    picked = _both(node, mixed, over_floats, context)
    bounds = _all_bounds(mixed)
    position = bounds.lows if node.function == "first_over_time" else bounds.highs - 1
    histograms = mixed.windows.samples.histograms
    assert histograms is not None
    at = np.where(picked.present, histograms.at[np.where(picked.present, position, 0)], -1).astype(np.int32)
    return replace(picked, histograms=replace(histograms, at=at))


def _total(node: Call, mixed: Mixed, over_floats: OverFloats, context: Context) -> Vector:
    """sum_over_time and avg_over_time."""
    floats, wanted = refuse_mixtures(over_floats(node, mixed.floats, context), mixed, context)
    rows, steps = np.nonzero(wanted)
    said = np.zeros(len(rows), np.int64)
    table = cells.totals(
        mixed.cells.table, mixed.cells.at.astype(np.int64), mixed.bounds.lows[wanted], mixed.bounds.highs[wanted],
        node.function == "avg_over_time", said,
    )  # fmt: skip
    impossible = said & adding.INCOMPATIBLE > 0
    say(context.notes.warn, MIXED_SCHEMAS, rows[impossible], mixed, context)
    if (said[~impossible] & adding.COLLISION).any():
        context.notes.warn(f"{COLLISION} aggregation", mixed.start)
    if (said[~impossible] & adding.RECONCILED).any():
        context.notes.inform(f"{MISMATCH} aggregation", mixed.start)
    return with_histograms(floats, Made(table, rows, steps), ~impossible)


def _resets(samples: Samples) -> Bools:
    """bool[m]: before which samples a counter of histograms was reset."""
    out = np.zeros(len(samples.ts), np.bool_)
    assert samples.histograms is not None
    at = samples.histograms.at.astype(np.int64)
    kernels.resets_between(samples.histograms.table, at, samples.offsets, out)
    return out


def _restarts(samples: Samples) -> tuple[Bools, Bools]:
    """bool[m] each: before which samples a counter began anew, and which starts lie before the sample before."""
    found, overlaps = np.zeros(len(samples.ts), np.bool_), np.zeros(len(samples.ts), np.bool_)
    if samples.starts is not None:
        starts.find_restarts(samples.offsets, samples.ts, samples.starts, found, overlaps)
    return found, overlaps


def _delta(node: Call, mixed: Mixed, over_floats: OverFloats, context: Context) -> Vector:
    floats, wanted = refuse_mixtures(over_floats(node, mixed.floats, context), mixed, context)
    wanted &= mixed.bounds.counts > 1
    rows, steps = np.nonzero(wanted)
    said = np.zeros(len(rows), np.int64)
    table = kernels.deltas(
        mixed.cells.table, mixed.cells.at.astype(np.int64), mixed.histograms.samples.ts, mixed.bounds.lows[wanted],
        mixed.bounds.highs[wanted], mixed.windows.ends[steps], mixed.windows.width_ms, said,
    )  # fmt: skip
    return with_changes(floats, Made(table, rows, steps), said, mixed, context)


def _growth(node: Call, mixed: Mixed, over_floats: OverFloats, context: Context) -> Vector:
    """The functions rate and increase."""
    samples, overlapping = mixed.histograms.samples, np.zeros_like(mixed.has_float)
    if samples.starts is None:
        floats = over_floats(node, mixed.floats, context)
    else:
        floats, overlapping = growth_and_overlaps(node, mixed.floats, context)
    floats, wanted = refuse_mixtures(floats, mixed, context)
    wanted &= mixed.bounds.counts > (1 if samples.starts is None else 0)  # a single one may tell, too
    rows, steps = np.nonzero(wanted)
    said = np.zeros(len(rows), np.int64)
    lows, highs = mixed.bounds.lows[wanted], mixed.bounds.highs[wanted]
    table, at = mixed.cells.table, mixed.cells.at.astype(np.int64)
    restarts, overlaps = _restarts(samples)
    told = restarts | (table.shape[at, HINT] == Hint.RESET)
    table = kernels.increases(
        table, at, samples.ts, known_starts(samples), _resets(samples) | restarts, told, lows, highs,
        mixed.windows.ends[steps], mixed.windows.width_ms, node.function == "rate", said,
    )  # fmt: skip
    seen = np.cumsum(overlaps)
    uncompared = said & (kernels.MIXED_SCHEMAS | kernels.EMPTY) == kernels.MIXED_SCHEMAS
    compared = (seen[highs - 1] > seen[lows]) & ~uncompared
    times = (overlapping & ~mixed.has_histogram).sum(axis=1)
    warn_of_overlaps(samples, times + np.bincount(rows[compared], minlength=len(times)), mixed.start, context)
    return with_changes(floats, Made(table, rows, steps), said, mixed, context)


def _last_change(node: Call, mixed: Mixed, over_floats: OverFloats, context: Context) -> Vector:
    """The functions irate and idelta: only the last two samples count."""
    bounds = _all_bounds(mixed)
    samples = mixed.windows.samples
    assert samples.histograms is not None
    two = bounds.counts > 1
    last = np.where(two, bounds.highs - 1, 0)
    is_histogram = samples.histograms.at >= 0
    now, before = two & is_histogram[last], two & is_histogram[np.maximum(last - 1, 0)]
    say(context.notes.warn, MIXED, (now != before).any(axis=1), mixed, context)
    both = _both(node, mixed, over_floats, context)
    floats = replace(both, present=both.present & ~now & ~before)
    wanted = now & before
    rows, steps = np.nonzero(wanted)
    said = np.zeros(len(rows), np.int64)
    table = kernels.last_changes(
        samples.histograms.table, samples.histograms.at.astype(np.int64), samples.ts, _restarts(samples)[0],
        bounds.highs[wanted],
        node.function == "irate", said,
    )  # fmt: skip
    return with_changes(floats, Made(table, rows, steps), said, mixed, context)


def _events(node: Call, mixed: Mixed, over_floats: OverFloats, context: Context) -> Vector:
    """The functions resets and changes."""
    del over_floats
    plain = replace(mixed.windows, samples=replace(mixed.windows.samples, histograms=None))
    return over_windows(plain, context, events.counted, events_of(node, mixed.windows.samples), 0)


def events_of(node: Call, samples: Samples) -> Bools:
    """bool[m]: before which samples resets or changes were; from float to histogram or back is both."""
    assert samples.histograms is not None
    found = np.zeros(len(samples.ts), np.bool_)
    at, of_resets = samples.histograms.at.astype(np.int64), node.function == "resets"
    kernels.find_events(samples.histograms.table, at, samples.values, samples.offsets, of_resets, found)
    return found | _restarts(samples)[0] if of_resets else found


_FUNCTIONS: dict[str, Callable[[Call, Mixed, OverFloats, Context], Vector]] = {
    "avg_over_time": _total,
    "changes": _events,
    "count_over_time": _both,
    "delta": _delta,
    "first_over_time": _pick,
    "idelta": _last_change,
    "increase": _growth,
    "irate": _last_change,
    "last_over_time": _pick,
    "present_over_time": _both,
    "rate": _growth,
    "resets": _events,
    "sum_over_time": _total,
    "ts_of_first_over_time": _both,
    "ts_of_last_over_time": _both,
}
