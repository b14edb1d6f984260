"""An expression as the JSON tree of Prometheus's /api/v1/parse_query."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

from waferscope_query.promql.matchers import Matcher
from waferscope_query.promql.parsing import parse
from waferscope_query.promql.parsing.literals import scrub
from waferscope_query.promql.parsing.signatures import SIGNATURES
from waferscope_query.promql.parsing.tree import (
    Aggregate,
    Binary,
    Call,
    Duration,
    Edge,
    Expr,
    MatrixSelector,
    NumberLiteral,
    Paren,
    Selecting,
    StringLiteral,
    Subquery,
    Unary,
    ValueType,
    VectorSelector,
)
from waferscope_query.promql.printing.plain import cardinality, effective_matching
from waferscope_query.promql.text import float_text

Node = dict[str, Any]
_TYPES = {
    ValueType.VECTOR: "vector",
    ValueType.MATRIX: "matrix",
    ValueType.SCALAR: "scalar",
    ValueType.STRING: "string",
}


def parse_query(text: str) -> Node:
    """An expression as a JSON object.

    Raises:
        ParseError: The text is no PromQL.
    """
    return _node(parse(text).tree)


@singledispatch
def _node(node: Expr) -> Node:
    raise TypeError(f"no way to write {type(node).__name__}")


@_node.register
def _(node: NumberLiteral) -> Node:
    return {"type": "numberLiteral", "val": float_text(node.value)}


@_node.register
def _(node: StringLiteral) -> Node:
    return {"type": "stringLiteral", "val": scrub(node.value)}


@_node.register
def _(node: Paren) -> Node:
    return {"type": "parenExpr", "expr": _node(node.expr)}


@_node.register
def _(node: Unary) -> Node:
    return {"type": "unaryExpr", "op": node.op, "expr": _node(node.expr)}


@_node.register
def _(node: Aggregate) -> Node:
    return {
        "type": "aggregation",
        "op": node.op,
        "expr": _node(node.expr),
        "param": None if node.param is None else _node(node.param),
        "grouping": list(node.grouping),
        "without": node.without,
    }


@_node.register
def _(node: Binary) -> Node:
    return {
        "type": "binaryExpr",
        "op": node.op,
        "lhs": _node(node.left),
        "rhs": _node(node.right),
        "matching": _matching(node),
        "bool": node.return_bool,
    }


def _matching(node: Binary) -> Node | None:
    matching = effective_matching(node)
    if matching is None:
        return None
    return {
        "card": cardinality(node).value,
        "labels": list(matching.labels),
        "on": matching.on,
        "include": list(matching.include),
        "fillValues": {"lhs": matching.fill_left, "rhs": matching.fill_right},
    }


@_node.register
def _(node: Call) -> Node:
    signature = SIGNATURES[node.function]
    function = {
        "name": node.function,
        "argTypes": [_TYPES[arg] for arg in signature.args],
        "variadic": -1 if signature.optional is None else signature.optional,
        "returnType": _TYPES[signature.returns],
    }
    return {"type": "call", "func": function, "args": [_node(arg) for arg in node.args]}


@_node.register
def _(node: VectorSelector) -> Node:
    return {"type": "vectorSelector", **_series(node), **_modifiers(node)}


@_node.register
def _(node: MatrixSelector) -> Node:
    span = {"range": node.range_ms, "rangeExpr": _duration(node.range_expr)}
    return {"type": "matrixSelector", **span, **_series(node.selector), **_modifiers(node)}


@_node.register
def _(node: Subquery) -> Node:
    return {
        "type": "subquery",
        "expr": _node(node.expr),
        "range": node.range_ms,
        "rangeExpr": _duration(node.range_expr),
        "step": node.step_ms or 0,
        "stepExpr": _duration(node.step_expr),
        **_modifiers(node),
    }


def _series(node: VectorSelector) -> Node:
    return {
        "name": node.name,
        "matchers": [_matcher(matcher) for matcher in node.matchers],
        "anchored": node.extension == "anchored",
        "smoothed": node.extension == "smoothed",
    }


def _matcher(matcher: Matcher) -> Node:
    return {"name": matcher.name, "value": matcher.value, "type": matcher.op.value}


def _modifiers(node: Selecting) -> Node:
    edge = isinstance(node.at, Edge)
    return {
        "offset": node.offset_ms,
        "offsetExpr": _duration(node.offset_expr),
        "timestamp": None if edge else node.at,
        "startOrEnd": str(node.at) if edge else None,
    }


def _duration(node: Expr | None) -> Node | None:
    if node is None:
        return None
    if isinstance(node, NumberLiteral):
        return {**_node(node), "duration": node.duration}
    assert isinstance(node, Duration)
    return {
        "type": "durationExpr",
        "op": node.op,
        "lhs": _duration(node.left),
        "rhs": _duration(node.right),
        "wrapped": node.wrapped,
    }
