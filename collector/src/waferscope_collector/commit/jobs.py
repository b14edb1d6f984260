"""The job events of a group: appended, and folded into job runs; a large group is encoded and folded in a thread."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from asyncpg.pool import PoolConnectionProxy

from waferscope_collector.commit.ledger import Entry
from waferscope_collector.commit.rows import columns, parts
from waferscope_collector.decode.records import JobEvent
from waferscope_collector.fold.job import Run, fold
from waferscope_schemas import queries

_SQL = queries.load("waferscope_collector")

# Rows of one statement: the driver encodes its arguments on the event loop, which shall not be held for long.
_EVENTS = 1_000
_RUNS = 250

Received = tuple[JobEvent, datetime]  # with the time when the writer received it


async def store(conn: PoolConnectionProxy, entries: Sequence[Entry]) -> None:
    """Store the job events of all requests; those that are there already change nothing."""
    events = [(event, entry.batch.received_at) for entry in entries for event in entry.batch.logs.events]
    if not events:
        return
    events = await _first_of_their_key(conn, events)
    received = await asyncio.to_thread(lambda: {event.key: (event, at) for event, at in sorted(events, key=_natural)})
    new: list[Received] = []
    for part in parts([*received], _EVENTS):
        arguments = await asyncio.to_thread(_event_columns, [received[key] for key in part])
        new += [received[tuple(row)] for row in await conn.fetch(_SQL["insert_job_events"], *arguments)]
    runs = await asyncio.to_thread(fold, new)
    for some in parts(runs, _RUNS):
        await conn.execute(_SQL["upsert_job_runs"], *await asyncio.to_thread(_run_columns, some))


async def _first_of_their_key(conn: PoolConnectionProxy, events: list[Received]) -> list[Received]:
    """Leave out events whose sender gave them a key that is known already."""
    keyed: Mapping[tuple[str, str], Received] = {
        (item[0].site, key): item for item in reversed(events) if (key := item[0].idempotency_key) is not None
    }
    if not keyed:
        return events
    kept = [item for item in events if item[0].idempotency_key is None]
    for part in parts(sorted(keyed), _EVENTS):
        sites, keys = map(list, zip(*part, strict=True))
        new = await conn.fetch(_SQL["insert_event_keys"], sites, keys)
        kept += [keyed[row["site"], row["idempotency_key"]] for row in new]
    return kept


def _natural(item: Received) -> tuple[Any, ...]:
    return item[0].key


def _event_columns(events: Sequence[Received]) -> list[list[Any]]:
    rows = [
        (*event.key, event.name, received_at, event.trace_id, event.span_id, event.attributes)
        for event, received_at in events
    ]
    return [*map(list, zip(*rows, strict=True))]


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
