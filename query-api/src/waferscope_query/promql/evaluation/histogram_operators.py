"""Binary operators where histograms take part, cell by cell: what an operator takes and makes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from waferscope_query.promql.evaluation.context import Context
from waferscope_query.promql.evaluation.kernels.native import adding, cells
from waferscope_query.promql.evaluation.operators import compare, compute, is_comparison
from waferscope_query.promql.histograms import HistogramCells, HistogramTable, stack_tables
from waferscope_query.promql.parsing.tree import Binary

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Rows = NDArray[np.int64]

TRIMS = {"</": True, ">/": False}
"""The operators that cut a histogram off, and whether what lies below stays."""


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """One operand in the shape of the result: values float64[n, s], and which of them are histograms."""

    values: Floats
    histograms: HistogramCells | None

    def are_histograms(self) -> Bools:
        """bool[n, s]: which values are histograms."""
        if self.histograms is None:
            return np.zeros(self.values.shape, np.bool_)
        return self.histograms.at >= 0

    def rows(self, chosen: Bools) -> tuple[HistogramTable, Rows]:
        """The histograms at some cells."""
        assert self.histograms is not None
        return self.histograms.table, self.histograms.at[chosen].astype(np.int64)


@dataclass(slots=True, eq=False)
class Outcome:
    """A result: values, which of them stay, and which are histograms."""

    values: Floats
    kept: Bools
    histograms: HistogramCells | None


class _Operation:
    """An operator at work: the histograms it makes, piece by piece, and what is to be said of it."""

    def __init__(self, node: Binary, shape: tuple[int, ...], context: Context) -> None:
        self.node = node
        self.notes = context.notes
        self._shape = shape
        self._pieces: list[tuple[HistogramTable, Rows, Bools]] = []

    def add(self, table: HistogramTable, rows: Rows, chosen: Bools) -> None:
        """The histograms for the chosen cells, in their order."""
        self._pieces.append((table, rows, chosen))

    def refuse(self, left: str, right: str, chosen: Bools) -> None:
        """Say that the operator doesn't take these types, if there are any cells of them."""
        if chosen.any():
            op = self.node.op
            text = f'incompatible sample types encountered for binary operator "{op}": {left} {op} {right}'
            self.notes.inform(text, self.node.start)

    def cells(self) -> HistogramCells | None:
        """All of them."""
        if not self._pieces:
            return None
        table, firsts = stack_tables([piece[0] for piece in self._pieces])
        at = np.full(self._shape, -1, np.int32)
        for first, (_, rows, chosen) in zip(firsts, self._pieces, strict=True):
            at[chosen] = rows + first
        return HistogramCells(table, at)


def operate(node: Binary, left: Side, right: Side, present: Bools, context: Context) -> Outcome:
    """Apply an operator; cells whose types it doesn't take are lost, which an info tells."""
    is_left, is_right = left.are_histograms(), right.are_histograms()
    work = _Operation(node, present.shape, context)
    outcome = _of_floats(work, left, right, present & ~is_left & ~is_right)
    _of_histogram_and_float(work, left, right.values, present & is_left & ~is_right)
    _of_float_and_histogram(work, left.values, right, present & ~is_left & is_right)
    both = present & is_left & is_right
    if is_comparison(node.op):
        _compared(work, left, right, both, outcome)
    else:
        _combined(work, left, right, both)
    outcome.histograms = work.cells()
    if outcome.histograms is not None:
        outcome.kept |= outcome.histograms.at >= 0
    return outcome


def _of_floats(work: _Operation, left: Side, right: Side, chosen: Bools) -> Outcome:
    if work.node.op in TRIMS:
        work.refuse("float", "float", chosen)
        return Outcome(np.zeros(chosen.shape), np.zeros_like(chosen), None)
    if not is_comparison(work.node.op):
        return Outcome(compute(work.node.op, left.values, right.values), chosen, None)
    verdict = compare(work.node.op, left.values, right.values)
    if work.node.return_bool:
        return Outcome(verdict.astype(np.float64), chosen, None)
    return Outcome(left.values.copy(), chosen & verdict, None)


def _of_histogram_and_float(work: _Operation, left: Side, right: Floats, chosen: Bools) -> None:
    if not chosen.any():
        return
    table, rows = left.rows(chosen)
    if work.node.op in ("*", "/"):
        table = cells.scaled(table, rows, right[chosen], work.node.op == "/")
    elif work.node.op in TRIMS:
        table = cells.trimmed_all(table, rows, right[chosen], TRIMS[work.node.op])
    else:
        work.refuse("histogram", "float", chosen)
        return
    work.add(table, np.arange(len(rows)), chosen)


def _of_float_and_histogram(work: _Operation, left: Floats, right: Side, chosen: Bools) -> None:
    if not chosen.any():
        return
    if work.node.op != "*":
        work.refuse("float", "histogram", chosen)
        return
    table, rows = right.rows(chosen)
    work.add(cells.scaled(table, rows, left[chosen], False), np.arange(len(rows)), chosen)  # noqa: FBT003, numba takes no keywords


def _compared(work: _Operation, left: Side, right: Side, chosen: Bools, outcome: Outcome) -> None:
    """Only equality is known of two histograms; the left one stays where it holds."""
    if not chosen.any():
        return
    if work.node.op not in ("==", "!="):
        work.refuse("histogram", "histogram", chosen)
        return
    verdict = np.empty(int(chosen.sum()), np.bool_)
    cells.equals(*left.rows(chosen), *right.rows(chosen), verdict)
    if work.node.op == "!=":
        verdict = ~verdict
    if work.node.return_bool:
        outcome.values[chosen] = verdict
        outcome.kept |= chosen
        return
    kept = chosen.copy()
    kept[chosen] = verdict
    work.add(*left.rows(kept), kept)


def _combined(work: _Operation, left: Side, right: Side, chosen: Bools) -> None:
    """Sum or difference."""
    if not chosen.any():
        return
    if work.node.op not in ("+", "-"):
        work.refuse("histogram", "histogram", chosen)
        return
    said = np.empty(int(chosen.sum()), np.int64)
    table = cells.combined(*left.rows(chosen), *right.rows(chosen), 1.0 if work.node.op == "+" else -1.0, said)
    operation = "addition" if work.node.op == "+" else "subtraction"
    if (said & adding.INCOMPATIBLE).any():
        work.notes.warn(f"incompatible bucket layout encountered for binary operator {work.node.op}", work.node.start)
    if (said & adding.COLLISION).any():
        work.notes.warn(f"conflicting counter resets during histogram {operation}", work.node.start)
    if (said & adding.RECONCILED).any():
        work.notes.inform(f"mismatched custom buckets were reconciled during {operation}", work.node.start)
    possible = said & (adding.INCOMPATIBLE | adding.COLLISION) == 0
    kept = chosen.copy()
    kept[chosen] = possible
    work.add(table, np.flatnonzero(possible), kept)


def negated(histograms: HistogramCells | None) -> HistogramCells | None:
    """All histograms times -1."""
    if histograms is None:
        return None
    rows = np.arange(len(histograms.table.shape))
    return HistogramCells(cells.scaled(histograms.table, rows, np.full(len(rows), -1.0), False), histograms.at)  # noqa: FBT003, numba takes no keywords
