"""histogram_quantile, histogram_quantiles and histogram_fraction, over classic and native histograms alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from waferscope_query.promql.evaluation.context import Context
from waferscope_query.promql.evaluation.functions.arguments import Function, check_quantile
from waferscope_query.promql.evaluation.functions.classic import (
    ClassicHistograms,
    classic_histograms,
    for_metric,
    fractions,
    quantiles,
)
from waferscope_query.promql.evaluation.grouping import group_rows, stack
from waferscope_query.promql.evaluation.kernels.native import cells, estimating
from waferscope_query.promql.evaluation.values import Vector, stacked
from waferscope_query.promql.labels import METRIC_NAME
from waferscope_query.promql.parsing.tree import Call, Expr
from waferscope_query.promql.text import open_metrics_text

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class _Input:
    """The histograms of a vector, and where it stands in the expression."""

    classic: ClassicHistograms
    native: Vector
    node: Expr


def _input(vector: Vector, node: Expr, context: Context) -> _Input:
    """Tell classic and native histograms apart; where one is told both ways, neither counts."""
    classic = classic_histograms(vector.floats(), node, context)
    native = replace(vector, present=vector.holds_histogram)
    if vector.histograms is None:
        return _Input(classic, native, node)
    ids, firsts = group_rows(stack(classic.labels, native.labels))
    seen = [np.zeros((len(firsts), native.present.shape[1]), np.bool_) for _ in range(2)]
    np.logical_or.at(seen[0], ids[: len(classic.labels)], classic.seen())
    np.logical_or.at(seen[1], ids[len(classic.labels) :], native.present)
    both = seen[0] & seen[1]
    if both.any():
        for row in np.flatnonzero((both[ids[len(classic.labels) :]] & native.present).any(axis=1)).tolist():
            name = context.pool.text(int(native.labels.column(METRIC_NAME)[row]))
            text = "vector contains a mix of classic and native histograms" + for_metric(name)
            context.notes.warn(text, node.start)
        buckets = replace(classic.vector, present=classic.vector.present & ~both[_owners(classic, ids)])
        classic = replace(classic, vector=buckets)
        native = replace(native, present=native.present & ~both[ids[len(classic.labels) :]])
    return _Input(classic, native, node)


def _owners(classic: ClassicHistograms, ids: Ints) -> Ints:
    """int64[n]: of each bucket's series, the number of its histogram among all label sets."""
    owners = np.empty(len(classic.vector), np.int64)
    owners[classic.order] = np.repeat(ids[: len(classic.labels)], np.diff(classic.bounds))
    return owners


def _estimates(
    native: Vector,
    kernel: Callable[..., None],
    *parameters: Floats,
    notes: dict[int, str],
    node: Expr,
    context: Context,
) -> Vector:
    """Call a kernel for every native histogram; parameters are float64[s], notes are by what the kernel says."""
    values, _ = context.cells(len(native))
    if native.histograms is None:
        return replace(native, values=values).nameless()
    context.control.check()
    rows, steps = np.nonzero(native.present)
    found = native.histograms.at[rows, steps].astype(np.int64)
    out, said = np.empty(len(found)), np.zeros(len(found), np.int64)
    kernel(native.histograms.table, found, *(parameter[steps] for parameter in parameters), out, said)
    values[rows, steps] = out
    for number, text in notes.items():
        for code in np.unique(native.labels.column(METRIC_NAME)[rows[said == number]]).tolist():
            context.notes.inform(text + for_metric(context.pool.text(code)), node.start)
    return replace(native, values=values, histograms=None).nameless()


_QUANTILE_NOTES = {
    estimating.RESULT_IS_NAN: "input to histogram_quantile has NaN observations, result is NaN",
    estimating.SKEWED: "input to histogram_quantile has NaN observations, result is skewed higher",
}
_FRACTION_NOTES = {
    estimating.SKEWED: "input to histogram_fraction has NaN observations, which are excluded from all fractions"
}


def _quantiles(given: _Input, q: Floats, context: Context) -> Vector:
    classic = quantiles(given.classic, q, given.node, context)
    native = _estimates(given.native, cells.quantiles, q, notes=_QUANTILE_NOTES, node=given.node, context=context)
    return stacked(classic, native)


def _histogram_quantile(node: Call, context: Context) -> Vector:
    q = context.scalar(node.args[0])
    check_quantile(q, node.args[0], context)
    given = _input(context.vector(node.args[1]), node.args[1], context)
    return _quantiles(given, q, context).merged()


def _histogram_quantiles(node: Call, context: Context) -> Vector:
    """One series per histogram and quantile, which stands in a label."""
    label = context.string(node.args[1])
    scalars = [context.scalar(arg) for arg in node.args[2:]]
    for q, arg in zip(scalars, node.args[2:], strict=True):
        check_quantile(q, arg, context)
    given = _input(context.vector(node.args[0]), node.args[0], context)
    result = Vector.empty(len(context.times), context.pool)
    for q in scalars:
        answer = _quantiles(given, q, context)
        for value in np.unique(q).tolist():
            at = (q == value) | (np.isnan(q) & np.isnan(value))
            code = context.pool.code(open_metrics_text(value))
            labels = answer.labels.assign(label, np.full(len(answer), code, np.int32))
            result = stacked(result, replace(answer, labels=labels, present=answer.present & at))
    return result.merged()


def _histogram_fraction(node: Call, context: Context) -> Vector:
    low, high = context.scalar(node.args[0]), context.scalar(node.args[1])
    given = _input(context.vector(node.args[2]), node.args[2], context)
    native = _estimates(
        given.native, cells.fractions, low, high, notes=_FRACTION_NOTES, node=given.node, context=context
    )
    return stacked(fractions(given.classic, low, high, context), native).merged()


FUNCTIONS: dict[str, Function] = {
    "histogram_quantile": _histogram_quantile,
    "histogram_quantiles": _histogram_quantiles,
    "histogram_fraction": _histogram_fraction,
}
