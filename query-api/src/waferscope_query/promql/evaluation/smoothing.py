"""A selector by itself, `smoothed`: the value of every series between the samples around each step."""

from __future__ import annotations

import numpy as np

from waferscope_query.promql.evaluation.context import Context
from waferscope_query.promql.evaluation.kernels import extended
from waferscope_query.promql.evaluation.kernels.native import extending
from waferscope_query.promql.evaluation.mixed import Made, refuse_mixtures, split, window_bounds, with_changes
from waferscope_query.promql.evaluation.selecting import floats_of, looked_up_times, vector_of, without_stale
from waferscope_query.promql.evaluation.values import Vector, Windows
from waferscope_query.promql.parsing.tree import VectorSelector


def smoothed_vector(node: VectorSelector, context: Context) -> Vector:
    """Evaluate a smoothed selector."""
    samples = without_stale(context.samples[node.start])
    windows = Windows(samples, looked_up_times(node, context), 0, np.zeros(len(samples.labels), np.bool_))
    floats = _floats(windows, context)
    return floats if samples.histograms is None else _with_histograms(floats, windows, node, context)


def _floats(windows: Windows, context: Context) -> Vector:
    samples = floats_of(windows.samples)
    values, present = context.cells(len(samples.labels))
    context.over_blocks(
        len(values), extended.smoothed_values,
        samples.offsets, samples.ts, samples.values, windows.ends, context.limits.lookback_ms, values, present,
    )  # fmt: skip
    return vector_of(samples, values, present)


def _with_histograms(floats: Vector, windows: Windows, node: VectorSelector, context: Context) -> Vector:
    """Add histograms; where floats are near as well, there is nothing."""
    times, reach = windows.ends, context.limits.lookback_ms
    mixed = split(node.start, windows, (times + reach, 2 * reach))
    floats, wanted = refuse_mixtures(floats, mixed, context)
    before = window_bounds(mixed.histograms.samples, (times, reach))
    wanted &= before.counts > 0
    rows, steps = np.nonzero(wanted)
    said = np.zeros(len(rows), np.int64)
    table = extending.smoothed_values(
        mixed.cells.table, mixed.cells.at.astype(np.int64), mixed.histograms.samples.ts, before.highs[wanted] - 1,
        mixed.bounds.highs[wanted], times[steps], said,
    )  # fmt: skip
    return with_changes(floats, Made(table, rows, steps), said, mixed, context)
