"""Partitions are there before rows arrive; hypertables make their chunks themselves."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from weakref import WeakKeyDictionary

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from waferscope_schemas import queries
from waferscope_schemas.errors import MissingTableError, TooManyPartitionsError

_SQL = queries.load("waferscope_schemas")
_DAY = timedelta(days=1)

MOST_NEW = 100
"""Partitions that one call of `ensure` creates at most: each is a table, which a stray timestamp shall not make."""


@dataclass(slots=True)
class _Known:
    """What a connection knows of a table: whether it makes its own partitions, and for which days it has some."""

    native: bool
    days: set[date]


# What each connection has seen, by table. A connection belongs to one database, so this can't mix databases up, and it
# ends with the connection.
_seen: WeakKeyDictionary[object, dict[str, _Known]] = WeakKeyDictionary()


async def ensure(
    conn: asyncpg.Connection | PoolConnectionProxy,
    table: str,
    instants: Iterable[datetime],
    *,
    recheck: bool = False,
    limit: int = MOST_NEW,
) -> None:
    """Create the partitions that these instants need; a hypertable makes its chunks itself, but is limited as well.

    Any number of writers may do this at once. Call it outside of a transaction: it takes one of its own for each
    missing partition, in which the table stays open for reading and writing.

    Args:
        conn: A connection; what it has seen once is not asked again.
        table: A time-partitioned table, without its schema.
        instants: Times with a timezone, in any order, repeated or not.
        recheck: Ask again what there is: after "no partition of relation found for row" (SQLSTATE 23514), when a
            partition was dropped behind the connection's back.
        limit: Days without a partition or chunk that the instants may fall into.

    Raises:
        MissingTableError: There is no such table.
        TooManyPartitionsError: The instants need more than `limit` new days; none was created.
    """
    tables = _seen.setdefault(getattr(conn, "_con", conn), {})  # a pool hands out a new proxy each time
    if recheck or table not in tables:
        tables[table] = await _known(conn, table)
    known = tables[table]
    new = {instant.astimezone(UTC).date() for instant in instants} - known.days
    if len(new) > limit:
        raise TooManyPartitionsError(
            f"these times fall into {len(new)} days for which wafer.{table} has no partition yet, {limit} are allowed"
            " at once: send them in smaller requests, or mend the clock they come from"
        )
    for day in sorted(new):
        if known.native:
            await _create(conn, table, day)
        known.days.add(day)


def forget(conn: asyncpg.Connection | PoolConnectionProxy, table: str) -> None:
    """Let a connection ask again what partitions a table has; other connections find out by `recheck`."""
    _seen.get(getattr(conn, "_con", conn), {}).pop(table, None)


async def _known(conn: asyncpg.Connection | PoolConnectionProxy, table: str) -> _Known:
    row = await conn.fetchrow(_SQL["table_kind"], table)
    if row is None:
        raise MissingTableError(f"there is no table wafer.{table}")
    days = await conn.fetch(_SQL["partition_days" if row["native"] else "chunk_days"], table)
    return _Known(row["native"], {row["day"] for row in days})


async def _create(conn: asyncpg.Connection | PoolConnectionProxy, table: str, day: date) -> None:
    """Create and attach one partition: unlike "create table … partition of", this does not lock the others out."""
    async with conn.transaction():
        await conn.execute(_SQL["lock_partitions"])
        if day not in (await _known(conn, table)).days:
            name = f"{table}_{day.isoformat().replace('-', '')}"  # strftime's %Y leaves out the zeros of early years
            names = {"table": table, "partition": name, "start": day, "end": day + _DAY}
            await conn.execute(_SQL["create_partition"].format_map(names))
