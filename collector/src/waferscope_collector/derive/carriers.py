"""How long carriers stay at equipment, as a histogram.

Each visit that ended is a request of its own, made of nothing but what identifies the visit. Whoever makes it again,
after a failure or as the next writer that leads, makes the same bytes, and the ledger knows them: it counts once.
"""

import asyncpg

from waferscope_collector.derive.request import Request, nanoseconds, observed, registered, site
from waferscope_schemas import queries

_SQL = queries.load("waferscope_collector")
_DWELL = "wafer.carrier.dwell.duration"


async def visits(conn: asyncpg.Connection, since: str | None) -> list[bytes]:
    """Make a request of each visit that ended.

    Args:
        conn: A connection.
        since: A snapshot of the change feed; None: those that ended within the last hour.

    Returns:
        Bodies of requests.
    """
    if since is None:
        events = await conn.fetch(_SQL["recent_carrier_events"])
    else:
        events = await conn.fetch(_SQL["new_carrier_events"], since)
    if not events:
        return []
    return [_body(row) for row in await conn.fetch(_SQL["ended_visits"], *map(list, zip(*events, strict=True)))]


def _body(row: asyncpg.Record) -> bytes:
    departure = nanoseconds(row["departure"])
    metric = registered(_DWELL)
    point = observed(
        metric.boundaries,
        row["dwell_s"],
        (departure - 1_000_000, departure),
        (("wafer.equipment.id", row["equipment"]),),
    )
    # Two carriers may stay equally long and leave at one instant: the carrier's id tells the requests apart.
    carrier = point.exemplars.add(time_unix_nano=departure, as_double=row["dwell_s"])
    carrier.filtered_attributes.add(key="wafer.carrier.id").value.string_value = row["carrier"]
    request = Request()
    request.histogram(site(row["site"]), _DWELL, point, unit=metric.unit, delta=True)
    return request.body()
