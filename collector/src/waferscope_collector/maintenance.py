"""What a writer does beside writing: partitions ahead of time, and a ledger that does not grow for ever."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta

import asyncpg

from waferscope_collector.commit.faults import PASSING
from waferscope_schemas import partitioning, queries

_SQL = queries.load("waferscope_collector")
_LOGGER = logging.getLogger(__name__)

TABLES = ("sample", "histogram_sample", "exemplar", "log_record", "job_event", "span")
_PERIOD = 600.0  # s


async def run(pool: asyncpg.Pool, ledger_days: int) -> None:
    """Keep house until cancelled; what fails is tried again in the next round.

    Args:
        pool: Connections.
        ledger_days: Days that the ledger remembers requests.
    """
    while True:
        try:
            await once(pool, ledger_days)
        except (asyncpg.PostgresError, *PASSING) as error:
            _LOGGER.warning("maintenance waits for its next round: %s", error)
        await asyncio.sleep(_PERIOD)


async def once(pool: asyncpg.Pool, ledger_days: int) -> None:
    """Create the partitions of today and tomorrow, and forget old requests."""
    now = datetime.now(UTC)
    async with pool.acquire() as conn:
        for table in TABLES:
            await partitioning.ensure(conn, table, [now, now + timedelta(days=1)])
        await conn.execute(_SQL["prune_batches"], ledger_days)
        await conn.execute(_SQL["prune_event_keys"], ledger_days)
