"""The samples a query consumes, counted as Prometheus counts them (util/stats, QuerySamples).

A float counts 1, a histogram as many as it has times 16 bytes in Prometheus's memory.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from waferscope_query.promql.evaluation.kernels import counting
from waferscope_query.promql.evaluation.values import Vector, Windows
from waferscope_query.promql.grid import Grid
from waferscope_query.promql.histograms import BOUNDS, NEGATIVE_SIZE, POSITIVE_SIZE, HistogramTable
from waferscope_query.promql.parsing.tree import Subquery
from waferscope_query.promql.source import Samples

_HISTOGRAM_BYTES, _FIELD_BYTES, _SAMPLE_BYTES = 168, 8, 16  # a Go struct; each span, bucket and bound of it

Counts = NDArray[np.int64]


class SampleCounts:
    """What was counted over the steps of a query or subquery.

    Args:
        grid: The steps.

    Attributes:
        consumed: int64[s]: what each step would consume if it were asked alone.
        read: int64[s]: what a step reads that the one before hasn't.
        series: Series that selectors found.
    """

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self.consumed: Counts = np.zeros(grid.count, np.int64)
        self.read: Counts = np.zeros(grid.count, np.int64)
        self.series = 0

    def add_vector(self, vector: Vector, series: int) -> None:
        """Count what an instant selector found at each step."""
        found = weights(vector).sum(axis=0)
        self.consumed += found
        self.read += found
        self.series += series

    def add_windows(self, windows: Windows, lookback_ms: int) -> int:
        """Count the samples in the windows of a range selector; returns what the largest one of a series holds."""
        samples, until = windows.samples, windows.ends
        after = until - windows.width_ms - (lookback_ms if windows.extension else 0)
        if windows.extension == "smoothed":
            until = until + lookback_ms
        fixed = len(until) > 1 and bool((until == until[0]).all())
        consumed, fresh = np.zeros_like(self.consumed), np.zeros_like(self.read)
        sums = np.concatenate([[0], np.cumsum(_sizes(samples))]).astype(np.int64)
        largest = counting.windows(samples.offsets, samples.ts, sums, after, until, consumed, fresh)
        self.consumed += consumed
        self.read[: 1 if fixed else None] += fresh[: 1 if fixed else None]
        self.series += len(samples.labels)
        return int(largest)

    def add_repeated(self, once: SampleCounts) -> None:
        """Take over what an expression consumed that has one value for all steps."""
        self.consumed += once.consumed.sum()
        self.read[:1] += once.read.sum()
        self.series += once.series

    def add_subquery(self, inner: SampleCounts, node: Subquery, ends: NDArray[np.int64]) -> None:
        """Take over what a subquery consumed: of its steps, those in the window of each of ours."""
        times = inner.grid.times
        last = np.searchsorted(times, ends, "right")
        first = np.searchsorted(times, ends - node.range_ms, "right")
        if len(ends) == 1:
            first, last = np.zeros(1, np.int64), np.full(1, len(times))
        sums = np.concatenate([[0], np.cumsum(inner.consumed)])
        reads = np.concatenate([[0], np.cumsum(inner.read)])
        self.consumed += sums[last] - sums[first]
        unread = np.maximum(first, np.concatenate([[0], last[:-1]]))  # what no earlier step has read
        self.read += reads[last] - reads[np.minimum(unread, last)]
        self.series += inner.series


def weights(vector: Vector) -> NDArray[np.int64]:
    """int64[n, s]: what each value counts; 0 where there is none."""
    sizes = vector.present.astype(np.int64)
    if vector.histograms is not None:
        held = vector.holds_histogram
        sizes[held] = _of_histograms(vector.histograms.table)[vector.histograms.at[held]]
    return sizes


def _sizes(samples: Samples) -> NDArray[np.int64]:
    sizes = np.ones(len(samples.ts), np.int64)
    if samples.histograms is not None:
        at = samples.histograms.at
        sizes[at >= 0] = _of_histograms(samples.histograms.table)[at[at >= 0]]
    return sizes


def _of_histograms(table: HistogramTable) -> NDArray[np.int64]:
    buckets = table.shape[:, [POSITIVE_SIZE, NEGATIVE_SIZE]]
    spans = (buckets > 0).sum(axis=1)  # each side as one: between its spans, the table has buckets of 0
    bounds = np.diff(table.bound_ends)[table.shape[:, BOUNDS]]
    fields: NDArray[np.int64] = spans + buckets.sum(axis=1) + bounds
    return (_HISTOGRAM_BYTES + _FIELD_BYTES * fields + _SAMPLE_BYTES // 2) // _SAMPLE_BYTES
