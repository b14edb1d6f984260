"""Which times were touched, from the change feed."""

from datetime import UTC, datetime, timedelta

from asyncpg.pool import PoolConnectionProxy

from waferscope_query.storage.cache.block import Range
from waferscope_schemas.feed import Feed, current_snapshot

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_HOURS = Feed("ingest_hour", ("min_ts", "max_ts"))
_DELETIONS = Feed("deletion", ("begin_ts", "end_ts"))


async def poll(connection: PoolConnectionProxy, snapshot: str | None) -> tuple[str, list[Range]]:
    """Read which times were written to, or deleted from, since a snapshot.

    Args:
        connection: In a transaction of REPEATABLE READ that has asked nothing yet: its one state of the database is
            what the answer leads up to.
        snapshot: What the last poll returned; None: nothing is remembered from before.

    Returns:
        The snapshot to go on with, and the times.
    """
    if snapshot is None:
        return await current_snapshot(connection), []
    _, hours = await _HOURS.poll(connection, snapshot)
    now, deletions = await _DELETIONS.poll(connection, snapshot)
    ranges = [(_ms(row["min_ts"]), _ms(row["max_ts"])) for row in hours]
    ranges += [(_ms(row["begin_ts"]), _ms(row["end_ts"])) for row in deletions]
    return now, list(dict.fromkeys(ranges))


def _ms(moment: datetime) -> int:
    """Give a time in ms; the ends of time come without a zone."""
    return (moment.replace(tzinfo=UTC) - _EPOCH) // _MS
