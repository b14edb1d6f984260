"""Aggregations where histograms take part: sum and avg add them up, others ignore them and say so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from waferscope_query.promql.evaluation.context import Context
from waferscope_query.promql.evaluation.grouping import Rows
from waferscope_query.promql.evaluation.kernels.native import adding, cells
from waferscope_query.promql.evaluation.values import Vector
from waferscope_query.promql.histograms import CUSTOM_BUCKETS, SCHEMA, HistogramCells
from waferscope_query.promql.labels import METRIC_NAME
from waferscope_query.promql.parsing.literals import quote
from waferscope_query.promql.parsing.tree import Aggregate

SUMMED = frozenset({"sum", "avg"})
_CHOOSING = frozenset({"limitk", "limit_ratio"})
_BLIND = frozenset({"count", "group"})
_OF_ALL_SERIES = frozenset({"topk", "bottomk"})


def without_ignored(node: Aggregate, vector: Vector, context: Context) -> Vector:
    """The vector as an aggregation sees it that can't add histograms."""
    if node.op in _CHOOSING:
        return vector
    if node.op in _BLIND:
        return replace(vector, histograms=None)
    if vector.holds_histogram.any():
        place = node if node.op in _OF_ALL_SERIES else node.expr
        context.notes.inform(f"ignored histogram in {node.op} aggregation", place.start)
    return vector.floats()


def add_histograms(node: Aggregate, vector: Vector, ids: Rows, sums: Vector, context: Context) -> Vector:
    """Add to the sums, or means, of floats those of histograms; groups that hold both are lost.

    Args:
        node: The aggregation.
        vector: The series, histograms included.
        ids: The group of each series.
        sums: What the floats alone give, one series per group.
        context: The surroundings.
    """
    if vector.histograms is None:
        return sums
    found = vector.holds_histogram
    rows, steps = np.nonzero(found)
    keys = ids[rows] * found.shape[1] + steps
    order = np.argsort(keys, kind="stable")
    rows, keys = rows[order], keys[order]
    starts = np.flatnonzero(np.diff(keys, prepend=-1))
    ends = np.append(starts[1:], len(keys)).astype(np.int64)
    at = vector.histograms.at[rows, steps[order]].astype(np.int64)
    said = np.zeros(len(starts), np.int64)
    context.control.check()
    table = cells.totals(vector.histograms.table, at, starts, ends, node.op == "avg", said)
    groups, at_steps = np.divmod(keys[starts], found.shape[1])
    mixed = sums.present[groups, at_steps]
    _note(node, said, mixed, context)
    for group in np.flatnonzero(said & adding.INCOMPATIBLE).tolist():
        chosen = slice(starts[group], ends[group])
        _warn_of_schemas(node, vector, rows[chosen], at[chosen], context)
    present = sums.present.copy()
    possible = ~mixed & (said & adding.INCOMPATIBLE == 0)
    present[groups, at_steps] = possible
    made = np.full(present.shape, -1, np.int32)
    made[groups[possible], at_steps[possible]] = np.flatnonzero(possible)
    return replace(sums, present=present, histograms=HistogramCells(table, made))


def _note(node: Aggregate, said: NDArray[np.int64], mixed: NDArray[np.bool_], context: Context) -> None:
    if mixed.any():
        context.notes.warn("encountered a mix of histograms and floats for aggregation", node.expr.start)
    possible = said[~mixed & (said & adding.INCOMPATIBLE == 0)]
    if (possible & adding.COLLISION).any():
        context.notes.warn("conflicting counter resets during histogram aggregation", node.expr.start)
    if (said & adding.RECONCILED).any():
        text = "mismatched custom buckets were reconciled during aggregation"
        context.notes.inform(text, node.expr.start)


def _warn_of_schemas(node: Aggregate, vector: Vector, rows: Rows, at: Rows, context: Context) -> None:
    """Name the first series whose schema doesn't go with the group's."""
    assert vector.histograms is not None
    custom = vector.histograms.table.shape[at, SCHEMA] == CUSTOM_BUCKETS
    row = rows[np.argmax(custom != custom[0])]
    name = context.pool.text(int(vector.labels.column(METRIC_NAME)[row]))
    text = "vector contains a mix of histograms with exponential and custom buckets schemas for metric name"
    context.notes.warn(f"{text} {quote(name)}", node.expr.start)
