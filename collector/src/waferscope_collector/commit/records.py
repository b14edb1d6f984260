"""The spans, steps and log records of a group; what takes long for a large group is done in a thread."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from waferscope_collector import cells
from waferscope_collector.commit.ledger import Entry
from waferscope_collector.commit.rows import columns, parts
from waferscope_collector.decode.logs import LOG_COLUMNS
from waferscope_collector.decode.records import Row, Step
from waferscope_collector.decode.traces import KEY_BYTES, SPAN_COLUMNS
from waferscope_schemas import queries

_SQL = queries.load("waferscope_collector")

_BLOCK = 256 * 1024  # bytes that are sent at once, at least
_STEPS = 500  # of one statement


async def store(conn: PoolConnectionProxy, entries: Sequence[Entry]) -> None:
    """Store the spans, steps and log records of all requests."""
    logs = [entry.batch.logs.records for entry in entries if entry.batch.logs.records]
    spans = [entry.batch.traces.spans for entry in entries if entry.batch.traces.spans]
    steps = [step for entry in entries for step in entry.batch.traces.steps]
    if logs:
        await _copy(conn, "log_record", "wafer", LOG_COLUMNS, [row for records in logs for row in records])
    if spans:
        await _store_spans(conn, await asyncio.to_thread(lambda: [*_once_each(spans)]))
    if steps:
        await _store_steps(conn, steps)


async def _store_spans(conn: PoolConnectionProxy, rows: Sequence[Row]) -> None:
    """Copy spans into their table as if all were new; only if one is there already, take the way that can leave it out.

    A request that comes again as it was is known to the ledger: only requests that were cut anew come to that.
    """
    try:
        async with conn.transaction():
            await _copy(conn, "span", "wafer", SPAN_COLUMNS, rows)
    except asyncpg.UniqueViolationError:
        await conn.execute(_SQL["create_arrived_spans"])
        await _copy(conn, "arrived_span", None, SPAN_COLUMNS, rows)
        await conn.execute(_SQL["insert_spans"])


def _once_each(parts: Sequence[Sequence[Row]]) -> Iterator[Row]:
    """Return rows in the order of their keys, so that writers wait for each other in one order; each key once."""
    last = b""
    for row in sorted(row for part in parts for row in part):
        key = row[0][:KEY_BYTES]
        if key != last:
            yield row
        last = key


def _blocks(of: Iterable[Row]) -> Iterator[bytes]:
    """Join rows to blocks of some size, one at a time: what they share is repeated here first."""
    block = bytearray()
    for own, shared in of:
        block += own
        block += shared
        if len(block) >= _BLOCK:
            yield bytes(block)
            block.clear()
    yield bytes(block)


async def _store_steps(conn: PoolConnectionProxy, steps: list[Step]) -> None:
    steps.sort(key=lambda step: (step.site, step.job_id, step.attempt, step.span_id))
    for part in parts(steps, _STEPS):
        await conn.execute(_SQL["insert_steps"], *await asyncio.to_thread(columns, part))


async def _copy(
    conn: PoolConnectionProxy, table: str, schema: str | None, columns: Sequence[str], rows: Sequence[Row]
) -> None:
    blocks = _blocks(rows)

    async def source() -> AsyncIterator[bytes]:
        yield cells.HEADER
        while block := await asyncio.to_thread(next, blocks, b""):
            yield block
        yield cells.TRAILER

    await conn.copy_to_table(table, source=source(), columns=list(columns), format="binary", schema_name=schema)
