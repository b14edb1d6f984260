"""The spans, steps and log records of a group."""

from collections.abc import Sequence
from dataclasses import astuple, fields

from asyncpg.pool import PoolConnectionProxy

from waferscope_collector.commit.ledger import Entry
from waferscope_collector.commit.rows import columns
from waferscope_collector.decode.records import LogRecord
from waferscope_schemas import queries

_SQL = queries.load("waferscope_collector")
_LOG_COLUMNS = [field.name for field in fields(LogRecord)]


async def store(conn: PoolConnectionProxy, entries: Sequence[Entry]) -> None:
    """Store the spans, steps and log records of all requests."""
    logs = [record for entry in entries for record in entry.batch.logs.records]
    spans = [span for entry in entries for span in entry.batch.traces.spans]
    steps = [step for entry in entries for step in entry.batch.traces.steps]
    if logs:
        await conn.copy_records_to_table(
            "log_record", records=map(astuple, logs), columns=_LOG_COLUMNS, schema_name="wafer"
        )
    if spans:
        ordered = sorted(spans, key=lambda span: (span.trace_id, span.span_id, span.start))
        await conn.execute(_SQL["insert_spans"], *columns(ordered))
    if steps:
        in_order = sorted(steps, key=lambda step: (step.site, step.job_id, step.attempt, step.span_id))
        await conn.execute(_SQL["insert_steps"], *columns(in_order))
