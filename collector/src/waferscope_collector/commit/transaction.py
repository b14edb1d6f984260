"""One group of requests: series first, then partitions, then everything else in one transaction."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

import asyncpg
import numpy as np
from asyncpg.pool import PoolConnectionProxy

from waferscope_collector import identify
from waferscope_collector.batch import Batch
from waferscope_collector.commit import fab, hosts, jobs, ledger, records, samples
from waferscope_collector.commit.faults import PASSING
from waferscope_collector.decode.points import NANOS_PER_MS, Histograms, Numbers
from waferscope_collector.decode.records import instant
from waferscope_collector.fold.delta import first_zero
from waferscope_collector.identify import SeriesCache
from waferscope_schemas import partitioning, queries

_SQL = queries.load("waferscope_collector")
_LOGGER = logging.getLogger(__name__)
_DAY_MS = 86_400_000


async def create_series(conn: PoolConnectionProxy, batches: Sequence[Batch], cache: SeriesCache) -> int:
    """Give every point the id of its series, creating those that are missing.

    Returns:
        How many series were created.
    """
    kinds = [kind for batch in batches if batch.points for kind in batch.points.kinds]
    absent = {(point.metric, point.identity): point for kind in kinds for point in kind.missing()}
    if not absent:
        return 0
    described = await asyncio.to_thread(lambda: [(point, identify.describe(point)) for point in absent.values()])
    created = await identify.create(conn, described)
    cache.put(created.ids)
    for kind in kinds:
        kind.fill(created.ids)
    return created.new


async def ensure_partitions(conn: PoolConnectionProxy, batches: Sequence[Batch], *, recheck: bool) -> None:
    """Create the partitions that a group's rows need.

    Args:
        conn: A connection outside of a transaction.
        batches: The group.
        recheck: Look again what there is: a commit missed a partition. Samples of late deltas follow the last one of
            their total, so its day and the next are needed as well.
    """
    for table, times in _TIMES.items():
        instants = [*times(batches)]
        if instants and recheck:
            instants += await _total_days(conn, batches)
        if instants:
            await partitioning.ensure(conn, table, instants, recheck=recheck)


async def _total_days(conn: PoolConnectionProxy, batches: Sequence[Batch]) -> list[datetime]:
    """Return the day of the last sample of each total that a group adds to, and the day after."""
    points = [batch.points for batch in batches if batch.points]
    ids = [kind.ids for item in points for kind in (item.number_deltas, item.histogram_deltas)]
    touched = np.unique(np.concatenate(ids)).tolist() if ids else []
    return [row["day"] for row in await conn.fetch(_SQL["select_total_days"], touched)]


async def store(conn: PoolConnectionProxy, batches: Sequence[Batch], host_interval: float) -> list[Batch]:
    """Store a group in one transaction.

    Args:
        conn: A connection outside of a transaction.
        batches: The group; all points have their series.
        host_interval: Seconds between a host's metrics.

    Returns:
        The requests that were stored; those that the ledger knew are left out.
    """
    async with conn.transaction():
        entries = await ledger.enter(conn, batches)
        if entries:
            await samples.store(conn, entries)
            await records.store(conn, entries)
            await jobs.store(conn, entries)
            await fab.store(conn, entries)
            await hosts.store(conn, entries, host_interval)
    if entries:
        await _wake_readers(conn)
    return [entry.batch for entry in entries]


async def _wake_readers(conn: PoolConnectionProxy) -> None:
    """Notify the readers of the change feed, after the commit: inside, commits would wait for PostgreSQL's one lock."""
    try:
        await conn.execute(_SQL["notify"])
    except (asyncpg.PostgresError, *PASSING) as error:  # harmless: readers follow the feed, not the notifications
        _LOGGER.warning("could not wake readers: %s", error)


def _sample_days(batches: Sequence[Batch]) -> Iterable[datetime]:
    points = [batch.points for batch in batches if batch.points]
    return _point_days([item.numbers.points for item in points], [item.number_deltas.points for item in points])


def _histogram_days(batches: Sequence[Batch]) -> Iterable[datetime]:
    points = [batch.points for batch in batches if batch.points]
    return _point_days([item.histograms.points for item in points], [item.histogram_deltas.points for item in points])


def _point_days(kept: Sequence[Numbers | Histograms], deltas: Sequence[Numbers | Histograms]) -> Iterable[datetime]:
    """Return one instant for each day that samples fall into, the zeros at the start of new totals included."""
    zeros = [first_zero(points.times // NANOS_PER_MS, points.starts // NANOS_PER_MS) for points in deltas]
    times = [*(points.times // NANOS_PER_MS for points in (*kept, *deltas)), *zeros]
    days: set[int] = set()
    for array in times:
        if len(array):
            low, high = int(array.min()) // _DAY_MS, int(array.max()) // _DAY_MS
            days |= {low} if low == high else set(np.unique(array // _DAY_MS).tolist())
    return _days(days)


def _days(days: Iterable[int]) -> Iterable[datetime]:
    """Return the first instant of each day of Unix time."""
    return [instant(day * _DAY_MS * NANOS_PER_MS) for day in days]


_TIMES: dict[str, Callable[[Sequence[Batch]], Iterable[datetime]]] = {
    "sample": _sample_days,
    "histogram_sample": _histogram_days,
    "log_record": lambda batches: _days({day for batch in batches for day in batch.logs.days}),
    "job_event": lambda batches: {event.at for batch in batches for event in batch.logs.events},
    "span": lambda batches: _days({day for batch in batches for day in batch.traces.days}),
}
