"""Partitions ahead of time, so that no commit has to wait for one at midnight."""

from datetime import UTC, datetime, timedelta

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from waferscope_schemas import partitioning

TABLES = (
    *("sample", "histogram_sample", "exemplar", "log_record", "job_event", "span"),
    *("rollup_5m", "rollup_5m_histogram"),
)


async def prepare(pool: asyncpg.Pool) -> None:
    """Create what a writer needs before its first commit."""
    async with pool.acquire() as conn:
        await create_ahead(conn)


async def create_ahead(conn: asyncpg.Connection | PoolConnectionProxy) -> None:
    """Create the partitions of today and tomorrow."""
    now = datetime.now(UTC)
    for table in TABLES:
        await partitioning.ensure(conn, table, [now, now + timedelta(days=1)])
