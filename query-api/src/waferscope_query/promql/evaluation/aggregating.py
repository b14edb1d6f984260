"""Aggregations over series."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from waferscope_query.promql.errors import ExecutionError
from waferscope_query.promql.evaluation.context import Context
from waferscope_query.promql.evaluation.functions.arguments import check_quantile
from waferscope_query.promql.evaluation.grouping import Rows, group_rows, ordered_groups
from waferscope_query.promql.evaluation.histogram_aggregating import SUMMED, add_histograms, without_ignored
from waferscope_query.promql.evaluation.kernels import groups as kernels
from waferscope_query.promql.evaluation.limiting import limit_number, limit_ratio
from waferscope_query.promql.evaluation.values import Vector
from waferscope_query.promql.histogram_text import plain_texts
from waferscope_query.promql.labels import METADATA_LABELS, Codes, LabelFrame
from waferscope_query.promql.parsing.literals import is_utf8, quote
from waferscope_query.promql.parsing.tree import Aggregate, unwrap
from waferscope_query.promql.text import float_text

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
_LARGEST_K = 2**63


def aggregate(node: Aggregate, context: Context) -> Vector:
    """Evaluate an aggregation."""
    vector = context.vector(node.expr)
    if node.op == "count_values":
        return _count_values(node, vector, context)
    if vector.histograms is not None and node.op not in SUMMED:
        vector = without_ignored(node, vector, context)
    labels = _group_labels(node, vector.labels)
    ids, firsts = group_rows(labels)
    if node.op in ("topk", "bottomk"):
        return _strongest(node, vector, ids, len(firsts), context)
    if node.op == "limitk":
        return limit_number(vector, ids, len(firsts), _wanted(node, context), context)
    if node.op == "limit_ratio":
        return limit_ratio(node, vector, context)
    context.control.check()
    if node.op == "quantile":
        values, present = _quantiles(node, vector, ids, len(firsts), context)
    else:
        values, present = _REDUCTIONS[node.op](vector.floats(), ids, context.cells(len(firsts)), context)
    result = Vector(labels.take(firsts), values, present, _drop_name(vector, ids, len(firsts)))
    return add_histograms(node, vector, ids, result, context)


def _group_labels(node: Aggregate, labels: LabelFrame) -> LabelFrame:
    return labels.drop((*METADATA_LABELS, *node.grouping)) if node.without else labels.project(node.grouping)


def _drop_name(vector: Vector, ids: Rows, count: int) -> Bools:
    """A group's name goes when any of its series' names does."""
    return np.bincount(ids, vector.drop_name, minlength=count) > 0


Cells = tuple[Floats, Bools]
Reduction = Callable[[Vector, Rows, Cells, Context], Cells]


def _sum(vector: Vector, ids: Rows, cells: Cells, context: Context) -> Cells:
    values, seen = cells
    context.over_steps(
        len(vector), kernels.sums, vector.values, vector.present, ids, values, np.zeros_like(values), seen
    )
    return values, seen


def _avg(vector: Vector, ids: Rows, cells: Cells, context: Context) -> Cells:
    values, incremental = cells
    count = np.zeros_like(values)
    context.over_steps(
        len(vector), kernels.means,
        vector.values, vector.present, ids, values, np.zeros_like(values), count, incremental,
    )  # fmt: skip
    return values, count > 0


def _max(vector: Vector, ids: Rows, cells: Cells, context: Context) -> Cells:
    context.over_steps(len(vector), kernels.extremes, vector.values, vector.present, ids, 1.0, *cells)
    return cells


def _min(vector: Vector, ids: Rows, cells: Cells, context: Context) -> Cells:
    context.over_steps(len(vector), kernels.extremes, vector.values, vector.present, ids, -1.0, *cells)
    return cells


def _count(vector: Vector, ids: Rows, cells: Cells, context: Context) -> Cells:
    context.over_steps(len(vector), kernels.counts, vector.present, ids, cells[0])
    return cells[0], cells[0] > 0


def _group(vector: Vector, ids: Rows, cells: Cells, context: Context) -> Cells:
    count, present = _count(vector, ids, cells, context)
    return np.ones_like(count), present


def _stdvar(vector: Vector, ids: Rows, cells: Cells, context: Context) -> Cells:
    values, count = cells[0], np.zeros_like(cells[0])
    context.over_steps(
        len(vector), kernels.variances, vector.values, vector.present, ids, values, np.zeros_like(values), count
    )
    return values, count > 0


def _stddev(vector: Vector, ids: Rows, cells: Cells, context: Context) -> Cells:
    values, present = _stdvar(vector, ids, cells, context)
    return np.sqrt(values), present


_REDUCTIONS: dict[str, Reduction] = {
    "sum": _sum,
    "avg": _avg,
    "max": _max,
    "min": _min,
    "count": _count,
    "group": _group,
    "stdvar": _stdvar,
    "stddev": _stddev,
}


def _quantiles(node: Aggregate, vector: Vector, ids: Rows, count: int, context: Context) -> Cells:
    assert node.param is not None
    q = context.scalar(node.param)
    numbers = q[~np.isnan(q)]
    if len(numbers) < len(q):
        numbers = numbers[np.isinf(numbers)]  # beside NaN, Prometheus sees infinities alone
    lowest, highest = numbers.min(initial=0), numbers.max(initial=1)
    extremes = np.array([lowest, highest])[[bool(lowest < 0), bool(highest > 1)]]
    check_quantile(np.concatenate([extremes, q[np.isnan(q)]]), unwrap(node.param), context)
    values, seen = context.cells(count)
    context.over_steps(
        len(vector), kernels.quantiles, vector.values, vector.present, *ordered_groups(ids, count), q, values, seen
    )
    return values, seen


def _strongest(node: Aggregate, vector: Vector, ids: Rows, count: int, context: Context) -> Vector:
    wanted = _wanted(node, context)
    sign = 1.0 if node.op == "topk" else -1.0
    kept = np.zeros_like(vector.present)
    order, bounds = ordered_groups(ids, count)
    context.over_steps(len(vector), kernels.strongest, vector.values, vector.present, order, bounds, wanted, sign, kept)
    chosen = replace(vector, present=kept)
    if len(context.times) != 1:
        return chosen
    keys = np.where(np.isnan(vector.values[:, 0]), math.inf, -sign * vector.values[:, 0])
    return chosen.take(np.lexsort((keys, ids)))


def _wanted(node: Aggregate, context: Context) -> NDArray[np.int64]:
    """The number of series topk, bottomk or limitk may keep, int64[s].

    Raises:
        ExecutionError: It is none or too large.
    """
    assert node.param is not None
    values = context.scalar(node.param)
    if (values < 1).all():  # not so where one is NaN
        return np.zeros(len(values), np.int64)
    if np.isnan(values).any():
        raise ExecutionError("Parameter value is NaN")
    if (values <= -_LARGEST_K).any():
        raise ExecutionError(f"Scalar value {float_text(float(values.min()))} underflows int64")
    if (values >= _LARGEST_K).any():
        raise ExecutionError(f"Scalar value {float_text(float(values.max()))} overflows int64")
    return values.astype(np.int64)


def _count_values(node: Aggregate, vector: Vector, context: Context) -> Vector:
    assert node.param is not None
    name = context.string(node.param)
    if not name or not is_utf8(name):
        raise ExecutionError(f"invalid label name {quote(name)}")
    rows, steps = np.nonzero(vector.present)
    codes = _value_codes(vector, rows, steps, context)
    labels = _group_labels(node, vector.labels).take(rows).assign(name, codes)
    ids, firsts = group_rows(labels)
    values, _ = context.cells(len(firsts))
    np.add.at(values, (ids, steps), 1.0)
    return Vector(labels.take(firsts), values, values > 0, np.zeros(len(firsts), np.bool_))


def _value_codes(vector: Vector, rows: Rows, steps: Rows, context: Context) -> Codes:
    """int32[k]: the values at some cells as texts."""
    bits, ids = np.unique(vector.values[rows, steps].view(np.int64), return_inverse=True)  # tells -0 from 0
    texts = [float_text(value) for value in bits.view(np.float64).tolist()]
    codes = np.array([context.pool.code(text) for text in texts], np.int32)[ids]
    if vector.histograms is not None:
        at = vector.histograms.at[rows, steps]
        texts = plain_texts(vector.histograms.table, at[at >= 0])
        codes[at >= 0] = [context.pool.code(text) for text in texts]
    return codes
