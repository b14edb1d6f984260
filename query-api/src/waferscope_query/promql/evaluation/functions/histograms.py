"""histogram_quantile over classic histograms: one series per bucket, told apart by `le`."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from waferscope_query.promql.evaluation.context import Context
from waferscope_query.promql.evaluation.functions.arguments import Function, check_quantile
from waferscope_query.promql.evaluation.grouping import group_rows
from waferscope_query.promql.evaluation.kernels import buckets
from waferscope_query.promql.evaluation.values import Vector
from waferscope_query.promql.labels import METRIC_NAME, LabelFrame
from waferscope_query.promql.parsing.literals import quote
from waferscope_query.promql.parsing.tree import Call, Expr
from waferscope_query.promql.text import general_text

_BOUND = "le"


def _histogram_quantile(node: Call, context: Context) -> Vector:
    q = context.scalar(node.args[0])
    check_quantile(q, node.args[0], context)
    vector = context.vector(node.args[1])
    upper = _upper_bounds(vector, node.args[1], context)
    bounded = ~np.isnan(upper)
    vector, upper = vector.take(bounded), upper[bounded]
    labels = vector.labels.drop([_BOUND])
    ids, firsts = group_rows(labels)
    order = np.lexsort((upper, ids)).astype(np.int64)
    bounds = np.concatenate([[0], np.cumsum(np.bincount(ids, minlength=len(firsts)))]).astype(np.int64)
    values, present = context.cells(len(firsts))
    forced = np.zeros((len(firsts), 6))
    context.control.check()
    buckets.histogram_quantiles(vector.values, vector.present, order, bounds, upper, q, values, present, forced)
    _inform_of_forcing(labels.take(firsts), forced, node.args[1], context)
    return Vector(labels.take(firsts), values, present, np.ones(len(firsts), np.bool_))


def _upper_bounds(vector: Vector, node: Expr, context: Context) -> NDArray[np.float64]:
    """float64[n]: each series' bucket; NaN, and a warning, where `le` is no number."""
    distinct, inverse = np.unique(vector.labels.column(_BOUND), return_inverse=True)
    bounds = np.array([_number(context.pool.text(code)) for code in distinct.tolist()], np.float64)
    upper = bounds[inverse]
    for row in np.flatnonzero(np.isnan(upper) & vector.present.any(axis=1)).tolist():
        label, name = (context.pool.text(int(vector.labels.column(key)[row])) for key in (_BOUND, METRIC_NAME))
        text = f'bucket label "le" is missing or has a malformed value of {quote(label)}'
        context.notes.warn(text + _for_metric(name), node.start)
    return upper


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _inform_of_forcing(labels: LabelFrame, forced: NDArray[np.float64], node: Expr, context: Context) -> None:
    """Say, per metric, which counts had to be lifted to make histograms of them."""
    names = labels.column(METRIC_NAME)
    for code in np.unique(names[forced[:, 0] > 0]).tolist():
        rows = forced[(names == code) & (forced[:, 0] > 0)]
        lowest, fall = float(rows[:, 1].min()), float(rows[:, 3].max())
        highest, steps = float(rows[:, 2].max()), int(rows[:, 0].sum())
        first, last = (int(context.times[int(step)]) for step in (rows[:, 4].min(), rows[:, 5].max()))
        context.notes.inform(
            "input to histogram_quantile needed to be fixed for monotonicity "
            "(see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)"
            f"{_for_metric(context.pool.text(code))}, from buckets {general_text(lowest)} to "
            f"{general_text(highest)}, with a max diff of {fall:.2g}, over {steps} samples "
            f"from {_moment(first)} to {_moment(last)}",
            node.start,
        )


def _for_metric(name: str) -> str:
    return f" for metric name {quote(name)}" if name else ""


def _moment(time_ms: int) -> str:
    return f"{datetime.fromtimestamp(time_ms // 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


FUNCTIONS: dict[str, Function] = {"histogram_quantile": _histogram_quantile}
