"""The type check, with Prometheus's messages, in Prometheus's order."""

from __future__ import annotations

from functools import singledispatchmethod

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
_UNARY = "unary expression only allowed on expressions of type scalar or instant vector"


class Checker:
    """Checks the types of every node's operands.

    Args:
        expression: The text, for messages.
    """

    def __init__(self, expression: str) -> None:
        self._expression = expression

    @singledispatchmethod
    def check(self, node: Expr) -> None:
        """Check a node and all below it.

        Raises:
            ParseError: An operand is of the wrong type or a selector of no use.
        """
        for child in node.children:
            self.check(child)

    def _error(self, node: Expr, reason: str) -> ParseError:
        return ParseError(self._expression, node.start, node.end, reason)

    def _expect(self, node: Expr, wanted: ValueType, context: str) -> None:
        self.check(node)
        if node.type != wanted:
            raise self._error(node, f"expected type {wanted} in {context}, got {node.type}")

    @check.register
    def _(self, node: Aggregate) -> None:
        self._expect(node.expr, ValueType.VECTOR, "aggregation expression")
        if node.param is not None:
            wanted = ValueType.STRING if node.op == "count_values" else ValueType.SCALAR
            self._expect(node.param, wanted, "aggregation parameter")

    @check.register
    def _(self, node: Call) -> None:
        self._check_number_of_arguments(node)
        if node.function == "info" and len(node.args) > 1:
            self._check_info(node)
        types = SIGNATURES[node.function].args
        for index, arg in enumerate(node.args):
            if node.function == "info" and index == 1:
                continue
            self._expect(arg, types[min(index, len(types) - 1)], f"call to function {quote(node.function)}")

    def _check_number_of_arguments(self, node: Call) -> None:
        signature = SIGNATURES[node.function]
        given, required, name = len(node.args), signature.required, quote(node.function)
        if signature.optional == 0 and given != required:
            raise self._error(node, f"expected {required} argument(s) in call to {name}, got {given}")
        if given < required:
            raise self._error(node, f"expected at least {required} argument(s) in call to {name}, got {given}")
        if signature.optional is not None and given > required + signature.optional:
            most = required + signature.optional
            raise self._error(node, f"expected at most {most} argument(s) in call to {name}, got {given}")

    def _check_info(self, node: Call) -> None:
        """The second argument of info() only names labels; it may match every series."""
        data = node.args[1]
        if data.type != ValueType.VECTOR:
            name = quote(node.function)
            raise self._error(node, f"expected type {ValueType.VECTOR} in call to function {name}, got {data.type}")
        if not isinstance(data, VectorSelector):
            raise self._error(data, "expected label selectors only")
        if data.name:
            raise self._error(data, "expected label selectors only, got vector selector instead")

    @check.register
    def _(self, node: Unary) -> None:
        self.check(node.expr)
        if node.expr.type not in _OPERANDS:
            raise self._error(node, f'{_UNARY}, got "{node.expr.type}"')

    @check.register
    def _(self, node: Subquery) -> None:
        self.check(node.expr)
        if node.expr.type != ValueType.VECTOR:
            got = _SHORT.get(node.expr.type, node.expr.type)
            raise self._error(node, f"subquery is only allowed on instant vector, got {got} instead")

    @check.register
    def _(self, node: VectorSelector) -> None:
        if node.name:
            for matcher in node.matchers[:-1]:
                if matcher.name == METRIC_NAME:
                    pair = f"{quote(node.name)} or {quote(matcher.value)}"
                    raise self._error(node, f"metric name must not be set twice: {pair}")
        elif all(matcher.matches("") for matcher in node.matchers):
            raise self._error(node, "vector selector must contain at least one non-empty matcher")

    @check.register
    def _(self, node: Binary) -> None:
        self.check(node.left)
        self.check(node.right)
        self._check_operator(node)
        for side in (node.left, node.right):
            if side.type not in _OPERANDS:
                raise self._error(side, "binary expression must contain only scalar and instant vector types")
        if node.left.type == node.right.type == ValueType.VECTOR:
            self._check_set_operator(node)
        else:
            self._check_scalar_operand(node)

    def _check_operator(self, node: Binary) -> None:
        if node.return_bool and node.op not in COMPARISONS:
            raise self._operator_error(node, "bool modifier can only be used on comparison operators")
        if node.op in COMPARISONS and not node.return_bool and node.left.type == node.right.type == ValueType.SCALAR:
            raise self._operator_error(node, "comparisons between scalars must use BOOL modifier")
        if node.matching.on:
            for label in node.matching.labels:
                if label in node.matching.include:
                    reason = f"label {quote(label)} must not occur in ON and GROUP clause at once"
                    raise self._operator_error(node, reason)

    def _operator_error(self, node: Binary, reason: str) -> ParseError:
        return ParseError(self._expression, node.op_start, node.op_end, reason)

    def _check_set_operator(self, node: Binary) -> None:
        if node.op not in SET_OPERATORS:
            return
        if node.matching.cardinality != Cardinality.ONE_TO_ONE:
            raise self._error(node, f"no grouping allowed for {quote(node.op)} operation")
        if node.matching.fills:
            raise self._error(node, "filling in missing series not allowed for set operators")

    def _check_scalar_operand(self, node: Binary) -> None:
        if node.matching.labels:
            raise self._error(node, "vector matching only allowed between instant vectors")
        if node.matching.fills:
            raise self._error(node, "filling in missing series only allowed between instant vectors")
        if node.op in SET_OPERATORS:
            raise self._error(node, f"set operator {quote(node.op)} not allowed in binary scalar expression")
