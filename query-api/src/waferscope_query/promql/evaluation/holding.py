"""Which arrays a value consists of: they are counted as the query's memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from waferscope_query.promql.evaluation.context import Context
from waferscope_query.promql.evaluation.values import Scalar, Value, Vector, Windows
from waferscope_query.promql.histograms import HistogramCells
from waferscope_query.promql.parsing.tree import Expr
from waferscope_query.promql.source import Samples

Visit = Callable[[Expr, Context], Value]


def holding(visit: Visit) -> Visit:
    """Count what nodes evaluate to, each value beside its operands."""
    operands: list[Value] = []

    def counted(node: Expr, context: Context) -> Value:
        mark = len(operands)
        value = visit(node, context)
        context.control.usage.hold(*_arrays_of_value(value))
        operands[mark:] = [value]
        return value

    return counted


def arrays_of(samples: Samples) -> list[NDArray[Any]]:
    """The arrays of some samples."""
    return [samples.labels.codes, samples.offsets, samples.ts, samples.values, *_of_cells(samples.histograms)]


def _arrays_of_value(value: Value) -> list[NDArray[Any]]:
    if isinstance(value, Vector):
        return [value.labels.codes, value.values, value.present, *_of_cells(value.histograms)]
    if isinstance(value, Windows):
        return arrays_of(value.samples)
    return [value.values] if isinstance(value, Scalar) else []


def _of_cells(cells: HistogramCells | None) -> list[NDArray[Any]]:
    return [] if cells is None else [cells.at, *cells.table]
