"""What an expression leaves to the query's steps becomes constant: durations, start(), end(), step(), range()."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import singledispatchmethod

from waferscope_query.promql.errors import BadDataError
from waferscope_query.promql.grid import Grid
from waferscope_query.promql.parsing import Query
from waferscope_query.promql.parsing.durations import MAX_SECONDS
from waferscope_query.promql.parsing.tree import (
    Aggregate,
    Binary,
    Call,
    Duration,
    Expr,
    MatrixSelector,
    NumberLiteral,
    Paren,
    Selecting,
    Subquery,
    Unary,
    VectorSelector,
    unwrap,
)

_DIVISIONS = {"/": "division", "%": "modulo"}


class Resolver:
    """Rewrites a tree for the steps of a query.

    Args:
        query: The expression.
        grid: Its steps.
        step_ms: The time between them, 0 for an instant query.
    """

    def __init__(self, query: Query, grid: Grid, step_ms: int) -> None:
        self._text = query.text
        self._durations = {"step": step_ms / 1000, "range": (grid.end_ms - grid.start_ms) / 1000}
        self._constants = {**self._durations, "start": grid.start_ms / 1000, "end": grid.end_ms / 1000}
        if grid.start_ms == grid.end_ms:
            self._constants["step"] = 0.0  # the function says so, the duration doesn't

    @singledispatchmethod
    def resolve(self, node: Expr) -> Expr:
        """The node without duration expressions.

        Raises:
            BadDataError: A duration makes no sense.
        """
        return node

    @resolve.register
    def _(self, node: Paren) -> Expr:
        return replace(node, expr=self.resolve(node.expr))

    @resolve.register
    def _(self, node: Unary) -> Expr:
        return replace(node, expr=self.resolve(node.expr))

    @resolve.register
    def _(self, node: Binary) -> Expr:
        return replace(node, left=self.resolve(node.left), right=self.resolve(node.right))

    @resolve.register
    def _(self, node: Aggregate) -> Expr:
        param = None if node.param is None else self.resolve(node.param)
        return replace(node, expr=self.resolve(node.expr), param=param)

    @resolve.register
    def _(self, node: Call) -> Expr:
        if node.function in self._constants:
            return NumberLiteral(start=node.start, end=node.end, value=self._constants[node.function])
        args = tuple(self.resolve(arg) for arg in node.args)
        if node.function == "timestamp" and isinstance(selector := unwrap(args[0]), VectorSelector):
            args = (_without_offset(selector),)
        return replace(node, args=args)

    @resolve.register
    def _(self, node: Selecting) -> Expr:
        if node.offset_expr is None:
            return node
        return replace(node, offset_ms=self._milliseconds(node.offset_expr), offset_expr=None)

    @resolve.register
    def _(self, node: MatrixSelector) -> Expr:
        if node.offset_expr is not None:
            node = replace(node, offset_ms=self._milliseconds(node.offset_expr), offset_expr=None)
        if node.range_expr is not None:
            node = replace(node, range_ms=self._positive(node.range_expr), range_expr=None)
        return node

    @resolve.register
    def _(self, node: Subquery) -> Expr:
        if node.offset_expr is not None:
            node = replace(node, offset_ms=self._milliseconds(node.offset_expr), offset_expr=None)
        if node.step_expr is not None:
            node = replace(node, step_ms=self._positive(node.step_expr), step_expr=None)
        if node.range_expr is not None:
            node = replace(node, range_ms=self._positive(node.range_expr), range_expr=None)
        return replace(node, expr=self.resolve(node.expr))

    def _milliseconds(self, node: Duration) -> int:
        seconds = self._seconds(node)
        if not math.isfinite(seconds):
            raise self._error(node, "duration is NaN or infinite")
        if abs(seconds) > MAX_SECONDS:
            raise self._error(node, "duration is out of range")
        return int(seconds * 1000)

    def _positive(self, node: Duration) -> int:
        if self._seconds(node) <= 0:
            raise self._error(node, "duration must be greater than 0")
        return self._milliseconds(node)

    def _seconds(self, node: Expr) -> float:
        if isinstance(node, NumberLiteral):
            return node.value
        assert isinstance(node, Duration)
        if node.op in self._durations:
            return self._durations[node.op]
        assert node.right is not None
        right = self._seconds(node.right)
        if node.left is None:
            return -right if node.op == "-" else right
        left = self._seconds(node.left)
        if node.op in _DIVISIONS and right == 0:
            raise self._error(node, f"{_DIVISIONS[node.op]} by zero")
        return _OPERATORS[node.op](left, right)

    def _error(self, node: Expr, reason: str) -> BadDataError:
        start, end = (len(self._text[:position].encode()) for position in (node.start, node.end))
        return BadDataError(f"{start}:{end}: {reason}")


def _without_offset(node: VectorSelector) -> VectorSelector:
    """`timestamp(x @ t offset o)` looks at t: Prometheus leaves the offset out, and so do we."""
    return node if node.at is None else replace(node, offset_ms=0)


def _power(left: float, right: float) -> float:
    try:
        power = left**right
    except (OverflowError, ZeroDivisionError):
        return math.inf
    return math.nan if isinstance(power, complex) else power


def _remainder(left: float, right: float) -> float:
    return math.fmod(left, right) if math.isfinite(left) else math.nan


_OPERATORS: dict[str, Callable[[float, float], float]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: left / right,
    "%": _remainder,
    "^": _power,
    "max_of": max,
    "min_of": min,
}
