"""Binary operators: the case of at least one scalar here, two vectors in `matching` and `sets`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from waferscope_query.promql.evaluation.context import Context
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
        return match_vectors(node, left, right)
    if isinstance(left, Vector):
        assert isinstance(right, Scalar)
        return _with_scalar(node, left, left.values, right.values)
    assert isinstance(left, Scalar)
    if isinstance(right, Vector):
        return _with_scalar(node, right, left.values, right.values)
    assert isinstance(right, Scalar)
    return Scalar(_of_scalars(node.op, left.values, right.values))


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
