"""The points of a group: copied as they are, or added to running totals."""

from collections.abc import AsyncIterator, Sequence

import numpy as np
from asyncpg.pool import PoolConnectionProxy
from numpy.typing import NDArray

from waferscope_collector.batch import Points
from waferscope_collector.commit import ledger, totals
from waferscope_collector.commit.ledger import Entry
from waferscope_collector.copy import (
    HISTOGRAM_COLUMNS,
    SAMPLE_COLUMNS,
    HistogramSamples,
    Samples,
    histogram_rows,
    milliseconds,
    sample_rows,
)
from waferscope_collector.fold.delta import gather_histograms, gather_numbers


async def store(conn: PoolConnectionProxy, entries: Sequence[Entry]) -> None:
    """Store the points of all requests, and tell readers which hours they touched."""
    with_points = [(entry.batch_id, entry.batch.points) for entry in entries if entry.batch.points is not None]
    if not with_points:
        return
    numbers, number_batches = _numbers(with_points)
    histograms, histogram_batches = _histograms(with_points)
    touched = [(number_batches, numbers.times), (histogram_batches, histograms.times)]
    added, added_batches = await _add_numbers(conn, with_points)
    counted, counted_batches = await _add_histograms(conn, with_points)
    touched += [(added_batches, added.times), (counted_batches, counted.times)]
    await _copy_numbers(conn, [numbers, added])
    await _copy_histograms(conn, [histograms, counted])
    await ledger.enter_hours(conn, *(np.concatenate(part) for part in zip(*touched, strict=True)))


def _numbers(entries: Sequence[tuple[int, Points]]) -> tuple[Samples, NDArray[np.int64]]:
    """Return the samples that are stored as they are, and the request of each."""
    kept = [(batch_id, points.numbers, points.numbers.ids > 0) for batch_id, points in entries]
    samples = Samples(
        np.concatenate([numbers.ids[keep] for _, numbers, keep in kept]),
        np.concatenate([milliseconds(numbers.points.times[keep]) for _, numbers, keep in kept]),
        np.concatenate([numbers.points.values[keep] for _, numbers, keep in kept]),
    )
    return samples, _of_batches([(batch_id, int(np.count_nonzero(keep))) for batch_id, _, keep in kept])


def _histograms(entries: Sequence[tuple[int, Points]]) -> tuple[HistogramSamples, NDArray[np.int64]]:
    """Return the histograms that are stored as they are, and the request of each."""
    kept = [(batch_id, points.histograms, np.flatnonzero(points.histograms.ids > 0)) for batch_id, points in entries]
    samples = HistogramSamples(
        np.concatenate([histograms.ids[keep] for _, histograms, keep in kept]),
        np.concatenate([milliseconds(histograms.points.times[keep]) for _, histograms, keep in kept]),
        np.concatenate([milliseconds(histograms.points.starts[keep]) for _, histograms, keep in kept]),
        [histograms.points.points[position] for _, histograms, keep in kept for position in keep.tolist()],
    )
    return samples, _of_batches([(batch_id, len(keep)) for batch_id, _, keep in kept])


async def _add_numbers(
    conn: PoolConnectionProxy, entries: Sequence[tuple[int, Points]]
) -> tuple[Samples, NDArray[np.int64]]:
    """Add deltas of sums to their totals; a point that adds no number adds nothing."""
    deltas = [points.number_deltas for _, points in entries]
    ids = np.concatenate([delta.ids for delta in deltas])
    values = np.concatenate([delta.points.values for delta in deltas])
    keep = (ids > 0) & np.isfinite(values)
    if not keep.any():
        return Samples(_NONE, _NONE, _NONE.astype(np.float64)), _NONE
    times = milliseconds(np.concatenate([delta.points.times for delta in deltas]))
    starts = milliseconds(np.concatenate([delta.points.starts for delta in deltas]))
    samples = await totals.add_to_numbers(conn, gather_numbers(ids[keep], times[keep], starts[keep], values[keep]))
    return samples, _of_batches([(entries[0][0], len(samples.times))])


async def _add_histograms(
    conn: PoolConnectionProxy, entries: Sequence[tuple[int, Points]]
) -> tuple[HistogramSamples, NDArray[np.int64]]:
    """Add deltas of histograms to their totals; a stale marker, which has no buckets, adds nothing."""
    deltas = [points.histogram_deltas for _, points in entries]
    ids = np.concatenate([delta.ids for delta in deltas])
    points = [point for delta in deltas for point in delta.points.points]
    counted = np.array([bool(point.positive_counts) for point in points], np.bool_)
    keep = np.flatnonzero((ids > 0) & counted)
    if not len(keep):
        return HistogramSamples(_NONE, _NONE, _NONE, []), _NONE
    times = milliseconds(np.concatenate([delta.points.times for delta in deltas]))
    starts = milliseconds(np.concatenate([delta.points.starts for delta in deltas]))
    gathered = gather_histograms(ids[keep], times[keep], starts[keep], [points[i] for i in keep.tolist()])
    samples = await totals.add_to_histograms(conn, gathered)
    return samples, _of_batches([(entries[0][0], len(samples.times))])


async def _copy_numbers(conn: PoolConnectionProxy, parts: Sequence[Samples]) -> None:
    samples = Samples(
        np.concatenate([part.series_ids for part in parts]),
        np.concatenate([part.times for part in parts]),
        np.concatenate([part.values for part in parts]),
    )
    if len(samples.times):
        await _copy(conn, "sample", SAMPLE_COLUMNS, sample_rows(samples))


async def _copy_histograms(conn: PoolConnectionProxy, parts: Sequence[HistogramSamples]) -> None:
    samples = HistogramSamples(
        np.concatenate([part.series_ids for part in parts]),
        np.concatenate([part.times for part in parts]),
        np.concatenate([part.starts for part in parts]),
        [point for part in parts for point in part.points],
    )
    if len(samples.times):
        await _copy(conn, "histogram_sample", HISTOGRAM_COLUMNS, histogram_rows(samples))


async def _copy(conn: PoolConnectionProxy, table: str, columns: Sequence[str], rows: bytes) -> None:
    async def once() -> AsyncIterator[bytes]:
        yield rows

    await conn.copy_to_table(table, source=once(), columns=list(columns), format="binary", schema_name="wafer")


_NONE = np.zeros(0, np.int64)


def _of_batches(counts: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
    """Repeat each request's id as often as it has samples."""
    return np.repeat([batch_id for batch_id, _ in counts], [count for _, count in counts]).astype(np.int64)
