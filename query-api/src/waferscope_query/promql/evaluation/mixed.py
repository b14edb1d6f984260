"""Floats and histograms side by side: windows that hold either or both, and what functions make and say of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from waferscope_query.promql.evaluation.context import Context
from waferscope_query.promql.evaluation.kernels.native import windows as kernels
from waferscope_query.promql.evaluation.selecting import floats_of, samples_where
from waferscope_query.promql.evaluation.values import Vector, Windows
from waferscope_query.promql.histograms import HistogramCells, HistogramTable
from waferscope_query.promql.labels import METRIC_NAME
from waferscope_query.promql.parsing.literals import quote
from waferscope_query.promql.source import Samples

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Note = Callable[[str, int], None]
Reach = tuple[Ints, int]
"""Windows by their right ends int64[s] and their width, in ms."""

MIXED = "encountered a mix of histograms and floats for metric name"
MIXED_SCHEMAS = "vector contains a mix of histograms with exponential and custom buckets schemas for metric name"
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


def split(start: int, windows: Windows, reach: Reach) -> Mixed:
    """Look at the floats and histograms of windows apart.

    Args:
        start: Where notes point to.
        windows: The range vector.
        reach: What counts as a window's.
    """
    samples = windows.samples
    assert samples.histograms is not None
    floats = replace(windows, samples=floats_of(samples))
    histograms = replace(windows, samples=samples_where(samples, samples.histograms.at >= 0))
    bounds = window_bounds(histograms.samples, reach)
    counts = window_bounds(floats.samples, reach).counts
    return Mixed(start, windows, floats, histograms, bounds, counts > 0, bounds.counts > 0)


def window_bounds(samples: Samples, reach: Reach) -> Bounds:
    """Find every window's samples."""
    shape = (len(samples.labels), len(reach[0]))
    bounds = Bounds(np.empty(shape, np.int64), np.empty(shape, np.int64))
    kernels.bounds(samples.offsets, samples.ts, *reach, bounds.lows, bounds.highs)
    return bounds


def say(note: Note, text: str, rows: Any, mixed: Mixed, context: Context) -> None:
    """Note something once per metric among the given series."""
    names = np.unique(mixed.windows.samples.labels.column(METRIC_NAME)[rows])
    for code in names.tolist():
        note(f"{text} {quote(context.pool.text(code))}", mixed.start)


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """Histograms that a function has made, and the series and step of each: int64[k]."""

    table: HistogramTable
    rows: Ints
    steps: Ints


def with_histograms(floats: Vector, made: Made, kept: Bools) -> Vector:
    """Add histograms at some cells to floats at others; those that aren't kept stay absent."""
    at = np.full(floats.present.shape, -1, np.int32)
    rows, steps = made.rows[kept], made.steps[kept]
    at[rows, steps] = np.flatnonzero(kept)
    present = floats.present.copy()
    present[rows, steps] = True
    return replace(floats, present=present, histograms=HistogramCells(made.table, at))


def refuse_mixtures(floats: Vector, mixed: Mixed, context: Context) -> tuple[Vector, Bools]:
    """Leave out windows that hold floats and histograms, with a warning.

    Args:
        floats: What the floats alone give.
        mixed: The windows.
        context: The surroundings.

    Returns:
        What the other windows' floats give, and bool[n, s]: which windows hold histograms only.
    """
    both = mixed.has_float & mixed.has_histogram
    say(context.notes.warn, MIXED, both.any(axis=1), mixed, context)
    return replace(floats, present=floats.present & ~both), mixed.has_histogram & ~both


def with_changes(floats: Vector, made: Made, said: Ints, mixed: Mixed, context: Context) -> Vector:
    """The vector with changes of histograms, and what is to be said of them."""
    for number, text in (
        (kernels.NOT_COUNTER, "this native histogram metric is not a counter:"),
        (kernels.NOT_GAUGE, "this native histogram metric is not a gauge:"),
        (kernels.MIXED_SCHEMAS, MIXED_SCHEMAS),
    ):
        say(context.notes.warn, text, made.rows[said & number > 0], mixed, context)
    for number, operation in ((kernels.SUBTRACTED_MISMATCH, "subtraction"), (kernels.ADDED_MISMATCH, "addition")):
        if (said & number).any():
            context.notes.inform(f"{MISMATCH} {operation}", mixed.start)
    return with_histograms(floats, made, said & (kernels.MIXED_SCHEMAS | kernels.EMPTY) == 0)
