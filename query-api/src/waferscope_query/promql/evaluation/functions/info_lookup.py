"""Which info series info() reads: what its second argument asks for, at the times its first one looks at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from waferscope_query.promql.grid import Grid, fixed_time
from waferscope_query.promql.labels import METRIC_NAME
from waferscope_query.promql.matchers import Matcher, MatchOp
from waferscope_query.promql.parsing.tree import (
    Call,
    Expr,
    MatrixSelector,
    Selecting,
    Subquery,
    ValueType,
    VectorSelector,
)

_TARGET_INFO = Matcher(METRIC_NAME, MatchOp.EQUAL, "target_info")
_ANY_INFO = Matcher(METRIC_NAME, MatchOp.REGEX, ".+_info")
_Reference = tuple[int | None, int]


@dataclass(frozen=True, slots=True)
class InfoLookup:
    """What to read.

    Attributes:
        names: Conditions on the metric's name.
        data: Conditions on the other labels; where there are any, only these labels are added.
        at: A fixed time in ms instead of each step's own.
        offset_ms: How far back to look.
    """

    names: tuple[Matcher, ...]
    data: tuple[Matcher, ...]
    at: int | None
    offset_ms: int


def info_lookup(node: Call, grid: Grid) -> InfoLookup:
    """What a call of info() reads; `grid` is the query's own, for `@ start()` and `@ end()`."""
    selector = node.args[1] if len(node.args) > 1 else None
    matchers = selector.matchers if isinstance(selector, VectorSelector) else ()
    names = tuple(matcher for matcher in matchers if matcher.name == METRIC_NAME)
    data = tuple(matcher for matcher in matchers if matcher.name != METRIC_NAME)
    at, offset_ms = _reference(node.args[0], grid)
    return InfoLookup(_effective(names), data, at, offset_ms)


def _effective(names: tuple[Matcher, ...]) -> tuple[Matcher, ...]:
    if any(not matcher.op.negative for matcher in names):
        return names
    return (_ANY_INFO, *names) if names else (_TARGET_INFO,)


def _reference(expr: Expr, grid: Grid) -> _Reference:
    """The time and offset of all selectors of an expression; the steps' own where they differ or some part has none."""
    references = list(_references(expr, grid, ()))
    found = [reference for reference in references if reference is not None]
    if not found or len(found) < len(references) or len({_moment(reference) for reference in found}) > 1:
        return None, 0
    return found[0]


def _moment(reference: _Reference) -> tuple[bool, int]:
    at, offset_ms = reference
    return (False, offset_ms) if at is None else (True, at - offset_ms)


def _references(expr: Expr, grid: Grid, outer: tuple[Subquery, ...]) -> Iterator[_Reference | None]:
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


def _within(node: Selecting, grid: Grid, outer: tuple[Subquery, ...]) -> _Reference:
    at, offset_ms = fixed_time(node, grid), node.offset_ms
    for subquery in reversed(outer):
        if at is not None:
            break
        offset_ms += subquery.offset_ms
        at = fixed_time(subquery, grid)
    return at, offset_ms
