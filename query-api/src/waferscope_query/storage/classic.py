"""Explicit-bucket histograms as classic series: `x_bucket{le}` cumulated over `le`, `x_sum`, `x_count`.

The text of `le` follows Prometheus's OTLP receiver: the shortest decimal form of the bound, `+Inf` for the last.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from waferscope_query.promql.source import STALE_BITS
from waferscope_query.promql.text import float_text
from waferscope_query.storage.collapse import Ranks, ranks, winners
from waferscope_query.storage.copied import HistogramPoints

_STALE = np.array([STALE_BITS], np.uint64).view(np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class ClassicPoints:
    """Points of histograms that share their bounds, sorted by series and time, one per timestamp.

    Attributes:
        series: int64[n], stored series ids.
        ts: int64[n], milliseconds.
        le: The text of each bucket's upper bound, `+Inf` last.
        buckets: float64[n, len(le)], cumulated; the last equals `count`.
        count: float64[n].
        sum: float64[n].
        has_sum: bool[n].
        starts: int64[n], milliseconds: since when each point counts, 0 where nobody told.
    """

    series: NDArray[np.int64]
    ts: NDArray[np.int64]
    le: tuple[str, ...]
    buckets: NDArray[np.float64]
    count: NDArray[np.float64]
    sum: NDArray[np.float64]
    has_sum: NDArray[np.bool_]
    starts: NDArray[np.int64]


def bucket_texts(bounds: Iterable[float]) -> tuple[str, ...]:
    """Give the `le` values of a histogram's upper bounds, which are without +Inf."""
    return (*map(float_text, bounds), "+Inf")


def classic_points(groups: Iterable[HistogramPoints]) -> list[ClassicPoints]:
    """Collapse duplicates, split by bounds, and cumulate."""
    return [_cumulate(same) for group in groups for same in _by_bounds(_collapse(group))]


def _collapse(points: HistogramPoints) -> HistogramPoints:
    """Keep of each series and time the highest count, then sum, then bucket counts in order."""

    def ranks_of(rows: NDArray[np.intp]) -> Ranks:
        buckets = points.counts[rows].T[::-1]
        return *map(ranks, np.ascontiguousarray(buckets)), ranks(points.sum[rows]), ranks(points.count[rows])

    return _take(points, winners(points.series, points.ts, ranks_of))


def _by_bounds(points: HistogramPoints) -> Iterator[HistogramPoints]:
    """Split by bounds; usually all points of a metric share theirs."""
    if (points.bounds == points.bounds[0]).all():
        yield points
        return
    distinct, inverse = np.unique(points.bounds, axis=0, return_inverse=True)
    for group in range(len(distinct)):
        yield _take(points, inverse.reshape(-1) == group)


def _cumulate(points: HistogramPoints) -> ClassicPoints:
    stale = (points.sum.view(np.uint64) == STALE_BITS) | (points.count.view(np.uint64) == STALE_BITS)
    buckets = np.cumsum(points.counts, axis=1)
    buckets[:, -1] = points.count
    buckets[stale] = _STALE
    return ClassicPoints(
        series=points.series,
        ts=points.ts,
        le=bucket_texts(points.bounds[0].tolist()),
        buckets=buckets,
        count=np.where(stale, _STALE, points.count),
        sum=points.sum,
        has_sum=points.has_sum,
        starts=points.starts,
    )


def _take(points: HistogramPoints, rows: NDArray[np.integer] | NDArray[np.bool_]) -> HistogramPoints:
    return HistogramPoints(
        points.series[rows],
        points.ts[rows],
        points.count[rows],
        points.sum[rows],
        points.has_sum[rows],
        points.starts[rows],
        points.bounds[rows],
        points.counts[rows],
    )
