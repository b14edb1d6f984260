"""What may follow an expression: `[range]`, `[range:step]`, `offset`, `@`, `anchored`, `smoothed`."""

from __future__ import annotations

import math
from dataclasses import replace

from waferscope_query.promql.parsing.cursor import Cursor
from waferscope_query.promql.parsing.durations import parse_offset_duration, parse_positive_duration
from waferscope_query.promql.parsing.literals import round_half_away
from waferscope_query.promql.parsing.tree import (
    Duration,
    Edge,
    Expr,
    MatrixSelector,
    NumberLiteral,
    Selecting,
    Subquery,
    VectorSelector,
)

_FARTHEST_MS = 2**61  # no sample lies there, and offsets and ranges can still be taken off it in 64 bits
_DURATION = "number, duration, step(), or range()"
_DURATION_OR_END = 'number, duration, step(), range(), or "]"'
_MISPLACED = "{} modifier must be preceded by an instant vector selector or range vector selector or a subquery"


def parse_range(cursor: Cursor, expr: Expr) -> Expr:
    """Read `[5m]` or `[1h:5m]`, the bracket being the current token."""
    bracket = cursor.expect("[")
    cursor.within("subquery or range selector", _DURATION)
    range_ms, range_expr = _split(parse_positive_duration(cursor))
    cursor.now("subquery or range", '":" or "]"')
    if cursor.accept(":"):
        return _rest_of_subquery(cursor, expr, range_ms, range_expr)
    cursor.expect("]")
    cursor.left()
    if not isinstance(expr, VectorSelector):
        raise cursor.error(bracket.start, cursor.last_end, "ranges only allowed for vector selectors")
    if expr.offset_ms or expr.offset_expr:
        raise cursor.error(bracket.start, cursor.last_end, "no offset modifiers allowed before range")
    if expr.at is not None:
        raise cursor.error(bracket.start, cursor.last_end, "no @ modifiers allowed before range")
    return MatrixSelector(
        start=expr.start, end=cursor.last_end, selector=expr, range_ms=range_ms, range_expr=range_expr
    )


def _rest_of_subquery(cursor: Cursor, expr: Expr, range_ms: int, range_expr: Duration | None) -> Subquery:
    cursor.now("subquery selector", _DURATION_OR_END)
    step_ms: int | None = None
    step_expr: Duration | None = None
    if not cursor.at("]"):
        step_ms, step_expr = _split(parse_positive_duration(cursor))
        cursor.now("subquery selector", '"]"')
    cursor.expect("]")
    cursor.left()
    return Subquery(
        start=expr.start, end=cursor.last_end, expr=expr,
        range_ms=range_ms, range_expr=range_expr, step_ms=step_ms, step_expr=step_expr,
    )  # fmt: skip


def _split(expr: Expr) -> tuple[int, Duration | None]:
    """A literal as milliseconds; an expression, known only with the query's steps, as it is."""
    if isinstance(expr, NumberLiteral):
        return _whole_ms(expr.value), None
    assert isinstance(expr, Duration)
    return 0, expr


def _whole_ms(seconds: float) -> int:
    """Nanoseconds cut to milliseconds, as Go's durations are."""
    nanoseconds = round_half_away(seconds * 1e9)
    return int(math.copysign(abs(nanoseconds) // 1_000_000, nanoseconds))


def parse_offset(cursor: Cursor, expr: Expr) -> Expr:
    """Read `offset -5m`, the keyword being the current token."""
    cursor.expect("offset")
    cursor.within("offset", _DURATION)
    offset_ms, offset_expr = _split(parse_offset_duration(cursor))
    cursor.left()
    if not isinstance(expr, Selecting):
        raise cursor.error(expr.start, expr.end, _MISPLACED.format("offset"))
    if expr.offset_ms or expr.offset_expr:
        raise cursor.error(expr.start, expr.end, "offset may not be set multiple times")
    return replace(expr, offset_ms=offset_ms, offset_expr=offset_expr, end=cursor.last_end)


def parse_at(cursor: Cursor, expr: Expr) -> Expr:
    """Read `@ 1609746000` or `@ start()`, the sign being the current token."""
    cursor.expect("@")
    cursor.within("@", "timestamp")
    if edge := cursor.accept("start", "end"):
        cursor.expect("(")
        cursor.expect(")")
        at: int | Edge = Edge(edge.kind)
    else:
        at = _timestamp_ms(cursor, expr)
    cursor.left()
    if not isinstance(expr, Selecting):
        raise cursor.error(expr.start, expr.end, _MISPLACED.format("@"))
    if expr.at is not None:
        raise cursor.error(expr.start, expr.end, "@ <timestamp> may not be set multiple times")
    return replace(expr, at=at, end=cursor.last_end)


def _timestamp_ms(cursor: Cursor, expr: Expr) -> int:
    sign = cursor.accept("+", "-")
    token = cursor.expect("number", "duration")
    seconds = cursor.number(token) * (-1 if sign and sign.kind == "-" else 1)
    if not math.isfinite(seconds) or abs(seconds) >= 2**63:
        shown = "NaN" if math.isnan(seconds) else f"{seconds:+f}".replace("inf", "Inf").removeprefix("+")
        shown = "+Inf" if shown == "Inf" else shown
        raise cursor.error(expr.start, expr.end, f"timestamp out of bounds for @ modifier: {shown}")
    return max(-_FARTHEST_MS, min(_FARTHEST_MS, round_half_away(seconds * 1000)))


def parse_extension(cursor: Cursor, expr: Expr) -> Expr:
    """Read `anchored` or `smoothed`, the current token."""
    word = cursor.expect("anchored", "smoothed").kind
    if isinstance(expr, Subquery):
        raise cursor.error(expr.start, expr.end, f"{word} modifier is not supported for subqueries")
    selector = expr.selector if isinstance(expr, MatrixSelector) else expr
    if not isinstance(selector, VectorSelector):
        raise cursor.error(expr.start, expr.end, f"{word} modifier not implemented")
    if selector.extension not in ("", word):
        raise cursor.error(expr.start, expr.end, "anchored and smoothed modifiers cannot be used together")
    selector = replace(selector, extension=word)
    return replace(expr, selector=selector) if isinstance(expr, MatrixSelector) else selector
