"""Between scalars and vectors, time, and order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from waferscope_query.promql.evaluation.context import Context
from waferscope_query.promql.evaluation.functions.arguments import Function
from waferscope_query.promql.evaluation.selecting import sample_starts, sample_times
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
    if not len(vector):
        return Scalar(np.full(len(context.times), np.nan))
    alone = vector.present.sum(axis=0) == 1
    only = vector.values[vector.present.argmax(axis=0), np.arange(len(context.times))]
    return Scalar(np.where(alone, only, np.nan))


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
    vector = context.vector(node.args[0])
    times = np.broadcast_to(context.times / 1000, vector.values.shape)
    return replace(vector, values=times, histograms=None).nameless()


def _start_timestamp(node: Call, context: Context) -> Vector:
    """Since when a selector's samples count; nothing computed has such a time."""
    inner = unwrap(node.args[0])
    if isinstance(inner, VectorSelector) and context.limits.use_starts:
        return sample_starts(inner, context).nameless()
    vector = context.vector(node.args[0])
    return replace(vector, present=np.zeros_like(vector.present), histograms=None).nameless()


FUNCTIONS: dict[str, Function] = {
    "vector": _vector,
    "scalar": _scalar,
    "time": _time,
    "pi": _pi,
    "timestamp": _timestamp,
    "start_timestamp": _start_timestamp,
}
