"""The job events of a group: appended, and folded into job runs."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from asyncpg.pool import PoolConnectionProxy

from waferscope_collector.commit.ledger import Entry
from waferscope_collector.commit.rows import columns
from waferscope_collector.decode.records import JobEvent
from waferscope_collector.fold.job import Run, fold
from waferscope_schemas import queries

_SQL = queries.load("waferscope_collector")


async def store(conn: PoolConnectionProxy, entries: Sequence[Entry]) -> None:
    """Store the job events of all requests; those that are there already change nothing."""
    received = {event.key: (event, entry.batch.received_at) for entry in entries for event in entry.batch.logs.events}
    if not received:
        return
    rows = [_event_row(*received[key]) for key in sorted(received)]
    new = await conn.fetch(_SQL["insert_job_events"], *map(list, zip(*rows, strict=True)))
    if runs := fold(received[tuple(row)] for row in new):
        await conn.execute(_SQL["upsert_job_runs"], *_run_columns(runs))


def _event_row(event: JobEvent, received_at: datetime) -> tuple[Any, ...]:
    return (*event.key, event.name, received_at, event.trace_id, event.span_id, event.attributes)


def _run_columns(runs: Sequence[Run]) -> list[list[Any]]:
    keys = [
        (
            run.site,
            run.job_id,
            run.attempt,
            run.started_at,
            run.heartbeat_at,
            run.clock_offset,
            run.heard_at,
            "{" + ",".join(map(str, run.ranks)) + "}",  # unnest would take an array of arrays apart
        )
        for run in runs
    ]
    return [*map(list, zip(*keys, strict=True)), *columns([run.facts for run in runs])]
