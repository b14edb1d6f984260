"""Functions of one value: abs to tanh, round, clamp."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from waferscope_query.promql.evaluation.context import Context
from waferscope_query.promql.evaluation.functions.arguments import Function
from waferscope_query.promql.evaluation.operators import larger, smaller
from waferscope_query.promql.evaluation.values import Scalar, Vector
from waferscope_query.promql.parsing.tree import Call

Floats = NDArray[np.float64]

_MATHEMATICS: dict[str, Callable[[Floats], Floats]] = {
    "abs": np.abs,
    "acos": np.arccos,
    "acosh": np.arccosh,
    "asin": np.arcsin,
    "asinh": np.arcsinh,
    "atan": np.arctan,
    "atanh": np.arctanh,
    "ceil": np.ceil,
    "cos": np.cos,
    "cosh": np.cosh,
    "deg": lambda values: values * (180 / np.pi),
    "exp": np.exp,
    "floor": np.floor,
    "ln": np.log,
    "log10": np.log10,
    "log2": np.log2,
    "rad": lambda values: values * (np.pi / 180),
    "sgn": np.sign,
    "sin": np.sin,
    "sinh": np.sinh,
    "sqrt": np.sqrt,
    "tan": np.tan,
    "tanh": np.tanh,
}


def _mathematics(node: Call, context: Context) -> Vector:
    vector = context.floats(node.args[0])
    return replace(vector, values=_MATHEMATICS[node.function](vector.values)).nameless()


def _round(node: Call, context: Context) -> Vector:
    """Round to a multiple of the second argument; halves up."""
    vector = context.floats(node.args[0])
    inverse = 1 / context.scalar(node.args[1]) if len(node.args) > 1 else 1.0
    return replace(vector, values=np.floor(vector.values * inverse + 0.5) / inverse).nameless()


def _clamp(node: Call, context: Context) -> Vector:
    vector = context.floats(node.args[0])
    low, high = context.scalar(node.args[1]), context.scalar(node.args[2])
    clamped = larger(low, smaller(high, vector.values))
    return replace(vector, values=clamped, present=vector.present & ~(high < low)).nameless()


def _clamp_min(node: Call, context: Context) -> Vector:
    vector = context.floats(node.args[0])
    return replace(vector, values=larger(context.scalar(node.args[1]), vector.values)).nameless()


def _clamp_max(node: Call, context: Context) -> Vector:
    vector = context.floats(node.args[0])
    return replace(vector, values=smaller(context.scalar(node.args[1]), vector.values)).nameless()


def _max_of(node: Call, context: Context) -> Scalar:
    return Scalar(larger(context.scalar(node.args[0]), context.scalar(node.args[1])))


def _min_of(node: Call, context: Context) -> Scalar:
    return Scalar(smaller(context.scalar(node.args[0]), context.scalar(node.args[1])))


FUNCTIONS: dict[str, Function] = {
    **dict.fromkeys(_MATHEMATICS, _mathematics),
    "round": _round,
    "max_of": _max_of,
    "min_of": _min_of,
    "clamp": _clamp,
    "clamp_min": _clamp_min,
    "clamp_max": _clamp_max,
}
