"""Delta points to running totals: one cumulative series for all processes that share its labels.

Points of one series and one time become one step, so a backlog that is stored at once leaves the samples that it would
have left point by point. A total begins with a zero at its first start, each sample stands at least 1 ms after the
last, and a step that begins after the last sample is preceded by the old total at its start. So every window over a
delta holds both its ends, and rate() and increase() see what was added, however rarely that happens.

A total that would leave the range of a double begins anew from zero, which readers see as the reset of a counter.
"""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from waferscope_collector.copy import HistogramSamples, Samples
from waferscope_collector.decode.builders import buckets
from waferscope_collector.decode.points import HistogramPoint
from waferscope_collector.fold import histogram
from waferscope_collector.wire import running

_EXPLICIT = -53  # schema
_LARGEST = sys.float_info.max


@dataclass(frozen=True, slots=True)
class NumberDeltas:
    """What a group adds to sums: one step for each series and time, sorted by both."""

    series_ids: NDArray[np.int64]
    starts: NDArray[np.int64]  # first start, Unix time, ms
    times: NDArray[np.int64]  # Unix time, ms
    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class NumberTotals:
    """The running totals of sums; one entry per series, sorted by series."""

    series_ids: NDArray[np.int64]
    starts: NDArray[np.int64]  # where the zero stands, Unix time, ms
    times: NDArray[np.int64]  # of the last sample, Unix time, ms; before the start: nothing was added yet
    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class HistogramDelta:
    """What a group adds to one histogram at one time."""

    series_id: int
    start: int  # first start, Unix time, ms
    time: int  # Unix time, ms
    point: HistogramPoint


@dataclass(frozen=True, slots=True)
class HistogramTotal:
    """The running total of one histogram."""

    time: int  # of the last sample, Unix time, ms; 1 ms before the start where there is none yet
    point: HistogramPoint | None = None  # None: nothing was added yet


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
    """Add up the points of each series and time.

    Args:
        series_ids: Of each point.
        times: Unix time, ms.
        starts: Unix time, ms; 0 stands for 1 ms before the point.
        values: What each point adds, finite; points that add no number (stale markers) are left out by the caller.

    Returns:
        The steps.
    """
    order = np.lexsort((times, series_ids))
    ids, at = series_ids[order], times[order]
    begins = np.flatnonzero(np.concatenate(([True], (ids[1:] != ids[:-1]) | (at[1:] != at[:-1]))))
    with np.errstate(over="ignore"):
        added = np.add.reduceat(values[order], begins)
    return NumberDeltas(
        ids[begins],
        np.minimum.reduceat(first_zero(times, starts)[order], begins),
        at[begins],
        np.clip(added, -_LARGEST, _LARGEST),
    )


def add_numbers(deltas: NumberDeltas, totals: NumberTotals) -> tuple[NumberTotals, Samples]:
    """Add a group's steps to the totals.

    Args:
        deltas: The steps.
        totals: The total of each series that has a step.

    Returns:
        The new totals, and the samples to store.
    """
    begins = np.searchsorted(deltas.series_ids, totals.series_ids)
    lengths = np.diff(begins, append=len(deltas.series_ids))
    begun = totals.times < totals.starts
    last = np.where(begun, totals.starts, totals.times)
    position = np.arange(len(deltas.times)) - np.repeat(begins, lengths)
    # The times of a series rise by 1 ms at least, so only the last sample of the total can push them on.
    times = np.maximum(deltas.times, np.repeat(last, lengths) + 1 + position)
    sums = running.totals(deltas.values, totals.values, begins)
    before, old = np.roll(times, 1), np.roll(sums, 1)
    before[begins], old[begins] = last, totals.values
    gap = deltas.starts > before
    samples = Samples(
        np.concatenate((totals.series_ids[begun], deltas.series_ids[gap], deltas.series_ids)),
        np.concatenate((totals.starts[begun], deltas.starts[gap], times)),
        np.concatenate((totals.values[begun], old[gap], sums)),
    )
    ends = begins + lengths - 1
    return NumberTotals(totals.series_ids, totals.starts, times[ends], sums[ends]), samples


def gather_histograms(
    series_ids: NDArray[np.int64], times: NDArray[np.int64], starts: NDArray[np.int64], points: list[HistogramPoint]
) -> list[HistogramDelta]:
    """Add up the points of each series and time, as far as they can be added.

    Args:
        series_ids: Of each point.
        times: Unix time, ms.
        starts: Unix time, ms; 0 stands for 1 ms before the point.
        points: Histograms with a finite sum or none.

    Returns:
        Sorted by series and time.
    """
    zeros = first_zero(times, starts).tolist()
    given = sorted(
        zip(series_ids.tolist(), times.tolist(), points, zeros, strict=True),
        key=lambda row: (row[0], row[1], row[2].schema == _EXPLICIT, row[2].bounds),
    )
    deltas: list[HistogramDelta] = []
    for series_id, time, point, zero in given:
        last = deltas[-1] if deltas else None
        if last and (last.series_id, last.time) == (series_id, time) and histogram.addable(last.point, point):
            deltas[-1] = HistogramDelta(series_id, min(last.start, zero), time, histogram.add(last.point, point))
        else:
            deltas.append(HistogramDelta(series_id, zero, time, point))
    return deltas


def add_histograms(
    deltas: Iterable[HistogramDelta], totals: Mapping[int, HistogramTotal], starts: Mapping[int, int]
) -> tuple[dict[int, HistogramTotal], HistogramSamples]:
    """Add a group's steps to the totals.

    As `add_numbers`. What can't be added to the total, because explicit bounds changed or the sum would leave the range
    of a double, lets it begin anew by a zero, which readers see as the reset of a counter, so no increase is lost.

    Args:
        deltas: The steps, in order.
        totals: The totals so far, by series.
        starts: The first start of each total, Unix time, ms, by series.

    Returns:
        The new totals by series, and the samples to store.
    """
    new = dict(totals)
    stored: list[tuple[int, int, HistogramPoint]] = []
    for delta in deltas:
        time, point = new[delta.series_id].time, new[delta.series_id].point
        if point is None:
            time, point = time + 1, histogram.zero(delta.point, reset=False)
            stored.append((delta.series_id, time, point))
        elif not histogram.addable(point, delta.point):
            time, point = max(time + 1, delta.start), histogram.zero(delta.point, reset=True)
            stored.append((delta.series_id, time, point))
        if delta.start > time:
            time, point = delta.start, replace(point, reset_hint=0)
            stored.append((delta.series_id, time, point))
        time, point = max(time + 1, delta.time), histogram.add(point, delta.point)
        stored.append((delta.series_id, time, point))
        new[delta.series_id] = HistogramTotal(time, point)
    return new, _samples(stored, starts)


def _samples(stored: list[tuple[int, int, HistogramPoint]], starts: Mapping[int, int]) -> HistogramSamples:
    ids, times, points = ([*column] for column in zip(*stored, strict=True)) if stored else ([], [], [])
    return HistogramSamples(
        np.array(ids, np.int64),
        np.array(times, np.int64),
        np.array([starts[series_id] for series_id in ids], np.int64),
        buckets(points),
        np.arange(len(ids)),
    )
