"""Running totals of delta streams: read and held in the order of series, added to, written back."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
from asyncpg import Record
from asyncpg.pool import PoolConnectionProxy
from numpy.typing import NDArray

from waferscope_collector.copy import HistogramSamples, Samples
from waferscope_collector.decode.points import HistogramPoint
from waferscope_collector.decode.records import instant
from waferscope_collector.fold.delta import (
    HistogramDelta,
    HistogramTotal,
    NumberDeltas,
    NumberTotals,
    add_histograms,
    add_numbers,
)
from waferscope_schemas import queries

_SQL = queries.load("waferscope_collector")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


async def add_to_numbers(conn: PoolConnectionProxy, deltas: NumberDeltas) -> Samples:
    """Add to sums.

    Returns:
        The samples to store.
    """
    series_ids, begins = np.unique(deltas.series_ids, return_index=True)
    ids = series_ids.tolist()
    await _begin(conn, ids, np.minimum.reduceat(deltas.starts, begins).tolist())
    rows = await conn.fetch(_SQL["lock_delta_totals"], ids)
    known = NumberTotals(
        series_ids,
        np.array([_ms(row["start"]) for row in rows], np.int64),
        np.array([_ms(row["ts"]) for row in rows], np.int64),
        np.array([row["value"] for row in rows], np.float64),
    )
    totals, samples = add_numbers(deltas, known)
    await conn.execute(_SQL["update_number_totals"], ids, _instants(totals.times), totals.values.tolist())
    return samples


async def add_to_histograms(conn: PoolConnectionProxy, deltas: list[HistogramDelta]) -> HistogramSamples:
    """Add to histograms.

    Returns:
        The samples to store.
    """
    starts: dict[int, int] = {}
    for delta in deltas:
        starts[delta.series_id] = min(delta.start, starts.get(delta.series_id, delta.start))
    ids = sorted(starts)
    await _begin(conn, ids, [starts[series_id] for series_id in ids])
    rows = await conn.fetch(_SQL["lock_delta_totals"], ids)
    known = {row["series_id"]: _total(row) for row in rows}
    totals, samples = add_histograms(deltas, known, {row["series_id"]: _ms(row["start"]) for row in rows})
    await conn.executemany(
        _SQL["update_histogram_total"],
        [_row(key, total.time, total.point) for key, total in totals.items() if total.point is not None],
    )
    return samples


async def _begin(conn: PoolConnectionProxy, ids: list[int], starts: list[int]) -> None:
    """Begin the totals that are not there; also tell where they start."""
    times = [instant(start * 1_000_000) for start in starts]
    new = {row["series_id"] for row in await conn.fetch(_SQL["insert_delta_totals"], ids, times)}
    begun = [(series_id, time, time) for series_id, time in zip(ids, times, strict=True) if series_id in new]
    if begun:
        await conn.execute(_SQL["insert_start_times"], *map(list, zip(*begun, strict=True)))


def _total(row: Record) -> HistogramTotal:
    if not row["begun"]:
        return HistogramTotal(_ms(row["ts"]))
    point = HistogramPoint(
        count=row["count"],
        sum=row["sum"],
        schema=row["schema"],
        zero_threshold=row["zero_threshold"],
        zero_count=row["zero_count"],
        bounds=tuple(row["bounds"]),
        positive_spans=tuple(row["spans"]),
        positive_counts=tuple(row["counts"]),
        negative_spans=tuple(row["negative_spans"]),
        negative_counts=tuple(row["negative_counts"]),
    )
    return HistogramTotal(_ms(row["ts"]), point)


def _row(series_id: int, time: int, point: HistogramPoint) -> tuple[Any, ...]:
    return (
        *(series_id, instant(time * 1_000_000), point.count, point.sum, point.schema),
        *(point.zero_threshold, point.zero_count, point.bounds, point.positive_spans, point.positive_counts),
        *(point.negative_spans, point.negative_counts),
    )


def _ms(time: datetime) -> int:
    return round((time - _EPOCH).total_seconds() * 1000)


def _instants(times: NDArray[np.int64]) -> list[datetime]:
    return [instant(time * 1_000_000) for time in times.tolist()]
