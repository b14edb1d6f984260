"""Delta points to running totals: one cumulative series for all processes that share its labels.

A total begins with a zero at its first start, each sample stands at least 1 ms after the last, and a delta that begins
after the last sample is preceded by the old total at its start. So every window over a delta holds both its ends, and
rate() and increase() see what was added, however rarely that happens.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from waferscope_collector.copy import HistogramSamples, Samples
from waferscope_collector.decode.points import HistogramPoint

_RESET = 1  # hint that the counter began anew


@dataclass(frozen=True, slots=True)
class NumberDeltas:
    """What a group adds to sums; one entry per series, sorted by series."""

    series_ids: NDArray[np.int64]
    starts: NDArray[np.int64]  # first start, Unix time, ms
    times: NDArray[np.int64]  # last time, Unix time, ms
    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class HistogramDelta:
    """What a group adds to one histogram with one set of bounds."""

    series_id: int
    start: int  # first start, Unix time, ms
    time: int  # last time, Unix time, ms
    count: float
    sum: float
    bounds: tuple[float, ...]
    counts: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class HistogramTotal:
    """The running total of one histogram."""

    time: int  # of the last sample, Unix time, ms
    count: float = 0.0
    sum: float = 0.0
    bounds: tuple[float, ...] = ()
    counts: tuple[float, ...] = ()  # empty: nothing was added yet


def first_zero(times: NDArray[np.int64], starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return when the total of each point would stand at zero: at its start, but 1 ms before the point at the latest.

    Args:
        times: Unix time, ms.
        starts: Unix time, ms; 0: unknown.
    """
    return np.where(starts > 0, np.minimum(starts, times - 1), times - 1)


def gather_numbers(
    series_ids: NDArray[np.int64], times: NDArray[np.int64], starts: NDArray[np.int64], values: NDArray[np.float64]
) -> NumberDeltas:
    """Add up the points of each series.

    Args:
        series_ids: Of each point.
        times: Unix time, ms.
        starts: Unix time, ms; 0 stands for 1 ms before the point.
        values: What each point adds; points that add no number (stale markers) are left out by the caller.

    Returns:
        One step for each series.
    """
    ids, inverse = np.unique(series_ids, return_inverse=True)
    first = np.full(len(ids), np.iinfo(np.int64).max)
    last = np.zeros(len(ids), np.int64)
    np.minimum.at(first, inverse, first_zero(times, starts))
    np.maximum.at(last, inverse, times)
    added = np.zeros(len(ids), np.float64)
    np.add.at(added, inverse, values)
    return NumberDeltas(ids, first, last, added)


def add_numbers(deltas: NumberDeltas, last: NDArray[np.int64], totals: NDArray[np.float64]) -> Samples:
    """Add a group's step to the totals.

    Args:
        deltas: The step.
        last: Time of each total's last sample, Unix time, ms; before the start where there is none yet.
        totals: The totals so far.

    Returns:
        The old totals where the step begins after their last sample, then all new totals.
    """
    gap = deltas.starts > last
    return Samples(
        np.concatenate((deltas.series_ids[gap], deltas.series_ids)),
        np.concatenate((deltas.starts[gap], np.maximum(last + 1, deltas.times))),
        np.concatenate((totals[gap], totals + deltas.values)),
    )


def gather_histograms(
    series_ids: NDArray[np.int64], times: NDArray[np.int64], starts: NDArray[np.int64], points: list[HistogramPoint]
) -> list[HistogramDelta]:
    """Add up the points of each series and set of bounds.

    Args:
        series_ids: Of each point.
        times: Unix time, ms.
        starts: Unix time, ms; 0 stands for 1 ms before the point.
        points: Histograms with explicit bounds.

    Returns:
        Sorted by series; sets of bounds of one series by their last time.
    """
    grouped: dict[tuple[int, tuple[float, ...]], list[tuple[int, int, HistogramPoint]]] = defaultdict(list)
    zeros = first_zero(times, starts).tolist()
    for series_id, time, zero, point in zip(series_ids.tolist(), times.tolist(), zeros, points, strict=True):
        grouped[series_id, point.bounds].append((zero, time, point))
    deltas = [
        HistogramDelta(
            series_id=series_id,
            start=min(start for start, _, _ in group),
            time=max(time for _, time, _ in group),
            count=sum(point.count for _, _, point in group),
            sum=sum(point.sum or 0.0 for _, _, point in group),
            bounds=bounds,
            counts=_add(point.positive_counts for _, _, point in group),
        )
        for (series_id, bounds), group in grouped.items()
    ]
    return sorted(deltas, key=lambda delta: (delta.series_id, delta.time, delta.bounds))


def add_histograms(
    deltas: Iterable[HistogramDelta], totals: Mapping[int, HistogramTotal], starts: Mapping[int, int]
) -> tuple[dict[int, HistogramTotal], HistogramSamples]:
    """Add a group's steps to the totals.

    As `add_numbers`. Where the bounds change, counts of old and new buckets can't be added: the total begins anew, by a
    zero of the new bounds, which readers see as the reset of a counter, so no increase is lost.

    Args:
        deltas: The steps, in order.
        totals: The totals so far, by series.
        starts: The first start of each total, Unix time, ms, by series.

    Returns:
        The new totals by series, and the samples to store.
    """
    new = dict(totals)
    ids: list[int] = []
    times: list[int] = []
    points: list[HistogramPoint] = []

    def store(delta: HistogramDelta, total: HistogramTotal, hint: int) -> None:
        ids.append(delta.series_id)
        times.append(total.time)
        points.append(_point(total, hint))

    for delta in deltas:
        total = new[delta.series_id]
        anew = total.bounds != delta.bounds or not total.counts
        if anew or delta.start > total.time:
            hint = _RESET if anew and total.counts else 0
            old = _zero(delta) if anew else total
            total = replace(old, time=max(total.time + 1, delta.start))
            store(delta, total, hint)
        total = HistogramTotal(
            time=max(total.time + 1, delta.time),
            count=total.count + delta.count,
            sum=total.sum + delta.sum,
            bounds=delta.bounds,
            counts=_add((total.counts, delta.counts)),
        )
        store(delta, total, 0)
        new[delta.series_id] = total
    started = np.array([starts[series_id] for series_id in ids], np.int64)
    return new, HistogramSamples(np.array(ids, np.int64), np.array(times, np.int64), started, points)


def _zero(delta: HistogramDelta) -> HistogramTotal:
    return HistogramTotal(0, bounds=delta.bounds, counts=(0.0,) * len(delta.counts))


def _point(total: HistogramTotal, hint: int) -> HistogramPoint:
    return HistogramPoint(
        count=total.count,
        sum=total.sum,
        bounds=total.bounds,
        positive_spans=(0, len(total.counts)),
        positive_counts=total.counts,
        reset_hint=hint,
    )


def _add(counts: Iterable[tuple[float, ...]]) -> tuple[float, ...]:
    return tuple(map(sum, zip(*counts, strict=True)))
