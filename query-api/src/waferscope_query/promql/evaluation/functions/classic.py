"""Classic histograms: one series per bucket, told apart by `le`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from waferscope_query.promql.evaluation.context import Context
from waferscope_query.promql.evaluation.grouping import group_rows, ordered_groups
from waferscope_query.promql.evaluation.kernels import buckets
from waferscope_query.promql.evaluation.values import Vector
from waferscope_query.promql.labels import METRIC_NAME, LabelFrame
from waferscope_query.promql.parsing.literals import quote
from waferscope_query.promql.parsing.tree import Expr
from waferscope_query.promql.text import general_text

_BOUND = "le"
_WRAP = 2**64


@dataclass(frozen=True, slots=True, eq=False)
class ClassicHistograms:
    """Buckets by histogram.

    Attributes:
        labels: The label sets of g histograms.
        vector: The buckets, n series.
        order: int64[n]: the series, histogram by histogram, each by ascending bound.
        bounds: int64[g + 1]: where each histogram's begin in `order`.
        upper: float64[n]: each series' upper bound.
    """

    labels: LabelFrame
    vector: Vector
    order: NDArray[np.int64]
    bounds: NDArray[np.int64]
    upper: NDArray[np.float64]

    def seen(self) -> NDArray[np.bool_]:
        """bool[g, s]: where any bucket of a histogram is present."""
        seen = np.zeros((len(self.labels), self.vector.present.shape[1]), np.bool_)
        owner = np.repeat(np.arange(len(self.labels)), np.diff(self.bounds))
        np.logical_or.at(seen, owner, self.vector.present[self.order])
        return seen


def classic_histograms(vector: Vector, node: Expr, context: Context) -> ClassicHistograms:
    """Group buckets; `node` is where they come from, for warnings."""
    upper = _upper_bounds(vector, node, context)
    bounded = ~np.isnan(upper)
    vector, upper = vector.take(bounded), upper[bounded]
    labels = vector.labels.drop([_BOUND])
    ids, firsts = group_rows(labels)
    order = np.lexsort((upper, ids)).astype(np.int64)
    _, bounds = ordered_groups(ids, len(firsts))
    return ClassicHistograms(labels.take(firsts), vector, order, bounds, upper)


def quantiles(classic: ClassicHistograms, q: NDArray[np.float64], node: Expr, context: Context) -> Vector:
    """The quantile of every histogram at every step; q float64[s]."""
    values, present = context.cells(len(classic.labels))
    lifted, extremes = np.zeros_like(present), np.zeros((len(values), 3))
    context.control.check()
    buckets.histogram_quantiles(
        classic.vector.values, classic.vector.present, classic.order, classic.bounds, classic.upper, q,
        values, present, lifted, extremes,
    )  # fmt: skip
    _inform_of_lifting(classic.labels, lifted, extremes, node, context)
    return Vector(classic.labels, values, present, np.ones(len(values), np.bool_))


def fractions(
    classic: ClassicHistograms, low: NDArray[np.float64], high: NDArray[np.float64], context: Context
) -> Vector:
    """The fraction of observations between two values; low and high float64[s]."""
    values, present = context.cells(len(classic.labels))
    context.control.check()
    buckets.histogram_fractions(
        classic.vector.values, classic.vector.present, classic.order, classic.bounds, classic.upper, low, high,
        values, present,
    )  # fmt: skip
    return Vector(classic.labels, values, present, np.ones(len(values), np.bool_))


def _upper_bounds(vector: Vector, node: Expr, context: Context) -> NDArray[np.float64]:
    """float64[n]: each series' bucket; NaN, and a warning, where `le` is no number."""
    distinct, inverse = np.unique(vector.labels.column(_BOUND), return_inverse=True)
    bounds = np.array([_number(context.pool.text(code)) for code in distinct.tolist()], np.float64)
    upper = bounds[inverse]
    for row in np.flatnonzero(np.isnan(upper) & vector.present.any(axis=1)).tolist():
        label, name = (context.pool.text(int(vector.labels.column(key)[row])) for key in (_BOUND, METRIC_NAME))
        text = f'bucket label "le" is missing or has a malformed value of {quote(label)}'
        context.notes.warn(text + for_metric(name), node.start)
    return upper


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _inform_of_lifting(
    labels: LabelFrame, lifted: NDArray[np.bool_], extremes: NDArray[np.float64], node: Expr, context: Context
) -> None:
    """Say, per metric, which counts had to be lifted to make histograms of them."""
    names, concerned = labels.column(METRIC_NAME), lifted.any(axis=1)
    for code in np.unique(names[concerned]).tolist():
        rows = concerned & (names == code)
        histograms = lifted[rows].sum(axis=0)
        lowest, highest, fall = extremes[rows, 0].min(), extremes[rows, 1].max(), extremes[rows, 2].max()
        first, last = context.times[np.flatnonzero(histograms)[[0, -1]]].tolist()
        context.notes.inform(
            "input to histogram_quantile needed to be fixed for monotonicity "
            "(see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)"
            f"{for_metric(context.pool.text(code))}, from buckets {general_text(float(lowest))} to "
            f"{general_text(float(highest))}, with a max diff of {fall:.2g}, over {_told_number(histograms.tolist())} "
            f"samples from {_moment(first)} to {_moment(last)}",
            node.start,
        )


def _told_number(histograms: list[int]) -> int:
    """How many samples Prometheus says were lifted, of the numbers at each step.

    It adds what it has told so far to itself at every step after the first, in 64 bits.
    """
    told = 0
    for number in histograms:
        told = 2 * (told + number) if told else number
    return (told + _WRAP // 2) % _WRAP - _WRAP // 2


def for_metric(name: str) -> str:
    """The end of a message that names the metric, if any."""
    return f" for metric name {quote(name)}" if name else ""


def _moment(time_ms: int) -> str:
    return f"{datetime.fromtimestamp(time_ms // 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
