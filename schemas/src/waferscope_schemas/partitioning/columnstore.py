"""The columnstore of TimescaleDB: which tables have one, and how closed chunks get into it.

Samples lie there by series, in order of time: a series is then read in one go. Spans, log records and exemplars are
looked up by ids rather than read by series; they lie in order of time, and TimescaleDB's sparse indexes (bloom filters
on what has an index in the row store) tell which batches an id may be in. Tables that readers follow by ``xid``
(job_event, rollup_5m) stay row stores: a poll of the change feed would have to open every batch.
"""

from dataclasses import dataclass
from datetime import datetime

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from waferscope_schemas import queries

_SQL = queries.load("waferscope_schemas")

DENSE = 20
"""Samples of each series, about, from which on a commit is smaller and quicker written straight to the columnstore."""

_LAYOUTS = {  # segment by, order by
    "sample": ("series_id", "ts"),
    "histogram_sample": ("series_id", "ts"),
    "exemplar": ("", "series_id, ts"),
    "span": ("", "start"),
    "log_record": ("", "ts"),
}


@dataclass(frozen=True, slots=True)
class Unconverted:
    """A closed chunk with rows that are not in the columnstore."""

    name: str
    end: datetime


async def enable_columnstore(conn: asyncpg.Connection) -> None:
    """Give the hypertables their columnstore where the database can have one; those that have it are left alone.

    Args:
        conn: A connection as the owner of the tables.
    """
    if await conn.fetchval(_SQL["columnstore_available"]):
        missing = {row["table"] for row in await conn.fetch(_SQL["rowstore_tables"])}
        for table, (segment, order) in _LAYOUTS.items():
            if table in missing:
                names = {"table": table, "segment": segment, "order": order}
                await conn.execute(_SQL["enable_columnstore"].format_map(names))


async def unconverted(conn: asyncpg.Connection, before: datetime) -> list[Unconverted]:
    """List closed chunks whose rows are not all in the columnstore.

    Args:
        conn: A connection.
        before: Chunks that ended then or earlier.

    Returns:
        The chunks of all tables, the oldest of each table first; none where there is no columnstore.
    """
    if not await conn.fetchval(_SQL["columnstore_available"]):
        return []
    return [
        Unconverted(**row) for table in _LAYOUTS for row in await conn.fetch(_SQL["unconverted_chunks"], table, before)
    ]


async def convert(conn: asyncpg.Connection, chunk: Unconverted) -> None:
    """Move a chunk's rows into the columnstore, also those that have come since it was moved.

    Rows for this very chunk wait until it is done (about a second for two million samples), all others go in.

    Args:
        conn: A connection outside of a transaction; its ``lock_timeout`` bounds how long others queue behind it.
        chunk: As `unconverted` lists it.
    """
    await conn.execute(_SQL["convert_chunk"].format(chunk=chunk.name))


async def expect_dense_copy(conn: asyncpg.Connection | PoolConnectionProxy) -> None:
    """Let COPY write straight into the columnstore until the end of the transaction, where there is one.

    For a commit with about `DENSE` samples of each series or more; with fewer it is slower and takes more room.

    Args:
        conn: A connection in a transaction.
    """
    await conn.execute(_SQL["expect_dense_copy"])
