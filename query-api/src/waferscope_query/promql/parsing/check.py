"""The type check, with Prometheus's messages."""

from __future__ import annotations

from functools import singledispatch

from waferscope_query.promql.errors import ParseError
from waferscope_query.promql.labels import METRIC_NAME
from waferscope_query.promql.parsing.literals import quote
from waferscope_query.promql.parsing.signatures import SIGNATURES
from waferscope_query.promql.parsing.tree import (
    COMPARISONS,
    SET_OPERATORS,
    Aggregate,
    Binary,
    Call,
    Cardinality,
    Expr,
    Subquery,
    Unary,
    ValueType,
    VectorSelector,
)

_OPERANDS = (ValueType.SCALAR, ValueType.VECTOR)
_SHORT = {ValueType.VECTOR: "vector", ValueType.MATRIX: "matrix"}


def check(tree: Expr, expression: str) -> None:
    """Check the types of every node's operands, inner nodes first.

    Raises:
        ParseError: An operand is of the wrong type or a selector of no use.
    """
    for child in tree.children:
        check(child, expression)
    for node, reason in _complaints(tree):
        raise ParseError(expression, *node, reason)


Complaint = tuple[tuple[int, int], str]


@singledispatch
def _complaints(node: Expr) -> list[Complaint]:
    """What is wrong with one node whose operands are right in themselves."""
    del node
    return []


def _span(node: Expr) -> tuple[int, int]:
    return (node.start, node.end)


def _expect(node: Expr, wanted: ValueType, context: str) -> list[Complaint]:
    if node.type == wanted:
        return []
    return [(_span(node), f"expected type {wanted} in {context}, got {node.type}")]


@_complaints.register
def _(node: Aggregate) -> list[Complaint]:
    complaints = _expect(node.expr, ValueType.VECTOR, "aggregation expression")
    if node.param is not None:
        wanted = ValueType.STRING if node.op == "count_values" else ValueType.SCALAR
        complaints += _expect(node.param, wanted, "aggregation parameter")
    return complaints


@_complaints.register
def _(node: Call) -> list[Complaint]:
    signature = SIGNATURES[node.function]
    given, required, name = len(node.args), signature.required, quote(node.function)
    if signature.optional == 0 and given != required:
        return [(_span(node), f"expected {required} argument(s) in call to {name}, got {given}")]
    if given < required:
        return [(_span(node), f"expected at least {required} argument(s) in call to {name}, got {given}")]
    if signature.optional is not None and given > required + signature.optional:
        most = required + signature.optional
        return [(_span(node), f"expected at most {most} argument(s) in call to {name}, got {given}")]
    types = signature.args + signature.args[-1:] * (given - len(signature.args))
    pairs = zip(node.args, types, strict=False)
    return [complaint for arg, wanted in pairs for complaint in _expect(arg, wanted, f"call to function {name}")]


@_complaints.register
def _(node: Unary) -> list[Complaint]:
    if node.expr.type in _OPERANDS:
        return []
    reason = f'unary expression only allowed on expressions of type scalar or instant vector, got "{node.expr.type}"'
    return [(_span(node), reason)]


@_complaints.register
def _(node: Subquery) -> list[Complaint]:
    if node.expr.type == ValueType.VECTOR:
        return []
    got = _SHORT.get(node.expr.type, node.expr.type)
    return [(_span(node), f"subquery is only allowed on instant vector, got {got} instead")]


@_complaints.register
def _(node: VectorSelector) -> list[Complaint]:
    if node.name:
        twice = [m.value for m in node.matchers[:-1] if m.name == METRIC_NAME]
        return [
            (_span(node), f"metric name must not be set twice: {quote(node.name)} or {quote(value)}") for value in twice
        ]
    if all(matcher.matches("") for matcher in node.matchers):
        return [(_span(node), "vector selector must contain at least one non-empty matcher")]
    return []


@_complaints.register
def _(node: Binary) -> list[Complaint]:
    operator = (node.op_start, node.op_end)
    left, right = node.left.type, node.right.type
    complaints: list[Complaint] = []
    if node.return_bool and node.op not in COMPARISONS:
        complaints.append((operator, "bool modifier can only be used on comparison operators"))
    if node.op in COMPARISONS and not node.return_bool and left == right == ValueType.SCALAR:
        complaints.append((operator, "comparisons between scalars must use BOOL modifier"))
    if node.matching.on:
        complaints += [
            (operator, f"label {quote(label)} must not occur in ON and GROUP clause at once")
            for label in node.matching.labels
            if label in node.matching.include
        ]
    complaints += [
        (_span(side), "binary expression must contain only scalar and instant vector types")
        for side in (node.left, node.right)
        if side.type not in _OPERANDS
    ]
    return complaints + _matching_complaints(node)


def _matching_complaints(node: Binary) -> list[Complaint]:
    if node.left.type == node.right.type == ValueType.VECTOR:
        if node.op in SET_OPERATORS and node.matching.cardinality != Cardinality.ONE_TO_ONE:
            return [(_span(node), f"no grouping allowed for {quote(node.op)} operation")]
        return []
    complaints: list[Complaint] = []
    if node.matching.labels:
        complaints.append((_span(node), "vector matching only allowed between instant vectors"))
    if node.op in SET_OPERATORS:
        complaints.append((_span(node), f"set operator {quote(node.op)} not allowed in binary scalar expression"))
    return complaints
