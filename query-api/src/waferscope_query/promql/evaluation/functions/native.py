"""What native histograms tell at a glance: histogram_count, _sum, _avg, _stdvar and _stddev."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from waferscope_query.promql.evaluation.context import Context
from waferscope_query.promql.evaluation.functions.arguments import Function
from waferscope_query.promql.evaluation.kernels.native import cells
from waferscope_query.promql.evaluation.values import Vector
from waferscope_query.promql.histograms import COUNT, SUM, HistogramTable
from waferscope_query.promql.parsing.tree import Call

Floats = NDArray[np.float64]


def _variance(table: HistogramTable) -> Floats:
    out = np.empty(len(table.shape))
    cells.variances(table, np.arange(len(out)), out)
    return out


_MEASURES: dict[str, Callable[[HistogramTable], Floats]] = {
    "histogram_count": lambda table: table.head[:, COUNT],
    "histogram_sum": lambda table: table.head[:, SUM],
    "histogram_avg": lambda table: table.head[:, SUM] / table.head[:, COUNT],
    "histogram_stdvar": _variance,
    "histogram_stddev": lambda table: np.sqrt(_variance(table)),
}


def _measure(node: Call, context: Context) -> Vector:
    """Measure every histogram; floats have nothing to tell."""
    vector = context.vector(node.args[0])
    values, _ = context.cells(len(vector))
    present = vector.holds_histogram
    if vector.histograms is not None:
        context.control.check()
        values[present] = _MEASURES[node.function](vector.histograms.table.take(vector.histograms.at[present]))
    return replace(vector, values=values, present=present, histograms=None).nameless()


FUNCTIONS: dict[str, Function] = dict.fromkeys(_MEASURES, _measure)
