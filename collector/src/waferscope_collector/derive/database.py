"""The size and the health of the site's database."""

import asyncpg

from waferscope_collector.derive.request import Pairs, Request
from waferscope_schemas import queries

_SQL = queries.load("waferscope_collector")
_PREFIX = "waferscope_database"


async def sample(conn: asyncpg.Connection, now: int, resource: Pairs, request: Request) -> None:
    """Add gauges of size, tables, compression and replication.

    Args:
        conn: A connection.
        now: Unix time, ns.
        resource: The writer's attributes, without what tells one writer from another.
        request: Takes the points.
    """

    def add(name: str, value: float | None, attributes: Pairs = (), unit: str = "") -> None:
        if value is not None:
            request.gauge(resource, f"{_PREFIX}_{name}", now, float(value), attributes, unit=unit)

    add("size", await conn.fetchval(_SQL["database_size"]), unit="By")
    timescale = await conn.fetchval(_SQL["has_hypertables"])
    for row in await conn.fetch(_SQL["hypertable_sizes"] if timescale else _SQL["table_sizes"]):
        table = (("table", row["name"]),)
        add("table", row["bytes"], table, unit="By")
        add("table_rows", row["rows"], table)
        if row["partitions"] is not None:
            add("table_partitions", row["partitions"], table)
        if row["compressed"] is not None:
            add("table_compressed_partitions", row["compressed"], table)
            add("table_compression_before", row["before"], table, unit="By")
            add("table_compression_after", row["after"], table, unit="By")
            add("table_compression", row["before"] / row["after"] if row["after"] else None, table, unit="1")
    for row in await conn.fetch(_SQL["replication_lag"]):
        replica = (("replica", row["replica"]),)
        add("replication_lag", row["lag_s"], replica, unit="s")
        add("replication_lag", row["lag_bytes"], replica, unit="By")
