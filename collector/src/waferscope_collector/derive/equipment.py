"""Time that equipment spends in each state of SEMI E10, as a counter.

Each round adds the time since the last sample that is stored, so a round that failed is made up for by the next, also
by another writer's. A gap of more than some minutes is left out: nobody knows yet what was announced in it. What is
announced late corrects the view of states, not the counter, which can't go back.
"""

from datetime import timedelta

import asyncpg

from waferscope_collector.decode.names import metric_name
from waferscope_collector.decode.records import instant
from waferscope_collector.derive.request import Request, nanoseconds, registered, site
from waferscope_schemas import queries

_SQL = queries.load("waferscope_collector")
_TIME = "wafer.equipment.state.time"
_LONGEST = timedelta(minutes=5)


async def sample(conn: asyncpg.Connection, now: int, request: Request) -> None:
    """Add the time in each state since the last sample; states that the equipment was in before get zeros.

    Args:
        conn: A connection.
        now: Unix time, ns.
        request: Takes the points.
    """
    unit = registered(_TIME).unit
    until = instant(now)
    for row in await conn.fetch(_SQL["state_times"], metric_name(_TIME, unit, "counter"), until, _LONGEST):
        attributes = (("wafer.equipment.id", row["equipment"]), ("wafer.equipment.state", row["state"]))
        interval = nanoseconds(row["since"]), now
        request.total(site(row["site"]), _TIME, interval, row["seconds"], attributes, unit=unit, delta=True)
