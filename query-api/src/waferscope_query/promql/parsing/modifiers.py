"""What may follow an expression: `[range]`, `[range:step]`, `offset`, `@`."""

from __future__ import annotations

import math
from dataclasses import replace

from waferscope_query.promql.parsing.cursor import Cursor
from waferscope_query.promql.parsing.literals import MAX_DURATION_MS
from waferscope_query.promql.parsing.tree import Edge, Expr, MatrixSelector, Selecting, Subquery, VectorSelector

_FARTHEST_MS = 2**61  # no sample lies there, and offsets and ranges can still be taken off it in 64 bits
_DURATION = "number, duration, step(), or range()"
_MISPLACED = "{} modifier must be preceded by an instant vector selector or range vector selector or a subquery"


def parse_range(cursor: Cursor, expr: Expr) -> Expr:
    """Read `[5m]` or `[1h:5m]`, the bracket being the current token."""
    bracket = cursor.expect("[")
    range_ms = _positive_ms(cursor, "subquery or range selector", _DURATION)
    if cursor.accept(":"):
        step_ms = None
        if not cursor.at("]"):
            step_ms = _positive_ms(cursor, "subquery selector", _DURATION + ', or "]"')
        cursor.expect("]", "subquery selector", '"]"')
        return Subquery(start=expr.start, end=cursor.last_end, expr=expr, range_ms=range_ms, step_ms=step_ms)
    cursor.expect("]", "subquery or range", '":" or "]"')
    if not isinstance(expr, VectorSelector):
        raise cursor.error(bracket.start, cursor.last_end, "ranges only allowed for vector selectors")
    if expr.offset_ms:
        raise cursor.error(bracket.start, cursor.last_end, "no offset modifiers allowed before range")
    if expr.at is not None:
        raise cursor.error(bracket.start, cursor.last_end, "no @ modifiers allowed before range")
    return MatrixSelector(start=expr.start, end=cursor.last_end, selector=expr, range_ms=range_ms)


def _positive_ms(cursor: Cursor, context: str, expected: str) -> int:
    token = cursor.accept("number", "duration")
    if token is None:
        raise cursor.unexpected(context, expected)
    seconds = cursor.number(token)
    if not seconds > 0:
        raise cursor.error(token.start, token.end, "duration must be greater than 0")
    if seconds * 1000 > MAX_DURATION_MS:
        raise cursor.error(token.start, token.end, "duration out of range")
    return round(seconds * 1000)


def parse_offset(cursor: Cursor, expr: Expr) -> Expr:
    """Read `offset -5m`, the keyword being the current token."""
    cursor.expect("offset")
    sign = cursor.accept("+", "-")
    token = cursor.accept("number", "duration")
    if token is None:
        raise cursor.unexpected("offset", _DURATION)
    seconds = cursor.number(token) * (-1 if sign and sign.kind == "-" else 1)
    if not abs(seconds) * 1000 <= MAX_DURATION_MS:
        raise cursor.error(token.start, token.end, "duration out of range")
    if not isinstance(expr, Selecting):
        raise cursor.error(expr.start, expr.end, _MISPLACED.format("offset"))
    if expr.offset_ms:
        raise cursor.error(expr.start, expr.end, "offset may not be set multiple times")
    return replace(expr, offset_ms=round(seconds * 1000), end=cursor.last_end)


def parse_at(cursor: Cursor, expr: Expr) -> Expr:
    """Read `@ 1609746000` or `@ start()`, the sign being the current token."""
    cursor.expect("@")
    if edge := cursor.accept("start", "end"):
        cursor.expect("(")
        cursor.expect(")")
        at: int | Edge = Edge(edge.kind)
    else:
        at = _timestamp_ms(cursor, expr)
    if not isinstance(expr, Selecting):
        raise cursor.error(expr.start, expr.end, _MISPLACED.format("@"))
    if expr.at is not None:
        raise cursor.error(expr.start, expr.end, "@ <timestamp> may not be set multiple times")
    return replace(expr, at=at, end=cursor.last_end)


def _timestamp_ms(cursor: Cursor, expr: Expr) -> int:
    sign = cursor.accept("+", "-")
    token = cursor.accept("number", "duration")
    if token is None:
        raise cursor.unexpected("@", "timestamp")
    seconds = cursor.number(token) * (-1 if sign and sign.kind == "-" else 1)
    if not math.isfinite(seconds) or abs(seconds) >= 2**63:
        raise cursor.error(expr.start, expr.end, f"timestamp out of bounds for @ modifier: {seconds:f}")
    return max(-_FARTHEST_MS, min(_FARTHEST_MS, round(seconds * 1000)))
