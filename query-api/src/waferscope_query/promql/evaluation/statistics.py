"""Selectors whose histograms are only counted or summed: they are read without their buckets.

Prometheus does so too, and it shows: resets of counters are told by hints then, which may contradict in a sum.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from waferscope_query.promql.evaluation.kernels.native import windows
from waferscope_query.promql.histograms import (
    BOUNDS,
    HINT,
    NEGATIVE_SIZE,
    POSITIVE_SIZE,
    ZERO_COUNT,
    ZERO_THRESHOLD,
    HistogramCells,
)
from waferscope_query.promql.parsing.tree import Aggregate, Binary, Call, Expr, MatrixSelector, Subquery, VectorSelector
from waferscope_query.promql.source import Samples

_CONTENT = frozenset({"histogram_count", "histogram_sum", "histogram_avg", "timestamp", "absent"})
_NOT_CONTENT = frozenset(
    {
        "histogram_quantile",
        "histogram_quantiles",
        "histogram_fraction",
        "histogram_stddev",
        "histogram_stdvar",
        "changes",
    }
)
_ON_BUCKETS = frozenset({"==", "!=", "</", ">/"})


def statistics_selectors(tree: Expr) -> frozenset[int]:
    """The selectors, by their first character, whose histograms need no buckets."""
    return frozenset(selector.start for selector, path in _selectors(tree, ()) if _is_content(path))


def _selectors(node: Expr, path: tuple[Expr, ...]) -> Iterator[tuple[VectorSelector, tuple[Expr, ...]]]:
    if isinstance(node, VectorSelector):
        yield node, path
    children = (node.selector,) if isinstance(node, MatrixSelector) else node.children
    for child in children:
        yield from _selectors(child, (*path, node))


def _is_content(path: tuple[Expr, ...]) -> bool:
    """Whether what stands around a selector, from the inside out, does without buckets."""
    content = False
    for node in reversed(path):
        if (
            isinstance(node, Subquery)
            or (isinstance(node, Call) and node.function in _NOT_CONTENT)
            or (isinstance(node, Aggregate) and node.op == "count_values")
            or (isinstance(node, Binary) and node.op in _ON_BUCKETS)
        ):
            return False
        if isinstance(node, Call) and node.function in _CONTENT:
            content = True
    return content


def statistics_of(samples: Samples) -> Samples:
    """The samples, their histograms reduced to count, sum and a hint that tells of resets."""
    if samples.histograms is None:
        return samples
    at = samples.histograms.at.astype(np.int64)
    hints = np.zeros(len(at), np.int64)
    windows.statistics_hints(samples.histograms.table, at, samples.offsets, hints)
    found = at >= 0
    table = samples.histograms.table.take(at[found])
    table.shape[:, HINT] = hints[found]
    table.shape[:, (BOUNDS, POSITIVE_SIZE, NEGATIVE_SIZE)] = 0
    table.head[:, (ZERO_COUNT, ZERO_THRESHOLD)] = 0
    rows = np.where(found, np.cumsum(found) - 1, -1).astype(np.int32)
    return replace(samples, histograms=HistogramCells(table, rows))
