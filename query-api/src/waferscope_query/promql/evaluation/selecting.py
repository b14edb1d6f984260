"""Selectors and subqueries."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from waferscope_query.promql.errors import TooManySamplesError
from waferscope_query.promql.evaluation.context import Context
from waferscope_query.promql.evaluation.kernels import instant
from waferscope_query.promql.evaluation.kernels.native import windows as native
from waferscope_query.promql.evaluation.reset_hints import without_reset_hints
from waferscope_query.promql.evaluation.values import Vector, Windows
from waferscope_query.promql.grid import Grid, fixed_time, subquery_grid
from waferscope_query.promql.histograms import HistogramCells
from waferscope_query.promql.parsing.tree import MatrixSelector, Selecting, Subquery, VectorSelector
from waferscope_query.promql.source import STALE_BITS, Samples


def looked_up_times(node: Selecting, context: Context) -> NDArray[np.int64]:
    """int64[s], ms: where a selector looks at each step, `@` and `offset` applied."""
    fixed = fixed_time(node, context.query)
    times = context.times if fixed is None else np.full(len(context.times), fixed, np.int64)
    return times - node.offset_ms


def instant_vector(node: VectorSelector, context: Context) -> Vector:
    """The newest sample of every series within the lookback."""
    return newest_samples(context.samples[node.start], looked_up_times(node, context), context)


def newest_samples(samples: Samples, times: NDArray[np.int64], context: Context) -> Vector:
    """The newest sample of every series within the lookback; times int64[s] in ms, one for each step."""
    values, present = context.cells(len(samples.labels))
    lookback, stale = context.limits.lookback_ms, stale_markers(samples)
    context.over_blocks(
        len(values), instant.newest,
        samples.offsets, samples.ts, samples.values, stale, times, lookback, values, present,
    )  # fmt: skip
    return replace(vector_of(samples, values, present), histograms=newest_histograms(samples, times, lookback, stale))


def newest_histograms(
    samples: Samples, times: NDArray[np.int64], lookback: int, stale: NDArray[np.bool_]
) -> HistogramCells | None:
    """Where the newest samples within the lookback are histograms, and which."""
    if samples.histograms is None or not len(samples.ts):
        return None
    found = np.empty((len(samples.labels), len(times)), np.int64)
    native.newest(samples.offsets, samples.ts, stale, times, lookback, found)
    return replace(samples.histograms, at=np.where(found >= 0, samples.histograms.at[found], -1).astype(np.int32))


def sample_times(node: VectorSelector, context: Context) -> Vector:
    """The newest samples' timestamps in seconds, for `timestamp(selector)`."""
    samples = context.samples[node.start]
    taken, present = times_of_newest(samples, looked_up_times(node, context), context)
    return vector_of(samples, taken / 1000, present)


def sample_starts(node: VectorSelector, context: Context) -> Vector:
    """The newest samples' starts in seconds, 0 where nobody knows, for `start_timestamp(selector)`."""
    samples = context.samples[node.start]
    values, present = context.cells(len(samples.labels))
    times, lookback, stale = looked_up_times(node, context), context.limits.lookback_ms, stale_markers(samples)
    context.over_blocks(
        len(values), instant.newest,
        samples.offsets, samples.ts, known_starts(samples), stale, times, lookback, values, present,
    )  # fmt: skip
    return vector_of(samples, values / 1000, present)


def known_starts(samples: Samples) -> NDArray[np.int64]:
    """int64[m]: the start of each sample, 0 where nobody knows."""
    return np.zeros(len(samples.ts), np.int64) if samples.starts is None else samples.starts


def times_of_newest(
    samples: Samples, times: NDArray[np.int64], context: Context
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """When the newest samples within the lookback were taken, float64[n, s] in ms, and where there is one."""
    taken, present = context.cells(len(samples.labels))
    lookback, stale = context.limits.lookback_ms, stale_markers(samples)
    context.over_blocks(
        len(taken), instant.newest, samples.offsets, samples.ts, samples.ts, stale, times, lookback, taken, present
    )
    return taken, present


def vector_of(samples: Samples, values: NDArray[np.float64], present: NDArray[np.bool_]) -> Vector:
    """The vector with a value for each series at each step, names kept."""
    return Vector(samples.labels, values, present, np.zeros(len(values), np.bool_))


def range_vector(node: MatrixSelector, context: Context) -> Windows:
    """The windows of every series."""
    samples = without_stale(context.samples[node.start])
    names_kept = np.zeros(len(samples.labels), np.bool_)
    return Windows(samples, looked_up_times(node, context), node.range_ms, names_kept, node.selector.extension)


def subquery_steps(node: Subquery, context: Context) -> Grid:
    """The steps of a subquery."""
    ends = looked_up_times(node, context)
    return subquery_grid(node, int(ends[0]), int(ends[-1]), context.limits)


def subquery(node: Subquery, context: Context) -> Windows:
    """The inner expression, evaluated at its own steps, as samples."""
    ends, inner_grid = looked_up_times(node, context), subquery_steps(node, context)
    if inner_grid.count > context.limits.max_samples:
        raise TooManySamplesError
    inner = context.over(inner_grid)
    vector = context.visit(node.expr, inner)
    assert isinstance(vector, Vector)
    return Windows(_as_samples(vector, inner.times), ends, node.range_ms, vector.drop_name)


def _as_samples(vector: Vector, times: NDArray[np.int64]) -> Samples:
    counts = vector.present.sum(axis=1)
    return Samples(
        labels=vector.labels,
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        ts=np.broadcast_to(times, vector.present.shape)[vector.present],
        values=vector.values[vector.present],
        histograms=None if vector.histograms is None else without_reset_hints(vector.histograms.take(vector.present)),
    )


def stale_markers(samples: Samples) -> NDArray[np.bool_]:
    """bool[m]: which samples say that their series has ended."""
    stale: NDArray[np.bool_] = samples.values.view(np.uint64) == STALE_BITS
    return stale


def without_stale(samples: Samples) -> Samples:
    """The samples without the markers that a series has ended."""
    stale = stale_markers(samples)
    if not stale.any():
        return samples
    return samples_where(samples, ~stale)


def floats_of(samples: Samples) -> Samples:
    """The floats of all series."""
    if samples.histograms is None:
        return samples
    return replace(samples_where(samples, samples.histograms.at < 0), histograms=None)


def samples_where(samples: Samples, wanted: NDArray[np.bool_]) -> Samples:
    """Some samples of all series."""
    kept = np.concatenate([[0], np.cumsum(wanted)]).astype(np.int64)
    return Samples(
        labels=samples.labels,
        offsets=kept[samples.offsets],
        ts=samples.ts[wanted],
        values=samples.values[wanted],
        histograms=None if samples.histograms is None else samples.histograms.take(wanted),
        starts=None if samples.starts is None else samples.starts[wanted],
    )
