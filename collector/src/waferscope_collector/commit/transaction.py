"""One group of requests: partitions first, then everything else in one transaction."""

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

import asyncpg
import numpy as np
from asyncpg.pool import PoolConnectionProxy
from numpy.typing import NDArray

from waferscope_collector.batch import Batch, Identified
from waferscope_collector.commit import fab, hosts, jobs, ledger, records, samples
from waferscope_collector.commit.faults import PASSING
from waferscope_collector.decode.points import Histograms, Numbers
from waferscope_collector.decode.records import instant_ms
from waferscope_collector.fold.delta import first_zero
from waferscope_schemas import partitioning, queries

_SQL = queries.load("waferscope_collector")
_LOGGER = logging.getLogger(__name__)
_DAY_MS = 86_400_000

Kind = Identified[Numbers] | Identified[Histograms]


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
    numbers = [kind.ids for item in points for kind in item.number_deltas]
    histograms = [kind.ids for item in points for kind in item.histogram_deltas]
    rows = await conn.fetch(_SQL["select_total_days"], _distinct(numbers), _distinct(histograms))
    return [row["day"] for row in rows]


def _distinct(ids: Sequence[NDArray[np.int64]]) -> list[int]:
    return np.unique(np.concatenate(ids)).tolist() if ids else []


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
        entries = await _enter(conn, batches, host_interval)
    if entries:
        await _wake_readers(conn)
    return [entry.batch for entry in entries]


async def attempt(conn: PoolConnectionProxy, batches: Sequence[Batch], host_interval: float) -> None:
    """As `store`, but roll it back: tells by its error whether a group can be stored."""
    transaction = conn.transaction()
    await transaction.start()
    try:
        await _enter(conn, batches, host_interval)
    finally:
        await transaction.rollback()


async def _enter(conn: PoolConnectionProxy, batches: Sequence[Batch], host_interval: float) -> list[ledger.Entry]:
    entries = await ledger.enter(conn, batches)
    if entries:
        await samples.store(conn, entries)
        await records.store(conn, entries)
        await jobs.store(conn, entries)
        await fab.store(conn, entries)
        await hosts.store(conn, entries, host_interval)
    return entries


async def _wake_readers(conn: PoolConnectionProxy) -> None:
    """Notify the readers of the change feed, after the commit: inside, commits would wait for PostgreSQL's one lock."""
    try:
        await conn.execute(_SQL["notify"])
    except (asyncpg.PostgresError, *PASSING) as error:  # harmless: readers follow the feed, not the notifications
        _LOGGER.warning("could not wake readers: %s", error)


def _sample_days(batches: Sequence[Batch]) -> Iterable[datetime]:
    points = [batch.points for batch in batches if batch.points]
    return _point_days(
        [part for item in points for part in (*item.numbers, *item.info)],
        [part for item in points for part in item.number_deltas],
    )


def _histogram_days(batches: Sequence[Batch]) -> Iterable[datetime]:
    points = [batch.points for batch in batches if batch.points]
    return _point_days(
        [part for item in points for part in item.histograms],
        [part for item in points for part in item.histogram_deltas],
    )


def _exemplar_times(batches: Sequence[Batch]) -> set[int]:
    parts = [part for batch in batches if batch.points for part in batch.points.kinds]
    return {exemplar.time for part in parts for exemplar in part.exemplars}


def _point_days(kept: Sequence[Kind], deltas: Sequence[Kind]) -> Iterable[datetime]:
    """Return one instant for each day that samples fall into, the zeros at the start of new totals included."""
    times = [part.points.times[part.kept] for part in (*kept, *deltas)]
    times += [first_zero(part.points.times[part.kept], part.points.starts[part.kept]) for part in deltas]
    days: set[int] = set()
    for array in times:
        if len(array):
            low, high = int(array.min()) // _DAY_MS, int(array.max()) // _DAY_MS
            days |= {low} if low == high else set(np.unique(array // _DAY_MS).tolist())
    return _days(days)


def _days(days: Iterable[int]) -> Iterable[datetime]:
    """Return the first instant of each day of Unix time."""
    return [instant_ms(day * _DAY_MS) for day in days]


_TIMES: dict[str, Callable[[Sequence[Batch]], Iterable[datetime]]] = {
    "sample": _sample_days,
    "histogram_sample": _histogram_days,
    "exemplar": lambda batches: {instant_ms(time) for time in _exemplar_times(batches)},
    "log_record": lambda batches: _days({day for batch in batches for day in batch.logs.days}),
    "job_event": lambda batches: {event.at for batch in batches for event in batch.logs.events},
    "span": lambda batches: _days({day for batch in batches for day in batch.traces.days}),
}
