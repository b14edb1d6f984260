"""An expression over several lines where one is too long."""

from __future__ import annotations

from functools import singledispatch

from waferscope_query.promql.parsing import parse
from waferscope_query.promql.parsing.tree import Aggregate, Binary, Call, Expr, Paren, Subquery, Unary
from waferscope_query.promql.printing.plain import aggregation_text, operator_text, plain, subquery_text

_LINE = 100
_INDENT = "  "


def format_query(text: str) -> str:
    """An expression as Prometheus's /api/v1/format_query writes it.

    Raises:
        ParseError: The text is no PromQL.
    """
    return _pretty(parse(text).tree, 0)


@singledispatch
def _pretty(node: Expr, level: int) -> str:
    return _INDENT * level + plain(node)


def _fits(node: Expr) -> bool:
    return len(plain(node).encode()) <= _LINE


def _in_one_line(node: Expr, level: int) -> str:
    return _INDENT * level + plain(node)


@_pretty.register
def _(node: Aggregate, level: int) -> str:
    if _fits(node):
        return _in_one_line(node, level)
    args = [node.expr] if node.param is None else [node.param, node.expr]
    return _bracketed(aggregation_text(node), args, level)


@_pretty.register
def _(node: Call, level: int) -> str:
    return _in_one_line(node, level) if _fits(node) else _bracketed(node.function, list(node.args), level)


@_pretty.register
def _(node: Paren, level: int) -> str:
    return _in_one_line(node, level) if _fits(node) else _bracketed("", [node.expr], level)


def _bracketed(name: str, args: list[Expr], level: int) -> str:
    inner = ",\n".join(_pretty(arg, level + 1) for arg in args)
    return f"{_INDENT * level}{name}(\n{inner}\n{_INDENT * level})"


@_pretty.register
def _(node: Binary, level: int) -> str:
    if _fits(node):
        return _in_one_line(node, level)
    left, right = _pretty(node.left, level + 1), _pretty(node.right, level + 1)
    return f"{left}\n{_INDENT * level}{operator_text(node)}\n{right}"


@_pretty.register
def _(node: Subquery, level: int) -> str:
    """One that fits isn't indented, as Prometheus has it."""
    return plain(node) if _fits(node) else _pretty(node.expr, level) + subquery_text(node)


@_pretty.register
def _(node: Unary, level: int) -> str:
    return _INDENT * level + node.op + _pretty(node.expr, level).strip()
