"""The one place that knows TimescaleDB from plain PostgreSQL.

Migrations declare time-partitioned tables in PostgreSQL's words (``) partition by range (ts);``). Where TimescaleDB
is there, `translate` makes hypertables of them; otherwise they become natively partitioned tables with one partition
a day in UTC, named ``<table>_YYYYMMDD``, which `ensure` creates before rows arrive.

The tables of samples carry, on both, a BRIN index by time: a row of the change feed leads to its samples by time.
Plain PostgreSQL adds a btree by series; a hypertable's hot chunk goes without, for the sake of its writers.
"""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from weakref import WeakKeyDictionary

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from waferscope_schemas import queries
from waferscope_schemas.errors import MissingTableError

_SQL = queries.load("waferscope_schemas")

# A table's body ends at the first line that begins with a closing parenthesis.
_DECLARATION = re.compile(
    r"(?P<create>create table wafer\.(?P<table>\w+) \((?:(?!\n\)).)*\n\)) partition by range \((?P<time>\w+)\);",
    re.DOTALL,
)
_SAMPLES = frozenset({"sample", "histogram_sample"})
_DAY = timedelta(days=1)


async def provide(conn: asyncpg.Connection, *, fresh: bool) -> bool:
    """Give a fresh database TimescaleDB where the server has it; later stay with what was decided then.

    Args:
        conn: A connection as the owner of the database.
        fresh: Whether no migration was applied yet.

    Returns:
        Whether the database has TimescaleDB.
    """
    if fresh and await conn.fetchval(_SQL["timescaledb_available"]):
        await conn.execute(_SQL["create_timescaledb"])
    return bool(await conn.fetchval(_SQL["timescaledb_created"]))


def translate(sql: str, *, timescale: bool, sample_chunk: timedelta) -> str:
    """Turn the declarations of time-partitioned tables into what the database at hand does best.

    Args:
        sql: A migration in plain PostgreSQL's words.
        timescale: Whether the database has TimescaleDB.
        sample_chunk: Length of a chunk of the tables of samples (hypertables only).

    Returns:
        The migration to execute.
    """

    def declare(match: re.Match[str]) -> str:
        table, time = match["table"], match["time"]
        indexes = _sample_indexes(table, time, btree=not timescale) if table in _SAMPLES else ""
        if not timescale:
            return match[0] + indexes
        chunk = sample_chunk if table in _SAMPLES else _DAY
        return f"{match['create']};{_hypertable(table, time, chunk)}{indexes}"

    return _DECLARATION.sub(declare, sql)


def _hypertable(table: str, time: str, chunk: timedelta) -> str:
    interval = f"interval '{int(chunk.total_seconds())} seconds'"
    by_time = f"by_range('{time}', {interval})"
    return f"\nselect create_hypertable('wafer.{table}', {by_time}, create_default_indexes => false);"


def _sample_indexes(table: str, time: str, *, btree: bool) -> str:
    brin = f"\ncreate index {table}_{time} on wafer.{table} using brin ({time}) with (autosummarize);"
    return (f"\ncreate index {table}_series on wafer.{table} (series_id, {time});" if btree else "") + brin


# The partitions that each connection has seen, by table; None for a hypertable. A connection belongs to one database,
# so this can't mix databases up, and it ends with the connection.
_seen: WeakKeyDictionary[object, dict[str, set[str] | None]] = WeakKeyDictionary()


async def ensure(
    conn: asyncpg.Connection | PoolConnectionProxy, table: str, instants: Iterable[datetime], *, recheck: bool = False
) -> None:
    """Create the partitions that these instants need; nothing to do on a hypertable.

    Any number of writers may do this at once. Call it outside of a transaction: it takes one of its own for each
    missing partition, in which the table stays open for reading and writing.

    Args:
        conn: A connection; what it has seen once is not asked again.
        table: A time-partitioned table, without its schema.
        instants: Times with a timezone, in any order, repeated or not.
        recheck: Ask again what there is: after "no partition of relation found for row" (SQLSTATE 23514), when a
            partition was dropped behind the connection's back.

    Raises:
        MissingTableError: There is no such table.
    """
    tables = _seen.setdefault(getattr(conn, "_con", conn), {})  # a pool hands out a new proxy each time
    if recheck or table not in tables:
        tables[table] = await _partitions(conn, table)
    seen = tables[table]
    if seen is None:
        return
    for day in sorted({instant.astimezone(UTC).date() for instant in instants}):
        partition = f"{table}_{day:%Y%m%d}"
        if partition not in seen:
            await _create(conn, table, partition, day)
            seen.add(partition)


async def _partitions(conn: asyncpg.Connection | PoolConnectionProxy, table: str) -> set[str] | None:
    """Name the partitions of a table; None for a hypertable, which makes its chunks itself."""
    row = await conn.fetchrow(_SQL["partitions"], table)
    if row is None:
        raise MissingTableError(f"there is no table wafer.{table}")
    return set(row["partitions"]) if row["native"] else None


async def _create(conn: asyncpg.Connection | PoolConnectionProxy, table: str, partition: str, day: date) -> None:
    """Create and attach one partition: unlike "create table … partition of", this does not lock the others out."""
    async with conn.transaction():
        await conn.execute(_SQL["lock_partitions"])
        if partition not in (await _partitions(conn, table) or ()):
            names = {"table": table, "partition": partition, "start": day, "end": day + _DAY}
            await conn.execute(_SQL["create_partition"].format_map(names))
