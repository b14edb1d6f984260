"""Duration expressions: what may stand in brackets and after `offset`."""

from __future__ import annotations

from dataclasses import replace

from waferscope_query.promql.parsing.cursor import Cursor
from waferscope_query.promql.parsing.tokens import Token
from waferscope_query.promql.parsing.tree import Duration, Expr, NumberLiteral

MAX_SECONDS = 2**63 / 1e9
_PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2, "%": 2, "^": 3}
_UNARY_PRECEDENCE = 2
_DIVISIONS = {"/": "division", "%": "modulo"}


def parse_positive_duration(cursor: Cursor) -> Expr:
    """Read a range or step; a literal must be greater than 0."""
    expr = _expression(cursor, 0)
    if isinstance(expr, NumberLiteral) and expr.value <= 0:
        raise cursor.error(expr.start, expr.end, "duration must be greater than 0")
    return expr


def parse_offset_duration(cursor: Cursor) -> Expr:
    """Read what follows `offset`: it binds tighter than operators, except behind parentheses or two signs."""
    if cursor.at("+", "-"):
        return _signed_offset(cursor)
    if cursor.at("("):
        return _expression(cursor, 0)
    return _primary(cursor)


def _signed_offset(cursor: Cursor) -> Expr:
    sign = cursor.advance()
    if cursor.at("+", "-"):
        return _operators(cursor, _apply_sign(cursor, sign, _expression(cursor, _UNARY_PRECEDENCE + 1)), 0)
    if cursor.at("("):
        return _apply_sign(cursor, sign, _parenthesised(cursor))
    return _signed(cursor, sign)


def _signed(cursor: Cursor, sign: Token) -> Expr:
    operand = _primary(cursor)
    if isinstance(operand, NumberLiteral):
        return _apply_sign(cursor, sign, operand)
    return Duration(start=sign.start, end=operand.end, op=sign.kind, right=operand)


def _expression(cursor: Cursor, lowest: int) -> Expr:
    entered = cursor.depth
    cursor.deepen()
    if sign := cursor.accept("+", "-"):
        expr = _apply_sign(cursor, sign, _expression(cursor, _UNARY_PRECEDENCE + 1))
    else:
        expr = _primary(cursor)
    expr = _operators(cursor, expr, lowest)
    cursor.depth = entered
    return expr


def _operators(cursor: Cursor, left: Expr, lowest: int) -> Expr:
    while (precedence := _PRECEDENCE.get(cursor.token.kind, -1)) >= lowest:
        cursor.deepen()
        op = cursor.advance()
        right = _expression(cursor, precedence if op.kind == "^" else precedence + 1)
        if op.kind in _DIVISIONS and isinstance(right, NumberLiteral) and right.value == 0:
            raise cursor.error(op.start, op.end, f"{_DIVISIONS[op.kind]} by zero")
        left = Duration(start=left.start, end=right.end, op=op.kind, left=left, right=right)
    return left


def _primary(cursor: Cursor) -> Expr:
    token = cursor.token
    if token.kind in ("number", "duration"):
        return _literal(cursor)
    if token.kind in ("step", "range"):
        cursor.advance()
        cursor.expect("(")
        cursor.expect(")")
        return Duration(start=token.start, end=cursor.last_end, op=token.kind)
    if token.kind in ("max_of", "min_of"):
        return _choice(cursor)
    if token.kind == "(":
        return _parenthesised(cursor)
    raise cursor.unexpected()


def _literal(cursor: Cursor) -> NumberLiteral:
    token = cursor.advance()
    value = cursor.number(token)
    _refuse_out_of_range(cursor, value, token)
    return NumberLiteral(start=token.start, end=token.end, value=value, duration=token.kind == "duration")


def _refuse_out_of_range(cursor: Cursor, value: float, token: Token) -> None:
    if abs(value) > MAX_SECONDS:
        raise cursor.error(token.start, token.end, "duration out of range")


def _choice(cursor: Cursor) -> Duration:
    name = cursor.advance()
    cursor.expect("(")
    left = _expression(cursor, 0)
    cursor.expect(",")
    right = _expression(cursor, 0)
    cursor.expect(")")
    return Duration(start=name.start, end=cursor.last_end, op=name.kind, left=left, right=right)


def _parenthesised(cursor: Cursor) -> Duration:
    opening = cursor.advance()
    expr = _expression(cursor, 0)
    cursor.expect(")")
    if isinstance(expr, Duration):
        return replace(expr, wrapped=True)
    return Duration(start=opening.start, end=expr.end, op="+", right=expr, wrapped=True)


def _apply_sign(cursor: Cursor, sign: Token, expr: Expr) -> Expr:
    if isinstance(expr, NumberLiteral):
        value = -expr.value if sign.kind == "-" else expr.value
        _refuse_out_of_range(cursor, value, sign)
        return replace(expr, start=sign.start, value=value)
    if sign.kind == "+":
        return expr
    return Duration(start=sign.start, end=expr.end, op="-", right=expr)
