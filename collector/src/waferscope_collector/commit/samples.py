"""The points of a group: copied as they are, or added to running totals."""

import math
from collections.abc import AsyncIterator, Iterable, Sequence

import numpy as np
from asyncpg.pool import PoolConnectionProxy
from numpy.typing import NDArray

from waferscope_collector import cells
from waferscope_collector.batch import Identified, Points
from waferscope_collector.commit import histogram_totals, ledger, number_totals
from waferscope_collector.commit.ledger import Entry
from waferscope_collector.copy import (
    EXEMPLAR_COLUMNS,
    HISTOGRAM_COLUMNS,
    SAMPLE_COLUMNS,
    HistogramSamples,
    Samples,
    histogram_rows,
    sample_rows,
)
from waferscope_collector.decode.points import NANOS_PER_MS, Exemplar, Histograms
from waferscope_collector.fold.delta import gather_histograms, gather_numbers
from waferscope_schemas import partitioning

_DENSE_ROWS = 1_000  # of a commit: fewer are not worth the question

Batches = NDArray[np.int64]  # the request of each sample

_NONE = np.zeros(0, np.int64)


async def store(conn: PoolConnectionProxy, entries: Sequence[Entry]) -> None:
    """Store the points of all requests, and tell readers which hours they touched."""
    with_points = [(entry.batch_id, entry.batch.points) for entry in entries if entry.batch.points is not None]
    if not with_points:
        return
    numbers = [item for batch_id, points in with_points for item in _numbers(batch_id, points)]
    histograms = [item for batch_id, points in with_points for item in _histograms(batch_id, points)]
    numbers += await _add_numbers(conn, with_points)
    histograms += await _add_histograms(conn, with_points)
    await _copy_numbers(conn, [samples for samples, _ in numbers])
    await _copy(conn, "histogram_sample", HISTOGRAM_COLUMNS, [histogram_rows(samples) for samples, _ in histograms])
    await _store_exemplars(conn, with_points)
    touched = [(batches, samples.times) for samples, batches in numbers]
    touched += [(batches, samples.times) for samples, batches in histograms]
    if touched:
        await ledger.enter_hours(conn, *(np.concatenate(part) for part in zip(*touched, strict=True)))


def _numbers(batch_id: int, points: Points) -> Iterable[tuple[Samples, Batches]]:
    """Yield the samples that are stored as they are."""
    for part in (*points.numbers, *points.info):
        if len(kept := part.kept):
            found = part.points
            if len(kept) == len(part.ids):  # the usual case copies nothing
                samples = Samples(part.ids, found.times, found.values)
            else:
                samples = Samples(part.ids[kept], found.times[kept], found.values[kept])
            yield samples, np.full(len(kept), batch_id)


def _histograms(batch_id: int, points: Points) -> Iterable[tuple[HistogramSamples, Batches]]:
    """Yield the histograms that are stored as they are."""
    for part in points.histograms:
        if len(kept := part.kept):
            found = part.points
            samples = HistogramSamples(part.ids, found.times, found.starts, found.buckets, kept)
            yield samples, np.full(len(kept), batch_id)


async def _add_numbers(
    conn: PoolConnectionProxy, entries: Sequence[tuple[int, Points]]
) -> list[tuple[Samples, Batches]]:
    """Add deltas of sums to their totals; a point that adds no number adds nothing."""
    deltas = [delta for _, points in entries for delta in points.number_deltas]
    if not deltas:
        return []
    ids = np.concatenate([delta.ids for delta in deltas])
    values = np.concatenate([delta.points.values for delta in deltas])
    keep = (ids > 0) & np.isfinite(values)
    if not keep.any():
        return []
    times = np.concatenate([delta.points.times for delta in deltas])
    starts = np.concatenate([delta.points.starts for delta in deltas])
    samples = await number_totals.add(conn, gather_numbers(ids[keep], times[keep], starts[keep], values[keep]))
    return [(samples, np.full(len(samples.times), entries[0][0]))]


async def _add_histograms(
    conn: PoolConnectionProxy, entries: Sequence[tuple[int, Points]]
) -> list[tuple[HistogramSamples, Batches]]:
    """Add deltas of histograms to their totals; a stale marker, whose sum is no number, adds nothing."""
    counted = [(delta, position) for delta in _deltas(entries) for position in delta.kept.tolist()]
    points = [delta.points.buckets.point(position) for delta, position in counted]
    adding = [number for number, point in enumerate(points) if math.isfinite(point.sum or 0.0)]
    if not adding:
        return []

    def column(name: str) -> NDArray[np.int64]:
        return np.array([getattr(counted[n][0].points, name)[counted[n][1]] for n in adding], np.int64)

    ids = np.array([counted[number][0].ids[counted[number][1]] for number in adding], np.int64)
    gathered = gather_histograms(ids, column("times"), column("starts"), [points[number] for number in adding])
    samples = await histogram_totals.add(conn, gathered)
    return [(samples, np.full(len(samples.times), entries[0][0]))]


def _deltas(entries: Sequence[tuple[int, Points]]) -> list[Identified[Histograms]]:
    return [delta for _, points in entries for delta in points.histogram_deltas]


async def _copy_numbers(conn: PoolConnectionProxy, parts: Sequence[Samples]) -> None:
    if parts and _dense(np.concatenate([part.series_ids for part in parts])):
        await partitioning.expect_dense_copy(conn)
    await _copy(conn, "sample", SAMPLE_COLUMNS, [sample_rows(part) for part in parts])


def _dense(series_ids: NDArray[np.int64]) -> bool:
    """Tell whether there are so many samples of each series that they may go into the columnstore at once."""
    return len(series_ids) >= _DENSE_ROWS and len(series_ids) >= partitioning.DENSE * len(np.unique(series_ids))


async def _store_exemplars(conn: PoolConnectionProxy, entries: Sequence[tuple[int, Points]]) -> None:
    """Store the exemplars of points that have a series."""
    found = [
        _exemplar_row(int(part.ids[exemplar.point]), exemplar)
        for _, points in entries
        for part in points.kinds
        for exemplar in part.exemplars
        if part.ids[exemplar.point] > 0
    ]
    await _copy(conn, "exemplar", EXEMPLAR_COLUMNS, found)


def _exemplar_row(series_id: int, exemplar: Exemplar) -> bytes:
    ids = (cells.NULL if value is None else cells.binary(value) for value in (exemplar.trace_id, exemplar.span_id))
    return b"".join(
        (
            cells.count(len(EXEMPLAR_COLUMNS)),
            cells.bigint(series_id),
            cells.instant(exemplar.time * NANOS_PER_MS),
            cells.double(exemplar.value),
            *ids,
            cells.json(exemplar.labels.encode()),
        )
    )


async def _copy(conn: PoolConnectionProxy, table: str, columns: Sequence[str], blocks: Sequence[bytes]) -> None:
    if blocks:
        await _send(conn, table, columns, [cells.HEADER, *blocks, cells.TRAILER])


async def _send(conn: PoolConnectionProxy, table: str, columns: Sequence[str], blocks: Sequence[bytes]) -> None:
    async def source() -> AsyncIterator[bytes]:
        for block in blocks:
            yield block

    await conn.copy_to_table(table, source=source(), columns=list(columns), format="binary", schema_name="wafer")
