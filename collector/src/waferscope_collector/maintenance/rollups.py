"""Rollups: buckets of five minutes and of an hour, computed from the samples that the change feed tells of.

`queue_touched_hours` reads the feed from the snapshot of the last run and enters the touched buckets into a queue, in
one transaction; each hour of the queue is then computed, and taken off it, in one more. So nothing is missed and
nothing is computed for nothing, wherever a run is cut off, as long as there is one run at a time.

A bucket's increase begins at the sample before it. Where late samples change the last value of a bucket, the bucket of
the series that follows is queued as well, however far away.
"""

import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime

import asyncpg

from waferscope_schemas import partitioning, queries
from waferscope_schemas.feed import Feed

_SQL = queries.load("waferscope_collector")
_LOGGER = logging.getLogger(__name__)
_DELETIONS = Feed("deletion", ("deletion_id", "kind"))
_BUCKETS = ("rollup_5m", "rollup_5m_histogram")
_HOURS = ("rollup_1h", "rollup_1h_histogram")


@dataclass(frozen=True, slots=True)
class Due:
    """Buckets inside an hour that are to be computed."""

    hour: datetime
    begin_ts: datetime
    end_ts: datetime  # not included


async def catch_up(conn: asyncpg.Connection, *, budget: float) -> int:
    """Compute what was touched since the last run, the hours that are being written first.

    Args:
        conn: The one connection that computes rollups, outside of a transaction.
        budget: Seconds after which no further hour is begun; the rest is left to the next run.

    Returns:
        How many hours were computed.

    Raises:
        asyncpg.PostgresError: Computing an hour failed; the others were computed, that one is tried again next time.
    """
    began, until, done = datetime.now(UTC), time.monotonic() + budget, 0
    failed: asyncpg.PostgresError | None = None
    await _follow_deletions(conn)
    await conn.execute(_SQL["queue_touched_hours"])
    while time.monotonic() < until and (row := await conn.fetchrow(_SQL["next_due_hour"], began)):
        due = Due(**row)
        try:
            await _compute(conn, due)
        except asyncpg.PostgresError as error:
            if conn.is_closed():
                raise
            _LOGGER.warning("could not compute the rollups of %s: %s", due.hour, error)
            await conn.execute(_SQL["postpone_due_hour"], due.hour)
            failed = failed or error
        else:
            done += 1
    if failed:
        raise failed
    return done


async def _compute(conn: asyncpg.Connection, due: Due) -> None:
    for table in _BUCKETS:
        await partitioning.ensure(conn, table, [due.hour])
    async with conn.transaction():
        await conn.execute(_SQL["set_rollup_memory"])
        # Off the queue first: an hour may queue later buckets of its own anew.
        await conn.execute(_SQL["settle_due_hour"], due.hour)
        await conn.execute(_SQL["recompute_numbers"], due.begin_ts, due.end_ts)
        await conn.execute(_SQL["recompute_histograms"], due.begin_ts, due.end_ts)
        await _sum_up(conn, due.hour)


async def _sum_up(conn: asyncpg.Connection, hour: datetime) -> None:
    await conn.execute(_SQL["recompute_number_hour"], hour)
    await conn.execute(_SQL["recompute_histogram_hour"], hour)


async def _follow_deletions(conn: asyncpg.Connection) -> None:
    """Take deleted samples out of the rollups."""
    async with conn.transaction():
        known = await conn.fetchval(_SQL["deletion_snapshot"])
        snapshot, rows = await _DELETIONS.poll(conn, known)
        if not rows and known:
            return
        for deletion_id in sorted(row["deletion_id"] for row in rows if row["kind"] == "samples"):
            await _unroll(conn, deletion_id)
        await conn.execute(_SQL["keep_deletion_snapshot"], snapshot)


async def _unroll(conn: asyncpg.Connection, deletion_id: int) -> None:
    for tables, length in ((_BUCKETS, "5 minutes"), (_HOURS, "1 hour")):
        for table in tables:
            await conn.execute(_SQL["remove_rollups"].format(table=table, length=length), deletion_id)
    for table in _BUCKETS:
        await conn.execute(_SQL["queue_deletion_ends"].format(table=table), deletion_id)
        await conn.execute(_SQL["rewrite_deletion_hours"].format(table=table), deletion_id)
    for row in await conn.fetch(_SQL["deletion_hours"], deletion_id):
        await _sum_up(conn, row["hour"])
