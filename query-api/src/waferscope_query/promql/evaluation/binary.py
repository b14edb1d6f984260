"""Binary operators: the case of at least one scalar here, two vectors in `matching` and `sets`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from waferscope_query.promql.errors import ExecutionError
from waferscope_query.promql.evaluation.context import Context
from waferscope_query.promql.evaluation.histogram_operators import TRIMS, Side, operate
from waferscope_query.promql.evaluation.matching import match_vectors
from waferscope_query.promql.evaluation.operators import Floats, compare, compute, is_comparison
from waferscope_query.promql.evaluation.sets import combine_sets
from waferscope_query.promql.evaluation.values import Scalar, Value, Vector
from waferscope_query.promql.parsing.tree import SET_OPERATORS, Binary


def binary(node: Binary, context: Context) -> Value:
    """Evaluate a binary expression."""
    left, right = context.visit(node.left, context), context.visit(node.right, context)
    if isinstance(left, Vector) and isinstance(right, Vector):
        if node.op in SET_OPERATORS:
            return combine_sets(node, left, right)
        return match_vectors(node, left, right, context)
    assert isinstance(left, Scalar | Vector)
    assert isinstance(right, Scalar | Vector)
    vector = left if isinstance(left, Vector) else right
    if not isinstance(vector, Vector):
        if node.op in TRIMS:
            raise ExecutionError(f'operator "{node.op}" not allowed for Scalar operations')
        return Scalar(_of_scalars(node.op, left.values, right.values))
    if vector.histograms is not None or node.op in TRIMS:
        sides = _side(left, vector), _side(right, vector)
        return _of_histograms(node, vector, sides, context)
    return _with_scalar(node, vector, left.values, right.values)


def _side(operand: Scalar | Vector, vector: Vector) -> Side:
    histograms = operand.histograms if isinstance(operand, Vector) else None
    return Side(np.broadcast_to(operand.values, vector.values.shape), histograms)


def _of_histograms(node: Binary, vector: Vector, sides: tuple[Side, Side], context: Context) -> Vector:
    """`_with_scalar`, where the vector may hold histograms."""
    outcome = operate(node, *sides, vector.present, context)
    values = outcome.values
    if is_comparison(node.op) and not node.return_bool:
        values = vector.values
    result = replace(vector, values=values, present=outcome.kept, histograms=outcome.histograms)
    return result if node.op in TRIMS or (is_comparison(node.op) and not node.return_bool) else result.nameless()


def _of_scalars(op: str, left: Floats, right: Floats) -> Floats:
    return compare(op, left, right).astype(np.float64) if is_comparison(op) else compute(op, left, right)


def _with_scalar(node: Binary, vector: Vector, left: Floats, right: Floats) -> Vector:
    """One side is the vector's values, the other float64[s]; a filter keeps the vector's values on either side."""
    if not is_comparison(node.op):
        return replace(vector, values=compute(node.op, left, right)).nameless()
    verdict = compare(node.op, left, right)
    if node.return_bool:
        return replace(vector, values=verdict.astype(np.float64)).nameless()
    return replace(vector, present=vector.present & verdict)
