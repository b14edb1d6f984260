"""A Pratt parser for PromQL."""

from __future__ import annotations

import sys
from dataclasses import replace

from waferscope_query.promql.errors import ParseError
from waferscope_query.promql.labels import METRIC_NAME
from waferscope_query.promql.matchers import Matcher, MatchOp
from waferscope_query.promql.parsing.cursor import Cursor
from waferscope_query.promql.parsing.literals import quote
from waferscope_query.promql.parsing.matching import parse_matching
from waferscope_query.promql.parsing.modifiers import parse_at, parse_extension, parse_offset, parse_range
from waferscope_query.promql.parsing.selectors import parse_label_list, parse_matchers
from waferscope_query.promql.parsing.signatures import SIGNATURES
from waferscope_query.promql.parsing.tokens import AGGREGATORS, METRIC_NAMES, OPERANDS, Token
from waferscope_query.promql.parsing.tree import (
    MAX_DEPTH,
    Aggregate,
    Binary,
    Call,
    Expr,
    NumberLiteral,
    Paren,
    StringLiteral,
    Unary,
    ValueType,
    VectorSelector,
)

_PRECEDENCE = {
    **dict.fromkeys(("or",), 1),
    **dict.fromkeys(("and", "unless"), 2),
    **dict.fromkeys(("==", "!=", "<=", "<", ">=", ">", "</", ">/"), 3),
    **dict.fromkeys(("+", "-"), 4),
    **dict.fromkeys(("*", "/", "%", "atan2"), 5),
    "^": 6,
}
_UNARY_PRECEDENCE = 5
_RIGHT_ASSOCIATIVE = "^"
_POSTFIX = {
    "[": parse_range,
    "offset": parse_offset,
    "@": parse_at,
    "anchored": parse_extension,
    "smoothed": parse_extension,
}
_CALLABLE = ("identifier", "start", "end", "step", "range", "max_of", "min_of")

# A level of nesting takes a handful of Python frames in the parser and in each later stage; pure Python calls
# take no C stack, so that a higher limit is safe where MAX_DEPTH bounds the tree.
_FRAMES = 20 * MAX_DEPTH
sys.setrecursionlimit(max(sys.getrecursionlimit(), _FRAMES))


class Parser:
    """Parses one expression.

    Args:
        expression: The text.
    """

    def __init__(self, expression: str) -> None:
        self._cursor = Cursor(expression)

    def parse(self) -> Expr:
        """Read the whole expression.

        Raises:
            ParseError: It is no PromQL.
        """
        if self._cursor.at("eof"):
            raise self._cursor.error(0, 0, "no expression found in input")
        expr = self._expression(0)
        if not self._cursor.at("eof"):
            raise self._cursor.unexpected()
        return expr

    def _expression(self, lowest: int) -> Expr:
        """Read operands joined by operators that bind at least as strongly as `lowest`."""
        entered = self._cursor.depth
        self._cursor.deepen()
        left = self._operand()
        while (precedence := _PRECEDENCE.get(self._cursor.token.kind, -1)) >= lowest:
            self._cursor.deepen()
            left = self._binary(left, precedence)
        self._cursor.depth = entered
        return left

    def _binary(self, left: Expr, precedence: int) -> Binary:
        op = self._cursor.advance()
        return_bool = self._cursor.accept("bool") is not None
        matching = parse_matching(self._cursor)
        op_end = self._cursor.last_end
        right = self._expression(precedence if op.kind == _RIGHT_ASSOCIATIVE else precedence + 1)
        scalar = left.type == right.type == ValueType.SCALAR
        return Binary(
            start=left.start,
            end=right.end,
            type=ValueType.SCALAR if scalar else ValueType.VECTOR,
            op=op.kind,
            left=left,
            right=right,
            return_bool=return_bool,
            matching=matching,
            op_start=op.start,
            op_end=op_end,
        )

    def _operand(self) -> Expr:
        if sign := self._cursor.accept("+", "-"):
            return self._unary(sign)
        expr = self._primary()
        while postfix := _POSTFIX.get(self._cursor.token.kind):
            self._cursor.deepen()  # each subquery is a level of the tree
            expr = postfix(self._cursor, expr)
        return expr

    def _unary(self, sign: Token) -> Expr:
        expr = self._expression(_UNARY_PRECEDENCE + 1)
        if isinstance(expr, NumberLiteral):
            return replace(expr, start=sign.start, value=-expr.value if sign.kind == "-" else expr.value)
        return Unary(start=sign.start, end=expr.end, type=expr.type, op=sign.kind, expr=expr)

    def _primary(self) -> Expr:
        token = self._cursor.token
        if token.kind in ("number", "duration"):
            self._cursor.advance()
            value = self._cursor.number(token)
            return NumberLiteral(start=token.start, end=token.end, value=value, duration=token.kind == "duration")
        if token.kind == "string":
            self._cursor.advance()
            return StringLiteral(start=token.start, end=token.end, value=self._cursor.string(token))
        if token.kind == "(":
            return self._paren()
        if token.kind == "{":
            return self._selector(None)
        if token.kind in METRIC_NAMES:
            return self._named(self._cursor.advance())
        raise self._cursor.unexpected()

    def _paren(self) -> Expr:
        opening = self._cursor.advance()
        expr = self._expression(0)
        self._cursor.expect(")")
        return Paren(start=opening.start, end=self._cursor.last_end, type=expr.type, expr=expr)

    def _named(self, name: Token) -> Expr:
        """An aggregation, a function call or a selector: told apart by what follows the name."""
        if name.kind in AGGREGATORS and self._cursor.at("(", "by", "without"):
            return self._aggregate(name)
        if name.kind in _CALLABLE and self._cursor.at("("):
            return self._call(name)
        return self._selector(name)

    def _selector(self, name: Token | None) -> VectorSelector:
        start = (name or self._cursor.token).start
        matchers = parse_matchers(self._cursor) if self._cursor.at("{") else ()
        if name is not None:
            matchers += (Matcher(METRIC_NAME, MatchOp.EQUAL, name.text),)
        return VectorSelector(start=start, end=self._cursor.last_end, name=name.text if name else "", matchers=matchers)

    def _arguments(self) -> tuple[Expr, ...]:
        self._cursor.expect("(")
        args: list[Expr] = []
        while not self._cursor.at(")"):
            args.append(self._expression(0))
            comma = self._cursor.accept(",")
            if comma is None:
                break
            if self._cursor.token.kind not in OPERANDS:
                reason = "trailing commas not allowed in function call args"
                raise self._cursor.error(comma.start, comma.end, reason)
        self._cursor.expect(")")
        return tuple(args)

    def _call(self, name: Token) -> Call:
        args = self._arguments()
        signature = SIGNATURES.get(name.text)
        if signature is None:
            raise self._cursor.error(name.start, name.end, f"unknown function with name {quote(name.text)}")
        return Call(start=name.start, end=self._cursor.last_end, function=name.text, args=args, type=signature.returns)

    def _aggregate(self, op: Token) -> Aggregate:
        self._cursor.within("aggregation")
        grouping = self._grouping()
        args = self._arguments()
        if grouping is None:
            grouping = self._grouping()
        self._cursor.left()
        without, labels = grouping or (False, ())
        wanted = 2 if op.kind in Aggregate.PARAMETRIC else 1
        end = self._cursor.last_end
        if len(args) != wanted:
            raise self._wrong_arguments(op, len(args), wanted, end)
        return Aggregate(
            start=op.start,
            end=end,
            op=op.kind,
            expr=args[-1],
            param=args[0] if wanted > 1 else None,
            grouping=labels,
            without=without,
        )

    def _grouping(self) -> tuple[bool, tuple[str, ...]] | None:
        mode = self._cursor.accept("by", "without")
        return None if mode is None else (mode.kind == "without", parse_label_list(self._cursor))

    def _wrong_arguments(self, op: Token, given: int, wanted: int, end: int) -> ParseError:
        if not given:
            return self._cursor.error(op.start, end, "no arguments for aggregate expression provided")
        reason = f"wrong number of arguments for aggregate expression provided, expected {wanted}, got {given}"
        return self._cursor.error(op.start, end, reason)
