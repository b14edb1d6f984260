"""The times an expression's selectors look at, for info()."""

from __future__ import annotations

from collections.abc import Iterator

from waferscope_query.promql.grid import Grid, fixed_time
from waferscope_query.promql.parsing.tree import (
    Call,
    Expr,
    MatrixSelector,
    Selecting,
    Subquery,
    ValueType,
    VectorSelector,
)

Reference = tuple[int | None, int]
"""A fixed time in ms (None for each step's own) and an offset in ms."""


def reference(expr: Expr, grid: Grid) -> Reference:
    """The time and offset of all selectors of an expression; the steps' own where they differ or some part has none."""
    found = _common(expr, grid)
    return (None, 0) if found is None else found


def has_one_reference(expr: Expr, grid: Grid) -> bool:
    """Whether all parts of an expression look at the same times."""
    return _common(expr, grid) is not None


def _common(expr: Expr, grid: Grid) -> Reference | None:
    references = list(_references(expr, grid, ()))
    found = [reference for reference in references if reference is not None]
    if not found or len(found) < len(references) or len({_moment(reference) for reference in found}) > 1:
        return None
    return found[0]


def _moment(reference: Reference) -> tuple[bool, int]:
    at, offset_ms = reference
    return (False, offset_ms) if at is None else (True, at - offset_ms)


def _references(expr: Expr, grid: Grid, outer: tuple[Subquery, ...]) -> Iterator[Reference | None]:
    """One reference per selector, None for a series that comes from nowhere (`vector(1)`)."""
    if expr.type not in (ValueType.VECTOR, ValueType.MATRIX):
        return
    if isinstance(expr, (VectorSelector, MatrixSelector)):
        yield _within(expr, grid, outer)
        return
    inner = (*outer, expr) if isinstance(expr, Subquery) else outer
    children = expr.children
    if isinstance(expr, Call) and expr.function == "info":
        children = children[:1]
    below = [reference for child in children for reference in _references(child, grid, inner)]
    yield from below if any(reference is not None for reference in below) else [*below, None]


def _within(node: Selecting, grid: Grid, outer: tuple[Subquery, ...]) -> Reference:
    at, offset_ms = fixed_time(node, grid), node.offset_ms
    for subquery in reversed(outer):
        if at is not None:
            break
        offset_ms += subquery.offset_ms
        at = fixed_time(subquery, grid)
    return at, offset_ms
