"""Between scalars and vectors, time, and order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from waferscope_query.promql.evaluation.context import Context
from waferscope_query.promql.evaluation.functions.arguments import Function
from waferscope_query.promql.evaluation.selecting import sample_times
from waferscope_query.promql.evaluation.values import Scalar, Vector
from waferscope_query.promql.labels import LabelFrame
from waferscope_query.promql.parsing.tree import Call, VectorSelector, unwrap


def as_vector(values: NDArray[np.float64], context: Context) -> Vector:
    """One series without labels: values float64[s]."""
    present = np.ones((1, len(values)), np.bool_)
    return Vector(LabelFrame.blank(1, context.pool), values[np.newaxis], present, np.zeros(1, np.bool_))


def _vector(node: Call, context: Context) -> Vector:
    return as_vector(context.scalar(node.args[0]), context)


def _scalar(node: Call, context: Context) -> Scalar:
    """The value of a vector's only series of floats, else NaN."""
    vector = context.floats(node.args[0])
    alone = vector.present.sum(axis=0) == 1
    total = np.where(vector.present, vector.values, 0).sum(axis=0)
    return Scalar(np.where(alone, total, np.nan))


def _time(node: Call, context: Context) -> Scalar:
    del node
    return Scalar(context.times / 1000)


def _pi(node: Call, context: Context) -> Scalar:
    del node
    return Scalar(np.full(len(context.times), np.pi))


def _timestamp(node: Call, context: Context) -> Vector:
    """When a selector's samples were taken; of anything computed, the step's own time."""
    inner = unwrap(node.args[0])
    if isinstance(inner, VectorSelector):
        return sample_times(inner, context).nameless()
    vector = context.vector(inner)
    times = np.broadcast_to(context.times / 1000, vector.values.shape)
    return replace(vector, values=times, histograms=None).nameless()


def _sort(node: Call, context: Context) -> Vector:
    """Order an instant answer by value, NaN last; over a range there is nothing to order."""
    vector = context.floats(node.args[0])
    if len(context.times) != 1:
        text = "sort is ineffective for range queries since results are always ordered by labels"
        context.notes.warn(text, node.start)
        return vector
    sign = 1 if node.function == "sort" else -1
    return vector.take(np.argsort(sign * vector.values[:, 0], kind="stable"))


FUNCTIONS: dict[str, Function] = {
    "vector": _vector,
    "scalar": _scalar,
    "time": _time,
    "pi": _pi,
    "timestamp": _timestamp,
    "sort": _sort,
    "sort_desc": _sort,
}
