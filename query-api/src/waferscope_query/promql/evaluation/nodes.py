"""Evaluating a node: which module answers which kind."""

from __future__ import annotations

from dataclasses import replace
from functools import singledispatch

import numpy as np

from waferscope_query.promql.errors import ExecutionError
from waferscope_query.promql.evaluation.aggregating import aggregate
from waferscope_query.promql.evaluation.binary import binary
from waferscope_query.promql.evaluation.context import Context
from waferscope_query.promql.evaluation.functions import IMPLEMENTED
from waferscope_query.promql.evaluation.functions.extended import refusal
from waferscope_query.promql.evaluation.histogram_operators import negated
from waferscope_query.promql.evaluation.history import over_past
from waferscope_query.promql.evaluation.selecting import instant_vector, range_vector, subquery
from waferscope_query.promql.evaluation.smoothing import smoothed_vector
from waferscope_query.promql.evaluation.values import Scalar, String, Value, Vector
from waferscope_query.promql.grid import Grid
from waferscope_query.promql.parsing.tree import (
    Aggregate,
    Binary,
    Call,
    Expr,
    Invariant,
    MatrixSelector,
    NumberLiteral,
    Paren,
    StringLiteral,
    Subquery,
    Unary,
    VectorSelector,
    unwrap,
)


@singledispatch
def visit(node: Expr, context: Context) -> Value:
    """Evaluate a node at all steps of the context."""
    del context
    raise TypeError(f"no way to evaluate {type(node).__name__}")


@visit.register
def _(node: NumberLiteral, context: Context) -> Scalar:
    return Scalar(np.full(len(context.times), node.value))


@visit.register
def _(node: StringLiteral, context: Context) -> String:
    del context
    return String(node.value)


@visit.register
def _(node: Paren, context: Context) -> Value:
    return context.visit(node.expr, context)


@visit.register
def _(node: Invariant, context: Context) -> Value:
    steps = len(context.times)
    if steps == 1:
        return context.visit(node.expr, context)
    start = context.grid.start_ms
    value = context.visit(node.expr, context.over(Grid(start, start, 1)))
    context.cells(len(value) if isinstance(value, Vector) else 1)
    if isinstance(value, Vector):
        return value.repeated(steps)
    return Scalar(np.repeat(value.values, steps)) if isinstance(value, Scalar) else value


@visit.register
def _(node: Unary, context: Context) -> Value:
    value = context.visit(node.expr, context)
    if node.op == "+":
        return value
    if isinstance(value, Scalar):
        return Scalar(-value.values)
    assert isinstance(value, Vector)
    return replace(value, values=-value.values, histograms=negated(value.histograms)).nameless()


@visit.register
def _(node: VectorSelector, context: Context) -> Value:
    return over_past(node, context, smoothed_vector if node.extension == "smoothed" else instant_vector)


@visit.register
def _(node: MatrixSelector, context: Context) -> Value:
    return range_vector(node, context)


@visit.register
def _(node: Subquery, context: Context) -> Value:
    return subquery(node, context)


@visit.register
def _(node: Aggregate, context: Context) -> Vector:
    return aggregate(node, context)


@visit.register
def _(node: Binary, context: Context) -> Value:
    return binary(node, context)


@visit.register
def _(node: Call, context: Context) -> Value:
    for arg in map(unwrap, node.args):
        reason = refusal(arg.selector.extension, node.function) if isinstance(arg, MatrixSelector) else None
        if reason is not None:
            raise ExecutionError(reason)
    return over_past(node, context, IMPLEMENTED[node.function])
