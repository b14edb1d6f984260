"""Stage 2, plan: which samples an expression needs over a grid of steps, and whether it may be asked at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from waferscope_query.promql.errors import BadDataError
from waferscope_query.promql.evaluation.functions.info_lookup import info_lookup
from waferscope_query.promql.grid import DEFAULT_LIMITS, Grid, Limits, fixed_time, subquery_grid
from waferscope_query.promql.history import RollupSelection
from waferscope_query.promql.invariants import mark_invariants
from waferscope_query.promql.parsing import Query
from waferscope_query.promql.parsing.tree import (
    Call,
    Expr,
    Invariant,
    MatrixSelector,
    Paren,
    Selecting,
    Subquery,
    ValueType,
    VectorSelector,
)
from waferscope_query.promql.resolving import Resolver
from waferscope_query.promql.source import Selection

OF_STARTS = frozenset({"rate", "irate", "increase", "resets", "start_timestamp"})
"""The functions that look at start timestamps of the selector they are given."""


@dataclass(frozen=True, slots=True)
class Plan:
    """An expression ready to be evaluated.

    Attributes:
        asked: The expression as it was written.
        query: The expression; durations and ends of the range in it are constants.
        grid: The steps.
        limits: What it may use.
        instant: Whether an instant query was asked (one step, answered as a vector).
        selections: What to fetch.
        selection_of: The index of a selector's selection, by the first character of the selector or info().
        rollups: What to fetch of times whose samples are gone.
        rollup_of: The index among `rollups`, by the first character of the selector or of the function of its range.
    """

    asked: Query
    query: Query
    grid: Grid
    limits: Limits
    instant: bool
    selections: tuple[Selection, ...]
    selection_of: Mapping[int, int]
    rollups: tuple[RollupSelection, ...] = ()
    rollup_of: Mapping[int, int] = field(default_factory=dict)


def plan_instant(query: Query, time_ms: int, limits: Limits = DEFAULT_LIMITS) -> Plan:
    """Plan an expression at one time.

    Raises:
        BadDataError: A duration in it makes no sense.
    """
    return _plan(query, Grid(time_ms, time_ms, 1), limits, instant=True)


def plan_range(query: Query, start_ms: int, end_ms: int, step_ms: int, limits: Limits = DEFAULT_LIMITS) -> Plan:
    """Plan an expression over a range of steps.

    Raises:
        BadDataError: The range or step makes no sense, has too many steps, or the expression's type has no range.
    """
    if end_ms < start_ms:
        raise BadDataError("end timestamp must not be before start time")
    if step_ms <= 0:
        raise BadDataError("zero or negative query resolution step widths are not accepted. Try a positive integer")
    if (end_ms - start_ms) // step_ms > limits.max_steps:
        raise BadDataError(
            f"exceeded maximum resolution of {limits.max_steps:,} points per timeseries. "
            "Try decreasing the query resolution (?step=XX)"
        )
    if query.tree.type not in (ValueType.SCALAR, ValueType.VECTOR):
        raise BadDataError(
            f'invalid expression type "{query.tree.type}" for range query, must be Scalar or instant Vector'
        )
    return _plan(query, Grid(start_ms, end_ms, step_ms), limits, instant=False)


def _plan(query: Query, grid: Grid, limits: Limits, *, instant: bool) -> Plan:
    resolver = Resolver(query, grid, 0 if instant else grid.step_ms)
    resolved = Query(query.text, mark_invariants(resolver.resolve(query.tree), grid))
    survey = Survey(grid, limits)
    survey.visit(resolved.tree, grid.start_ms, grid.end_ms)
    return Plan(query, resolved, grid, limits, instant, tuple(survey.selections), survey.selection_of)


class Survey:
    """Walks a tree with the interval its nodes are evaluated over and notes every selection."""

    def __init__(self, grid: Grid, limits: Limits) -> None:
        self._grid = grid
        self._limits = limits
        self.selections: list[Selection] = []
        self.selection_of: dict[int, int] = {}

    def visit(self, node: Expr, first_ms: int, last_ms: int, *, starts: bool = False) -> None:
        """Note what a node needs; `starts` says whether the function around it looks at start timestamps."""
        if isinstance(node, Selecting):
            fixed = fixed_time(node, self._grid)
            first_ms = (first_ms if fixed is None else fixed) - node.offset_ms
            last_ms = (last_ms if fixed is None else fixed) - node.offset_ms
        if isinstance(node, MatrixSelector):
            earlier = self._limits.lookback_ms if node.selector.extension else 0
            self._note(node.selector, first_ms - node.range_ms - earlier, last_ms, starts=starts)
        elif isinstance(node, VectorSelector):
            self._note(node, first_ms - self._limits.lookback_ms, last_ms, starts=starts)
        elif isinstance(node, Subquery):
            inner = subquery_grid(node, first_ms, last_ms, self._limits)
            self.visit(node.expr, inner.start_ms, inner.end_ms)
        elif isinstance(node, Call) and node.function == "info":
            self.visit(node.args[0], first_ms, last_ms)
            self._note_info(node, first_ms, last_ms)
        else:
            of_starts = isinstance(node, Call) and node.function in OF_STARTS
            passed_on = starts and isinstance(node, Paren | Invariant)
            for child in node.children:
                self.visit(child, first_ms, last_ms, starts=of_starts or passed_on)

    def _note(self, selector: VectorSelector, after_ms: int, last_ms: int, *, starts: bool) -> None:
        """Windows are open at their left end (Prometheus 3); smoothing looks ahead as well."""
        last_ms += self._limits.lookback_ms if selector.extension == "smoothed" else 0
        self._add(
            selector.start, Selection(selector.matchers, after_ms + 1, last_ms, starts and self._limits.use_starts)
        )

    def _note_info(self, node: Call, first_ms: int, last_ms: int) -> None:
        lookup = info_lookup(node, self._grid)
        if lookup.at is not None:
            first_ms = last_ms = lookup.at
        after_ms = first_ms - lookup.offset_ms - self._limits.lookback_ms
        selection = Selection((*lookup.names, *lookup.data), after_ms + 1, last_ms - lookup.offset_ms)
        self._add(node.start, selection)

    def _add(self, start: int, selection: Selection) -> None:
        self.selection_of[start] = len(self.selections)
        self.selections.append(selection)
