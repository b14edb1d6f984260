"""What equipment, carriers and deployments announce in a group; a large group is encoded in a thread."""

import asyncio
from collections.abc import Sequence
from operator import attrgetter

from asyncpg.pool import PoolConnectionProxy

from waferscope_collector.commit.ledger import Entry
from waferscope_collector.commit.rows import columns, parts
from waferscope_collector.decode.records import CarrierEvent, Deployment, EquipmentState
from waferscope_schemas import queries

_SQL = queries.load("waferscope_collector")
# Of each kind its statement, and what its rows are sorted by: their keys.
_UPSERTS = {
    EquipmentState: (_SQL["upsert_equipment_states"], attrgetter("site", "equipment", "module", "at")),
    CarrierEvent: (_SQL["upsert_carrier_events"], attrgetter("site", "carrier", "equipment", "at", "event")),
    Deployment: (_SQL["upsert_deployments"], attrgetter("site", "service", "at", "version", "host")),
}
_ROWS = 1_000  # of one statement


async def store(conn: PoolConnectionProxy, entries: Sequence[Entry]) -> None:
    """Store the announcements of all requests; those that are there already change nothing."""
    announced = [event for entry in entries for event in entry.batch.logs.fab]
    for kind, (upsert, key) in _UPSERTS.items():
        rows = sorted((event for event in announced if isinstance(event, kind)), key=key)
        for part in parts(rows, _ROWS):
            await conn.execute(upsert, *await asyncio.to_thread(columns, part))
