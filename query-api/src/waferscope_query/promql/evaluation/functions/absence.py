"""absent and absent_over_time: a series where there is none."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from waferscope_query.promql.evaluation.context import Context
from waferscope_query.promql.evaluation.functions.arguments import Function
from waferscope_query.promql.evaluation.kernels import over_time
from waferscope_query.promql.evaluation.values import Vector
from waferscope_query.promql.labels import METADATA_LABELS, LabelFrame
from waferscope_query.promql.matchers import MatchOp
from waferscope_query.promql.parsing.tree import Call, Expr, MatrixSelector, VectorSelector


def _absent(node: Call, context: Context) -> Vector:
    return _where_not(context.vector(node.args[0]).present, node, context)


def _absent_over_time(node: Call, context: Context) -> Vector:
    windows = context.windows(node.args[0])
    samples = windows.samples
    values, present = context.cells(len(samples.labels))
    context.over_blocks(
        len(values), over_time.reduced,
        samples.offsets, samples.ts, samples.values, windows.ends, windows.width_ms, over_time.PRESENT,
        values, present,
    )  # fmt: skip
    return _where_not(present, node, context)


def _where_not(present: NDArray[np.bool_], node: Call, context: Context) -> Vector:
    missing = ~np.any(present, axis=0, keepdims=True)
    labels = LabelFrame.from_dicts([_implied_labels(node.args[0])], context.pool)
    return Vector(labels, np.ones(missing.shape), missing, np.zeros(1, np.bool_))


def _implied_labels(node: Expr) -> dict[str, str]:
    """The labels that a selector demands by a single equality each, without name, type and unit of the metric."""
    selector = node.selector if isinstance(node, MatrixSelector) else node
    if not isinstance(selector, VectorSelector):
        return {}
    times = Counter(matcher.name for matcher in selector.matchers)
    return {
        matcher.name: matcher.value
        for matcher in selector.matchers
        if matcher.op == MatchOp.EQUAL and matcher.name not in METADATA_LABELS and times[matcher.name] == 1
    }


FUNCTIONS: dict[str, Function] = {"absent": _absent, "absent_over_time": _absent_over_time}
