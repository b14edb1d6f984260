"""The spans, steps and log records of a group: encoded in a thread, for a large request would hold up all others."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from asyncpg.pool import PoolConnectionProxy

from waferscope_collector.commit import rows
from waferscope_collector.commit.ledger import Entry
from waferscope_collector.commit.rows import Encode
from waferscope_schemas import queries

_SQL = queries.load("waferscope_collector")

_LOG_COLUMNS: dict[str, Encode] = {
    "ts": rows.timestamptz,
    "observed_at": rows.timestamptz,
    "severity": rows.smallint,
    **dict.fromkeys(("severity_text", "event_name"), rows.text),
    "body": rows.json,
    **dict.fromkeys(("trace_id", "span_id"), rows.binary),
    **dict.fromkeys(("site", "service", "host", "job_id"), rows.text),
    **dict.fromkeys(("attributes", "resource"), rows.json),
    "scope": rows.text,
}
_SPAN_COLUMNS: dict[str, Encode] = {
    **dict.fromkeys(("trace_id", "span_id", "parent_span_id"), rows.binary),
    "start": rows.timestamptz,
    **dict.fromkeys(("start_ns", "duration_ns"), rows.bigint),
    "name": rows.text,
    **dict.fromkeys(("kind", "status"), rows.smallint),
    **dict.fromkeys(("status_message", "site", "service", "host"), rows.text),
    **dict.fromkeys(("job_id", "job_name", "step_name", "lot", "equipment"), rows.text),
    **dict.fromkeys(("attributes", "resource"), rows.json),
    "scope": rows.text,
    **dict.fromkeys(("events", "links"), rows.json),
}
_STEPS = 2_000  # of one statement


async def store(conn: PoolConnectionProxy, entries: Sequence[Entry]) -> None:
    """Store the spans, steps and log records of all requests."""
    logs = [record for entry in entries for record in entry.batch.logs.records]
    spans = [span for entry in entries for span in entry.batch.traces.spans]
    steps = [step for entry in entries for step in entry.batch.traces.steps]
    if logs:
        await _copy(conn, "log_record", "wafer", logs, _LOG_COLUMNS)
    if spans:
        await conn.execute(_SQL["create_arrived_spans"])
        await _copy(conn, "arrived_span", None, spans, _SPAN_COLUMNS)
        await conn.execute(_SQL["insert_spans"])
    steps.sort(key=lambda step: (step.site, step.job_id, step.attempt, step.span_id))
    for begin in range(0, len(steps), _STEPS):
        columns = await asyncio.to_thread(rows.columns, steps[begin : begin + _STEPS])
        await conn.execute(_SQL["insert_steps"], *columns)


async def _copy(
    conn: PoolConnectionProxy, table: str, schema: str | None, records: Sequence[Any], types: dict[str, Encode]
) -> None:
    blocks = await asyncio.to_thread(rows.copied, records, types)

    async def source() -> AsyncIterator[bytes]:
        for block in blocks:
            yield block

    await conn.copy_to_table(table, source=source(), columns=list(types), format="binary", schema_name=schema)
