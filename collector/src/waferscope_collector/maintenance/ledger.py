"""A ledger that does not grow for ever."""

import asyncpg

from waferscope_collector.maintenance.batches import in_batches
from waferscope_schemas import queries

_SQL = queries.load("waferscope_collector")


async def prune(conn: asyncpg.Connection, days: int) -> None:
    """Forget requests and events that no client sends again, and deletions that every reader has heard of.

    What the rollups have not read yet stays.

    Args:
        conn: A connection outside of a transaction.
        days: Days that the ledger remembers requests.
    """
    await in_batches(conn, _SQL["prune_batches"], days)
    await in_batches(conn, _SQL["prune_event_keys"], days)
    await conn.execute(_SQL["prune_deletions"], days)
