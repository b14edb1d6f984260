"""The parts of a time-partitioned table: which there are, and how one leaves without holding anybody up."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import asyncpg

from waferscope_schemas import queries
from waferscope_schemas.partitioning.create import forget

_SQL = queries.load("waferscope_schemas")


@dataclass(frozen=True, slots=True)
class Part:
    """A chunk of a hypertable, or a native partition."""

    name: str
    begin: datetime
    end: datetime  # not included
    state: Literal["chunk", "attached", "detaching", "detached"]


async def parts(conn: asyncpg.Connection, table: str) -> list[Part]:
    """List the parts of a table, oldest first.

    Args:
        conn: A connection.
        table: A time-partitioned table, without its schema.

    Returns:
        Its chunks or partitions, also such that an interrupted `drop` has left half done.
    """
    native = await conn.fetchval(_SQL["table_kind"], table)
    rows = await conn.fetch(_SQL["partition_parts" if native else "chunk_parts"], table)
    return [Part(**row) for row in rows]


async def drop(conn: asyncpg.Connection, table: str, part: Part) -> None:
    """Drop a part. Rows still go into the others meanwhile; set a ``lock_timeout``, and try again after it.

    Args:
        conn: A connection outside of a transaction.
        table: The table that the part belongs to.
        part: As `parts` lists it.
    """
    forget(conn, table)
    names = {"table": table, "partition": part.name}
    if part.state == "chunk":
        await conn.execute(_SQL["drop_chunk"].format_map(names), part.begin, part.end)
        return
    # Dropping an attached partition would lock the whole table, behind its readers and before its writers.
    if part.state == "attached":
        await conn.execute(_SQL["detach_partition"].format_map(names))
    elif part.state == "detaching":
        await conn.execute(_SQL["finish_detaching"].format_map(names))
    await conn.execute(_SQL["drop_partition"].format_map(names))


async def summarize(conn: asyncpg.Connection, table: str) -> int:
    """Bring the statistics and BRIN indexes of the parts that have grown up to date; writers are not held up.

    Args:
        conn: A connection outside of a transaction.
        table: A time-partitioned table, without its schema.

    Returns:
        How many parts had grown.
    """
    grown = [row["part"] for row in await conn.fetch(_SQL["stale_statistics"], table)]
    for row in await conn.fetch(_SQL["brin_indexes"], table, grown):
        await conn.execute(_SQL["summarize_brin"], row["index"])
    for part in grown:
        await conn.execute(_SQL["analyze_part"].format(part=part))
    return len(grown)
