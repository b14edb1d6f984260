"""What the change feed tells a query: new series, and which times were touched."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from waferscope_query.storage.cache.splicing import Range
from waferscope_schemas import queries
from waferscope_schemas.feed import current_snapshot

_SQL = queries.load("waferscope_query")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class News:
    """What was committed between two snapshots.

    Attributes:
        snapshot: The later one, which sees all of it.
        series: Rows of `wafer.series`.
        touched: Times that were written to or deleted from, ms.
    """

    snapshot: str
    series: list[asyncpg.Record]
    touched: list[Range]


async def poll_news(connection: PoolConnectionProxy, series_since: str, times_since: str | None) -> News:
    """Read what was committed since two snapshots, in one round trip.

    Args:
        connection: In no transaction.
        series_since: Up to where series are known.
        times_since: Up to where touched times are known; None: they don't matter.
    """
    rows = await connection.fetch(_SQL["news"], series_since, times_since)
    return News(_snapshot(rows), [row for row in rows if row["series_id"] is not None], _ranges(rows))


async def poll_touched(connection: PoolConnectionProxy, snapshot: str | None) -> tuple[str, list[Range]]:
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
    rows = await connection.fetch(_SQL["touched_times"], snapshot)
    return _snapshot(rows), _ranges(rows)


def _snapshot(rows: list[asyncpg.Record]) -> str:
    snapshot: str = next(row["snapshot"] for row in rows if row["snapshot"] is not None)
    return snapshot


def _ranges(rows: list[asyncpg.Record]) -> list[Range]:
    ranges = [(_ms(row["begin_ts"]), _ms(row["end_ts"])) for row in rows if row["begin_ts"] is not None]
    return list(dict.fromkeys(ranges))


def _ms(moment: datetime) -> int:
    """Give a time in ms; the ends of time come without a zone."""
    return (moment.replace(tzinfo=UTC) - _EPOCH) // _MS
