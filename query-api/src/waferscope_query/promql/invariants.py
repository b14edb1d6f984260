"""What `@` fixes is computed once: the largest such expressions are marked (Prometheus, StepInvariantExpr)."""

from __future__ import annotations

from dataclasses import replace
from functools import singledispatch

from waferscope_query.promql.grid import Grid
from waferscope_query.promql.parsing.tree import (
    Aggregate,
    Binary,
    Call,
    Expr,
    Invariant,
    MatrixSelector,
    NumberLiteral,
    Paren,
    StringLiteral,
    Subquery,
    Unary,
    VectorSelector,
    unwrap,
)
from waferscope_query.promql.references import has_one_reference

_STEP_DEPENDENT = frozenset(
    {"days_in_month", "day_of_month", "day_of_week", "day_of_year", "hour", "minute", "month", "year"}
    | {"predict_linear", "time", "timestamp"}
)

Marked = tuple[Expr, bool, bool]
"""A node, its inner parts marked; whether it is invariant; whether it gains from being computed once."""


def mark_invariants(tree: Expr, grid: Grid) -> Expr:
    """Mark the parts of a tree that have one value for all steps of `grid`."""
    node, _, gains = _mark(tree, grid)
    return _wrapped(node) if gains else node


def _wrapped(node: Expr) -> Invariant:
    return Invariant(start=node.start, end=node.end, type=node.type, expr=node)


@singledispatch
def _mark(node: Expr, grid: Grid) -> Marked:
    del grid
    raise TypeError(f"no way to mark {type(node).__name__}")


@_mark.register(NumberLiteral)
@_mark.register(StringLiteral)
def _(node: Expr, grid: Grid) -> Marked:
    del grid
    return node, True, False


@_mark.register
def _(node: VectorSelector, grid: Grid) -> Marked:
    del grid
    fixed = node.at is not None
    return node, fixed, fixed


@_mark.register
def _(node: MatrixSelector, grid: Grid) -> Marked:
    del grid
    return node, node.at is not None, False


@_mark.register
def _(node: Subquery, grid: Grid) -> Marked:
    inner, invariant, _ = _mark(node.expr, grid)
    return replace(node, expr=_wrapped(inner) if invariant else inner), node.at is not None, False


@_mark.register(Paren)
@_mark.register(Unary)
def _(node: Paren | Unary, grid: Grid) -> Marked:
    inner, invariant, gains = _mark(node.expr, grid)
    return replace(node, expr=inner), invariant, gains


@_mark.register
def _(node: Aggregate, grid: Grid) -> Marked:
    """The parameter doesn't count: over a fixed vector it is read at the first step."""
    inner, invariant, gains = _mark(node.expr, grid)
    return replace(node, expr=inner), invariant, gains


@_mark.register
def _(node: Binary, grid: Grid) -> Marked:
    left, left_invariant, left_gains = _mark(node.left, grid)
    right, right_invariant, right_gains = _mark(node.right, grid)
    if left_invariant and right_invariant:
        return replace(node, left=left, right=right), True, True
    left, right = (_wrapped(side) if gains else side for side, gains in ((left, left_gains), (right, right_gains)))
    return replace(node, left=left, right=right), False, False


@_mark.register
def _(node: Call, grid: Grid) -> Marked:
    marked = [_mark(arg, grid) for arg in _evaluated_arguments(node)]
    rest = node.args[len(marked) :]
    args = tuple(arg for arg, _, _ in marked)
    if _is_invariant(node, [invariant for _, invariant, _ in marked], grid):
        return replace(node, args=args + rest), True, True
    args = tuple(_wrapped(arg) if gains else arg for arg, _, gains in marked)
    return replace(node, args=args + rest), False, False


def _evaluated_arguments(node: Call) -> tuple[Expr, ...]:
    """All but the second of info(), which only names labels."""
    return node.args[:1] if node.function == "info" else node.args


def _is_invariant(node: Call, arguments: list[bool], grid: Grid) -> bool:
    if node.function == "timestamp":
        return all(arguments) and isinstance(unwrap(node.args[0]), VectorSelector)
    if node.function == "info" and not has_one_reference(node.args[0], grid):
        return False
    return node.function not in _STEP_DEPENDENT and all(arguments)
