"""Running totals of histograms: read and held in the order of series, added to, written back."""

from collections.abc import Mapping
from operator import itemgetter
from typing import Any

from asyncpg import Record
from asyncpg.pool import PoolConnectionProxy

from waferscope_collector.copy import HistogramSamples
from waferscope_collector.decode.points import HistogramPoint
from waferscope_collector.decode.records import instant_ms
from waferscope_collector.fold.delta import HistogramDelta, HistogramTotal, add_histograms
from waferscope_schemas import queries

_SQL = queries.load("waferscope_collector")


async def add(conn: PoolConnectionProxy, deltas: list[HistogramDelta]) -> HistogramSamples:
    """Add a group's steps.

    Returns:
        The samples to store.
    """
    starts: dict[int, int] = {}
    for delta in sorted(deltas, key=lambda delta: delta.series_id):
        starts[delta.series_id] = min(delta.start, starts.get(delta.series_id, delta.start))
    rows = await _locked(conn, starts)
    known = {row["series_id"]: _total(row) for row in rows}
    totals, samples = add_histograms(deltas, known, {row["series_id"]: row["start"] for row in rows})
    await conn.executemany(
        _SQL["update_histogram_total"],
        [_row(key, total.time, total.point) for key, total in totals.items() if total.point is not None],
    )
    return samples


async def _locked(conn: PoolConnectionProxy, starts: Mapping[int, int]) -> list[Record]:
    """Read totals and hold them, beginning those that are not there.

    Args:
        conn: A connection in the ledger's transaction.
        starts: Where a total that is not there starts, Unix time in ms, by series, in their order.

    Returns:
        One row per series, in their order.
    """
    rows = await conn.fetch(_SQL["lock_histogram_totals"], list(starts))
    if len(rows) < len(starts):
        absent = sorted(starts.keys() - {row["series_id"] for row in rows})
        await _begin(conn, absent, [starts[series_id] for series_id in absent])
        found = await conn.fetch(_SQL["lock_histogram_totals"], absent)
        rows = sorted([*rows, *found], key=itemgetter("series_id"))
    return rows


async def _begin(conn: PoolConnectionProxy, ids: list[int], starts: list[int]) -> None:
    """Begin totals; also tell where they start."""
    new = {row["series_id"] for row in await conn.fetch(_SQL["insert_histogram_totals"], ids, starts)}
    begun = [(series_id, instant_ms(start)) for series_id, start in zip(ids, starts, strict=True) if series_id in new]
    if begun:
        series, times = map(list, zip(*begun, strict=True))
        await conn.execute(_SQL["insert_start_times"], series, times, times)


def _total(row: Record) -> HistogramTotal:
    if not row["begun"]:
        return HistogramTotal(row["ts"])
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
    return HistogramTotal(row["ts"], point)


def _row(series_id: int, time: int, point: HistogramPoint) -> tuple[Any, ...]:
    return (
        *(series_id, time, point.count, point.sum, point.schema),
        *(point.zero_threshold, point.zero_count, point.bounds, point.positive_spans, point.positive_counts),
        *(point.negative_spans, point.negative_counts),
    )
