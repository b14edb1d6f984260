"""Selectors and functions of ranges where samples are gone: rollups before the border, samples after it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from waferscope_query.promql.evaluation.context import Context
from waferscope_query.promql.evaluation.functions.ranges import OVER_FLOATS, inform_of_gauges, of_windows
from waferscope_query.promql.evaluation.functions.windowed import over_windows
from waferscope_query.promql.evaluation.grouping import group_rows, stack
from waferscope_query.promql.evaluation.kernels import rollups as kernels
from waferscope_query.promql.evaluation.kernels.native import cells
from waferscope_query.promql.evaluation.past import Past
from waferscope_query.promql.evaluation.selecting import looked_up_times, newest_samples, times_of_newest
from waferscope_query.promql.evaluation.values import Value, Vector, Windows, stacked
from waferscope_query.promql.grid import Grid
from waferscope_query.promql.histograms import HistogramCells, stack_tables
from waferscope_query.promql.history import Measure, RollupSelection
from waferscope_query.promql.parsing.tree import Call, Expr, MatrixSelector, VectorSelector, unwrap
from waferscope_query.promql.source import Rollups, Samples

_OVER_BUCKETS = {Measure.COUNT: "sum_over_time", Measure.MEAN: "sum_over_time"}  # of what each bucket holds


def past_of(
    selections: Sequence[RollupSelection],
    places: Mapping[int, int],
    rollups: Sequence[Rollups],
    prepared: Callable[[Samples], Samples],
) -> dict[int, Past]:
    """Put fetched rollups to their nodes, their samples prepared for the kernels."""
    ready = [
        replace(one, samples=prepared(one.samples), whole=None if one.whole is None else prepared(one.whole))
        for one in rollups
    ]
    return {start: Past(selections[place], ready[place]) for start, place in places.items()}


def over_past(node: VectorSelector | Call, context: Context, recent: Callable[..., Value]) -> Value:
    """Evaluate a selector, or a function: of steps that look beyond the border from rollups.

    Args:
        node: The selector or the call.
        context: Its surroundings.
        recent: Evaluates it where samples are.
    """
    past = context.past.get(node.start)
    if past is None:
        return recent(node, context)
    selector = _selector(node)
    times = looked_up_times(selector, context)
    old = int(np.count_nonzero(times - past.selection.reach_ms + 1 < past.selection.border_ms))
    if not old:
        return recent(node, context)
    context.notes.inform(past.selection.note, selector.start)
    grid = context.grid
    border = grid.start_ms + old * grid.step_ms
    before = _from_rollups(node, past, context.over(Grid(grid.start_ms, border - grid.step_ms, grid.step_ms)))
    if old == len(times):
        return before
    after = recent(node, context.over(Grid(border, grid.end_ms, grid.step_ms)))
    assert isinstance(after, Vector)
    return _side_by_side(before, after)


def _selector(node: VectorSelector | Call) -> VectorSelector | MatrixSelector:
    if isinstance(node, VectorSelector):
        return node
    inner = map(unwrap, node.args)
    return next(arg for arg in inner if isinstance(arg, (VectorSelector, MatrixSelector)))


def _from_rollups(node: VectorSelector | Call, past: Past, context: Context) -> Vector:
    """Evaluate at the last edge of a bucket at or before each step; a bucket ends where the next begins."""
    selection, selector = past.selection, _selector(node)
    edges = looked_up_times(selector, context) // selection.bucket_ms * selection.bucket_ms
    ends, samples = edges - 1, past.rollups.samples
    if isinstance(node, VectorSelector):
        return newest_samples(samples, ends, context)
    if isinstance(selector, VectorSelector):
        taken, present = times_of_newest(samples, ends, context)
        return Vector(samples.labels, taken / 1000, present, np.ones(len(taken), np.bool_))
    if selection.measure is Measure.INCREASE:
        return _increase(node, selector, past, ends, context)
    vector = _reduced(node, selector, _windows(samples, past, ends), past, context)
    if selection.measure is Measure.MEAN:
        counts = replace(samples, values=past.rollups.columns[0])
        vector = replace(
            vector, values=_divided(vector, _reduced(node, selector, _windows(counts, past, ends), past, context))
        )
    return vector


def _windows(samples: Samples, past: Past, ends: NDArray[np.int64]) -> Windows:
    return Windows(samples, ends, past.selection.window_ms, np.zeros(len(samples.labels), np.bool_))


def _reduced(node: Call, argument: Expr, windows: Windows, past: Past, context: Context) -> Vector:
    function = _OVER_BUCKETS.get(past.selection.measure, node.function)
    return of_windows(replace(node, function=function), argument, windows, context, OVER_FLOATS[function])


def _divided(sums: Vector, counts: Vector) -> NDArray[np.float64]:
    return np.divide(sums.values, counts.values, out=np.zeros_like(sums.values), where=sums.present)


# Increases -----------------------------------------------------------------------------------------------------------


def _increase(node: Call, argument: Expr, past: Past, ends: NDArray[np.int64], context: Context) -> Vector:
    """The functions rate and increase: extrapolated where samples are known by their first ones, whole otherwise."""
    per_second = node.function == "rate"
    counts, firsts, lasts, first_times, last_times = past.rollups.columns
    vector = over_windows(
        _windows(past.rollups.samples, past, ends), context, kernels.increases,
        counts, firsts, lasts, first_times, last_times, per_second,
    )  # fmt: skip
    if past.rollups.whole is not None:
        windows = _windows(past.rollups.whole, past, ends)
        whole = of_windows(
            replace(node, function="sum_over_time"), argument, windows, context, OVER_FLOATS["sum_over_time"]
        )
        vector = _united(_per_second(whole, past.selection.window_ms / 1000) if per_second else whole, vector)
    inform_of_gauges(vector.floats(), argument, context)
    return vector


def _per_second(vector: Vector, seconds: float) -> Vector:
    values, histograms = vector.values / seconds, vector.histograms
    if histograms is None:
        return replace(vector, values=values)
    there = vector.holds_histogram
    rows = histograms.at[there].astype(np.int64)
    at = np.full(there.shape, -1, np.int32)
    at[there] = np.arange(len(rows))
    table = cells.scaled(histograms.table, rows, np.full(len(rows), seconds), True)  # noqa: FBT003, numba takes no keywords
    return replace(vector, values=values, histograms=HistogramCells(table, at))


def _united(first: Vector, other: Vector) -> Vector:
    """Two vectors as one; where both have a value of the same series, the first one's counts."""
    ids, firsts = group_rows(stack(first.labels, other.labels))
    taken = np.zeros((len(firsts), first.present.shape[1]), np.bool_)
    taken[ids[: len(first)]] = first.present
    present = other.present & ~taken[ids[len(first) :]]
    return stacked(first, replace(other, present=present)).merged()


# Either side of the border -------------------------------------------------------------------------------------------


def _side_by_side(before: Vector, after: Vector) -> Vector:
    """The steps of one vector after those of another."""
    ids, firsts = group_rows(stack(before.labels, after.labels))
    middle = before.present.shape[1]
    shape = (len(firsts), middle + after.present.shape[1])
    values, present = np.zeros(shape), np.zeros(shape, np.bool_)
    drop_name = np.zeros(len(firsts), np.bool_)
    at = np.full(shape, -1, np.int32)
    tables = [side.histograms.table for side in (before, after) if side.histograms is not None]
    table, begins = stack_tables(tables) if tables else (None, [])
    shifts = iter(begins)
    for side, rows, steps in (
        (before, ids[: len(before)], slice(None, middle)),
        (after, ids[len(before) :], slice(middle, None)),
    ):
        values[rows, steps], present[rows, steps], drop_name[rows] = side.values, side.present, side.drop_name
        if side.histograms is not None:
            shift = next(shifts)
            at[rows, steps] = np.where(side.histograms.at >= 0, side.histograms.at + shift, -1)
    labels = stack(before.labels, after.labels).take(firsts)
    return Vector(labels, values, present, drop_name, None if table is None else HistogramCells(table, at))
