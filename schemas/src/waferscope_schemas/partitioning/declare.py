"""What a fresh database is made of: hypertables where TimescaleDB is, natively partitioned tables elsewhere.

The tables of samples carry, on both, a BRIN index by time: a row of the change feed leads to its samples by time.
Plain PostgreSQL adds a btree by series; a hypertable's hot chunk goes without, for the sake of its writers.
"""

import re
from datetime import timedelta

import asyncpg

from waferscope_schemas import queries

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
