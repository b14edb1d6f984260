"""Old rows leave: by whole chunks and partitions where a table has them, in bounded batches where it is ordinary.

What leaves by parts is what there is much of. The ordinary tables hold what is kept for ten years: few rows a day get
so old, and a part per day would be thousands of parts.
"""

import logging
from datetime import UTC, datetime, timedelta

import asyncpg

from waferscope_collector.errors import WriterError
from waferscope_collector.maintenance.batches import in_batches
from waferscope_collector.retention import Retention
from waferscope_schemas import partitioning, queries

_SQL = queries.load("waferscope_collector")
_LOGGER = logging.getLogger(__name__)

_PARTED = {  # the tables that each setting is for
    **{table: (table,) for table in ("sample", "histogram_sample", "exemplar", "log_record", "span", "job_event")},
    "rollup_5m": ("rollup_5m", "rollup_5m_histogram"),
}
_ORDINARY = {
    "rollup_1h": ("expire_rollup_1h", "expire_rollup_1h_histogram"),
    "job_run": ("expire_job_run",),
    "step_run": ("expire_step_run",),
    "equipment_state": ("expire_equipment_state",),
}
_SAMPLES = frozenset({"sample", "histogram_sample"})
_MARGIN = timedelta(minutes=10)  # for what was taken in just in time and is still on its way into the database


class RollupsBehindError(WriterError):
    """Samples are to be dropped whose rollups are not computed yet."""


async def apply(conn: asyncpg.Connection, retention: Retention) -> None:
    """Drop what is older than its table keeps.

    Args:
        conn: A connection outside of a transaction, with a short ``lock_timeout``.
        retention: The periods.

    Raises:
        RollupsBehindError: Samples had to stay until their rollups are computed; all else was dropped.
        asyncpg.LockNotAvailableError: A part is in use; the next round tries again.
    """
    now, kept = datetime.now(UTC), []
    for setting, period in retention.periods.items():
        for table in _PARTED.get(setting, ()):
            kept += await _drop_parts(conn, table, now - period - _MARGIN)
        for query in _ORDINARY.get(setting, ()):
            await in_batches(conn, _SQL[query], now - period)
    if kept:
        raise RollupsBehindError(f"waits for the rollups of its samples: {', '.join(kept)}")


async def _drop_parts(conn: asyncpg.Connection, table: str, before: datetime) -> list[str]:
    """Drop the parts of a table that ended before a time; returns those that have to wait for their rollups."""
    waiting = []
    for part in await partitioning.parts(conn, table):
        if part.end > before:
            continue
        if table in _SAMPLES and await conn.fetchval(_SQL["rollups_behind"], part.begin, part.end):
            waiting.append(part.name)
            continue
        await partitioning.drop(conn, table, part)
        if table in _SAMPLES:
            await conn.execute(_SQL["tell_expired"], part.begin, part.end)
        _LOGGER.info("dropped %s of %s: older than its retention", part.name, table)
    return waiting
