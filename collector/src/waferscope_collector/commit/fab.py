"""What equipment, carriers and deployments announce in a group."""

from collections.abc import Sequence

from asyncpg.pool import PoolConnectionProxy

from waferscope_collector.commit.ledger import Entry
from waferscope_collector.commit.rows import columns
from waferscope_collector.decode.records import CarrierEvent, Deployment, EquipmentState
from waferscope_schemas import queries

_SQL = queries.load("waferscope_collector")
_UPSERTS = {
    EquipmentState: _SQL["upsert_equipment_states"],
    CarrierEvent: _SQL["upsert_carrier_events"],
    Deployment: _SQL["upsert_deployments"],
}


async def store(conn: PoolConnectionProxy, entries: Sequence[Entry]) -> None:
    """Store the announcements of all requests; those that are there already change nothing."""
    announced = [event for entry in entries for event in entry.batch.logs.fab]
    for kind, upsert in _UPSERTS.items():
        rows = [event for event in announced if isinstance(event, kind)]
        if rows:
            await conn.execute(upsert, *columns(rows))
