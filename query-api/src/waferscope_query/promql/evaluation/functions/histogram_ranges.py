"""Functions of range vectors that hold histograms, alone or among floats.

Floats and histograms of a window are looked at apart. What makes one value of many either refuses windows that hold
both, or ignores the histograms; each says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from waferscope_query.promql.evaluation.context import Context
from waferscope_query.promql.evaluation.kernels.native import adding, cells
from waferscope_query.promql.evaluation.kernels.native import windows as kernels
from waferscope_query.promql.evaluation.selecting import floats_of, samples_where
from waferscope_query.promql.evaluation.values import Vector, Windows
from waferscope_query.promql.histograms import HistogramCells, HistogramTable
from waferscope_query.promql.labels import METRIC_NAME
from waferscope_query.promql.parsing.literals import quote
from waferscope_query.promql.parsing.tree import Call, Expr, Subquery
from waferscope_query.promql.source import Samples

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
OverFloats = Callable[[Call, Windows, Context], Vector]

MIXED = "encountered a mix of histograms and floats for metric name"
IGNORED = "ignored histograms in a range containing both floats and histograms for metric name"
MIXED_SCHEMAS = "vector contains a mix of histograms with exponential and custom buckets schemas for metric name"
COLLISION = "conflicting counter resets during histogram"
MISMATCH = "mismatched custom buckets were reconciled during"


@dataclass(frozen=True, slots=True, eq=False)
class Bounds:
    """Where the windows of n series begin and end among their samples: int64[n, s] each."""

    lows: Ints
    highs: Ints

    @property
    def counts(self) -> Ints:
        """int64[n, s]: samples in each window."""
        return self.highs - self.lows


@dataclass(frozen=True, slots=True, eq=False)
class Mixed:
    """A range vector with histograms.

    Attributes:
        start: Where notes point to.
        windows: All samples.
        floats: The floats alone, of the same series.
        histograms: The histograms alone, of the same series.
        bounds: The windows of `histograms`.
        has_float: bool[n, s]: which windows hold any float.
        has_histogram: bool[n, s]: which windows hold any histogram.
    """

    start: int
    windows: Windows
    floats: Windows
    histograms: Windows
    bounds: Bounds
    has_float: Bools
    has_histogram: Bools

    @property
    def cells(self) -> HistogramCells:
        """The histograms of the samples of `histograms`."""
        assert self.histograms.samples.histograms is not None
        return self.histograms.samples.histograms


def over_histograms(node: Call, argument: Expr, windows: Windows, over_floats: OverFloats, context: Context) -> Vector:
    """Evaluate a function of a range vector that holds histograms; `over_floats` is how it treats floats."""
    mixed = _split(0 if isinstance(argument, Subquery) else node.args[0].start, windows)  # where Prometheus points
    context.control.check()
    return _FUNCTIONS.get(node.function, _ignoring)(node, mixed, over_floats, context)


def without_histograms(windows: Windows) -> Windows:
    """The floats of a range vector alone, of the same series."""
    return replace(windows, samples=floats_of(windows.samples))


def _split(start: int, windows: Windows) -> Mixed:
    samples = windows.samples
    assert samples.histograms is not None
    floats = without_histograms(windows)
    histograms = replace(windows, samples=samples_where(samples, samples.histograms.at >= 0))
    bounds = window_bounds(histograms)
    counts = window_bounds(floats).counts
    return Mixed(start, windows, floats, histograms, bounds, counts > 0, bounds.counts > 0)


def window_bounds(windows: Windows) -> Bounds:
    """Find every window's samples."""
    samples = windows.samples
    shape = (len(samples.labels), len(windows.ends))
    bounds = Bounds(np.empty(shape, np.int64), np.empty(shape, np.int64))
    kernels.bounds(samples.offsets, samples.ts, windows.ends, windows.width_ms, bounds.lows, bounds.highs)
    return bounds


Note = Callable[[str, int], None]


def _say(note: Note, text: str, rows: Any, mixed: Mixed, context: Context) -> None:
    """Note something once per metric among the given series."""
    names = np.unique(mixed.windows.samples.labels.column(METRIC_NAME)[rows])
    for code in names.tolist():
        note(f"{text} {quote(context.pool.text(code))}", mixed.start)


def _floats_where(vector: Vector, present: Bools) -> Vector:
    return replace(vector, present=vector.present & present)


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """Histograms that a function has made, and the series and step of each: int64[k]."""

    table: HistogramTable
    rows: Ints
    steps: Ints


def _with_histograms(floats: Vector, made: Made, kept: Bools) -> Vector:
    """Add histograms at some cells to floats at others; those that aren't kept stay absent."""
    at = np.full(floats.present.shape, -1, np.int32)
    rows, steps = made.rows[kept], made.steps[kept]
    at[rows, steps] = np.flatnonzero(kept)
    present = floats.present.copy()
    present[rows, steps] = True
    return replace(floats, present=present, histograms=HistogramCells(made.table, at))


def _ignoring(node: Call, mixed: Mixed, over_floats: OverFloats, context: Context) -> Vector:
    """Look at the floats only, and say so where there are any."""
    both = (mixed.has_float & mixed.has_histogram).any(axis=1)
    _say(context.notes.inform, IGNORED, both, mixed, context)
    return over_floats(node, mixed.floats, context)


def _both(node: Call, mixed: Mixed, over_floats: OverFloats, context: Context) -> Vector:
    """count_over_time, present_over_time and the like see samples, whatever they are."""
    windows = replace(mixed.windows, samples=replace(mixed.windows.samples, histograms=None))
    return over_floats(node, windows, context)


def _pick(node: Call, mixed: Mixed, over_floats: OverFloats, context: Context) -> Vector:
    """first_over_time and last_over_time give the sample as it is."""
    picked = _both(node, mixed, over_floats, context)
    bounds = window_bounds(mixed.windows)
    position = bounds.lows if node.function == "first_over_time" else bounds.highs - 1
    histograms = mixed.windows.samples.histograms
    assert histograms is not None
    at = np.where(picked.present, histograms.at[np.where(picked.present, position, 0)], -1).astype(np.int32)
    return replace(picked, histograms=replace(histograms, at=at))


def _refusing_mixtures(node: Call, mixed: Mixed, over_floats: OverFloats, context: Context) -> tuple[Vector, Bools]:
    """What the floats give, and which windows hold histograms only; those that hold both give a warning."""
    both = mixed.has_float & mixed.has_histogram
    _say(context.notes.warn, MIXED, both.any(axis=1), mixed, context)
    return _floats_where(over_floats(node, mixed.floats, context), ~both), mixed.has_histogram & ~both


def _total(node: Call, mixed: Mixed, over_floats: OverFloats, context: Context) -> Vector:
    """sum_over_time and avg_over_time."""
    floats, wanted = _refusing_mixtures(node, mixed, over_floats, context)
    rows, steps = np.nonzero(wanted)
    said = np.zeros(len(rows), np.int64)
    table = cells.totals(
        mixed.cells.table, mixed.cells.at.astype(np.int64), mixed.bounds.lows[wanted], mixed.bounds.highs[wanted],
        node.function == "avg_over_time", said,
    )  # fmt: skip
    impossible = said & adding.INCOMPATIBLE > 0
    _say(context.notes.warn, MIXED_SCHEMAS, rows[impossible], mixed, context)
    if (said[~impossible] & adding.COLLISION).any():
        context.notes.warn(f"{COLLISION} aggregation", mixed.start)
    if (said[~impossible] & adding.RECONCILED).any():
        context.notes.inform(f"{MISMATCH} aggregation", mixed.start)
    return _with_histograms(floats, Made(table, rows, steps), ~impossible)


def _resets(samples: Samples) -> Bools:
    """bool[m]: before which samples a counter of histograms was reset."""
    out = np.zeros(len(samples.ts), np.bool_)
    assert samples.histograms is not None
    at = samples.histograms.at.astype(np.int64)
    kernels.resets_between(samples.histograms.table, at, samples.offsets, out)
    return out


def _change(node: Call, mixed: Mixed, over_floats: OverFloats, context: Context) -> Vector:
    """rate, increase and delta."""
    floats, wanted = _refusing_mixtures(node, mixed, over_floats, context)
    wanted &= mixed.bounds.counts > 1
    rows, steps = np.nonzero(wanted)
    said = np.zeros(len(rows), np.int64)
    windows, counter = mixed.histograms, node.function != "delta"
    table = kernels.changes_extrapolated(
        mixed.cells.table, mixed.cells.at.astype(np.int64), windows.samples.ts, _resets(windows.samples),
        mixed.bounds.lows[wanted], mixed.bounds.highs[wanted], windows.ends[steps], windows.width_ms,
        counter, node.function == "rate", said,
    )  # fmt: skip
    return _changed(floats, Made(table, rows, steps), said, mixed, context)


def _last_change(node: Call, mixed: Mixed, over_floats: OverFloats, context: Context) -> Vector:
    """The functions irate and idelta: only the last two samples count."""
    bounds = window_bounds(mixed.windows)
    samples = mixed.windows.samples
    assert samples.histograms is not None
    two = bounds.counts > 1
    last = np.where(two, bounds.highs - 1, 0)
    is_histogram = samples.histograms.at >= 0
    now, before = two & is_histogram[last], two & is_histogram[np.maximum(last - 1, 0)]
    _say(context.notes.warn, MIXED, (now != before).any(axis=1), mixed, context)
    floats = _floats_where(_both(node, mixed, over_floats, context), ~now & ~before)
    wanted = now & before
    rows, steps = np.nonzero(wanted)
    said = np.zeros(len(rows), np.int64)
    table = kernels.last_changes(
        samples.histograms.table, samples.histograms.at.astype(np.int64), samples.ts, bounds.highs[wanted],
        node.function == "irate", said,
    )  # fmt: skip
    return _changed(floats, Made(table, rows, steps), said, mixed, context)


def _changed(floats: Vector, made: Made, said: Ints, mixed: Mixed, context: Context) -> Vector:
    """The vector with changes of histograms, and what is to be said of them."""
    for number, text in (
        (kernels.NOT_COUNTER, "this native histogram metric is not a counter:"),
        (kernels.NOT_GAUGE, "this native histogram metric is not a gauge:"),
        (kernels.MIXED_SCHEMAS, MIXED_SCHEMAS),
    ):
        _say(context.notes.warn, text, made.rows[said & number > 0], mixed, context)
    for number, operation in ((kernels.SUBTRACTED_MISMATCH, "subtraction"), (kernels.ADDED_MISMATCH, "addition")):
        if (said & number).any():
            context.notes.inform(f"{MISMATCH} {operation}", mixed.start)
    return _with_histograms(floats, made, said & kernels.MIXED_SCHEMAS == 0)


def _events(node: Call, mixed: Mixed, over_floats: OverFloats, context: Context) -> Vector:
    """The functions resets and changes: from float to histogram or back is both."""
    counted = _both(node, mixed, over_floats, context)
    bounds, samples = window_bounds(mixed.windows), mixed.windows.samples
    assert samples.histograms is not None
    out = np.zeros(int(counted.present.sum()))
    kernels.events(
        samples.histograms.table, samples.histograms.at.astype(np.int64), samples.values, _resets(samples),
        bounds.lows[counted.present], bounds.highs[counted.present], node.function == "resets", out,
    )  # fmt: skip
    values = counted.values.copy()
    values[counted.present] = out
    return replace(counted, values=values)


_FUNCTIONS: dict[str, Callable[[Call, Mixed, OverFloats, Context], Vector]] = {
    "avg_over_time": _total,
    "changes": _events,
    "count_over_time": _both,
    "delta": _change,
    "first_over_time": _pick,
    "idelta": _last_change,
    "increase": _change,
    "irate": _last_change,
    "last_over_time": _pick,
    "present_over_time": _both,
    "rate": _change,
    "resets": _events,
    "sum_over_time": _total,
}
