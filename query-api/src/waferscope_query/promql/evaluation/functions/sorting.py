"""The order of an instant answer; over a range there is nothing to order."""

from __future__ import annotations

import functools
import re
from itertools import zip_longest

import numpy as np

from waferscope_query.promql.evaluation.context import Context
from waferscope_query.promql.evaluation.functions.arguments import Function
from waferscope_query.promql.evaluation.values import Vector
from waferscope_query.promql.labels import LabelFrame
from waferscope_query.promql.parsing.tree import Call

_CHUNKS = re.compile(r"[0-9]+|[^0-9]+")
_LARGEST = 2**63


def _sort(node: Call, context: Context) -> Vector:
    """Order the floats of an instant answer by value, NaN last; over a range there is nothing to order."""
    vector = context.floats(node.args[0])
    _warn_of_range(node, context)
    if len(context.times) != 1:
        return vector
    sign = 1 if node.function == "sort" else -1
    return vector.take(np.argsort(sign * vector.values[:, 0], kind="stable"))


def _sort_by_label(node: Call, context: Context) -> Vector:
    """Order by labels, numbers in them by value, then by all labels."""
    vector = context.vector(node.args[0])
    _warn_of_range(node, context)
    if len(context.times) != 1:
        return vector
    sign = 1 if node.function == "sort_by_label" else -1
    keys = [_ranks(vector.labels, context.string(arg)) for arg in node.args[1:]]
    whole = np.empty(len(vector), np.int64)
    whole[vector.labels.order()] = np.arange(len(vector))
    return vector.take(np.lexsort([sign * key for key in reversed([*keys, whole])]))


def _warn_of_range(node: Call, context: Context) -> None:
    if context.grid.start_ms == context.grid.end_ms:
        return
    text = "sort is ineffective for range queries since results are always ordered by labels"
    context.notes.warn(text, node.start)


def _ranks(labels: LabelFrame, name: str) -> np.typing.NDArray[np.int64]:
    """int64[n]: the place of each series' label value among all."""
    distinct, inverse = np.unique(labels.column(name), return_inverse=True)
    texts = [labels.pool.text(code) for code in distinct.tolist()]
    order = sorted(range(len(texts)), key=lambda index: _NATURAL(texts[index]))
    ranks = np.empty(len(texts), np.int64)
    ranks[order] = np.arange(len(texts))
    return ranks[inverse]


def _compare(left: str, right: str) -> int:
    """Natural order: runs of digits compare as numbers."""
    if left == right:
        return 0
    for a, b in zip_longest(_CHUNKS.findall(left), _CHUNKS.findall(right)):
        if a is None or b is None:
            return -1 if a is None else 1
        if a.isdigit() and b.isdigit() and max(int(a), int(b)) < _LARGEST:
            if int(a) != int(b):
                return -1 if int(a) < int(b) else 1
        elif a != b:
            return -1 if a < b else 1
    return -1


_NATURAL = functools.cmp_to_key(_compare)
FUNCTIONS: dict[str, Function] = {
    "sort": _sort,
    "sort_desc": _sort,
    "sort_by_label": _sort_by_label,
    "sort_by_label_desc": _sort_by_label,
}
