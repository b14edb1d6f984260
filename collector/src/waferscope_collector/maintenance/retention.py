"""Old rows leave: by whole chunks and partitions where a table has them, in bounded batches where it is ordinary.

What leaves by parts is what there is much of. The ordinary tables hold what is kept for ten years: few rows a day get
so old, and a part per day would be thousands of parts.
"""

import asyncio
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
_BORDERED = _SAMPLES | {"rollup_5m", "rollup_5m_histogram"}  # readers answer from what outlives these
_NOTICE = 10.0  # s, from telling of a border to dropping: readers ask every few seconds
_MARGIN = timedelta(minutes=10)  # for what was taken in just in time and is still on its way into the database


class PartsStayError(WriterError):
    """Parts of tables that should leave could not be dropped yet."""


async def apply(conn: asyncpg.Connection, retention: Retention) -> None:
    """Drop what is older than its table keeps.

    Args:
        conn: A connection outside of a transaction, with a short ``lock_timeout``.
        retention: The periods.

    Raises:
        PartsStayError: Some parts had to stay, until the rollups of their samples are computed or nobody reads them
            any more; all else was dropped.
    """
    now, kept, leaving = datetime.now(UTC), [], []
    for setting, period in retention.periods.items():
        for table in _PARTED.get(setting, ()):
            old, waiting = await _old_parts(conn, table, now - period - _MARGIN)
            leaving += [(table, part) for part in old]
            kept += waiting
        for query in _ORDINARY.get(setting, ()):
            await in_batches(conn, _SQL[query], now - period)
    if await _tell_borders(conn, leaving):
        await asyncio.sleep(_NOTICE)
    for table, part in leaving:
        kept += await _drop(conn, table, part)
    if kept:
        raise PartsStayError(f"not dropped yet: {', '.join(kept)}")


async def _old_parts(
    conn: asyncpg.Connection, table: str, before: datetime
) -> tuple[list[partitioning.Part], list[str]]:
    """List the parts of a table that ended before a time, and why some of them have to stay."""
    old, stay = [], []
    for part in await partitioning.parts(conn, table):
        if part.end > before:
            continue
        if await _rollups_behind(conn, table, part):
            stay.append(f"{part.name} (waits for its rollups)")
        else:
            old.append(part)
    return old, stay


async def _rollups_behind(conn: asyncpg.Connection, table: str, part: partitioning.Part) -> bool:
    return table in _SAMPLES and await conn.fetchval(_SQL["rollups_behind"], part.begin, part.end)


async def _tell_borders(conn: asyncpg.Connection, leaving: list[tuple[str, partitioning.Part]]) -> bool:
    """Tell readers from when on everything stays; whether any of it is new to them."""
    ends: dict[str, datetime] = {}
    for table, part in leaving:
        if table in _BORDERED:
            ends[table] = max(part.end, ends.get(table, part.end))
    return any([await conn.fetchval(_SQL["tell_border"], table, end) for table, end in ends.items()])


async def _drop(conn: asyncpg.Connection, table: str, part: partitioning.Part) -> list[str]:
    """Drop a part; returns it with the reason where it has to stay."""
    if await _rollups_behind(conn, table, part):  # late samples have come meanwhile
        return [f"{part.name} (waits for its rollups)"]
    try:
        await partitioning.drop(conn, table, part)
    except asyncpg.LockNotAvailableError:
        return [f"{part.name} (is in use)"]
    if table in _SAMPLES:
        await conn.execute(_SQL["tell_expired"], part.begin, part.end)
    _LOGGER.info("dropped %s of %s: older than its retention", part.name, table)
    return []
