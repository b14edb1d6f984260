"""The hosts whose own metrics a group brings."""

from collections.abc import Sequence
from datetime import datetime

from asyncpg.pool import PoolConnectionProxy

from waferscope_collector.commit.ledger import Entry
from waferscope_schemas import queries

_SQL = queries.load("waferscope_collector")


async def store(conn: PoolConnectionProxy, entries: Sequence[Entry], interval: float) -> None:
    """Tell when host metrics were received.

    Args:
        conn: A connection in the ledger's transaction.
        entries: The requests.
        interval: Seconds between a host's metrics.
    """
    seen: dict[tuple[str, str], datetime] = {}
    for entry in entries:
        for host in entry.batch.points.hosts if entry.batch.points else ():
            seen[host] = max(entry.batch.received_at, seen.get(host, entry.batch.received_at))
    if seen:
        rows = [(*host, seen[host]) for host in sorted(seen)]
        await conn.execute(_SQL["upsert_hosts"], *map(list, zip(*rows, strict=True)), interval)
