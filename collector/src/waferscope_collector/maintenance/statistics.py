"""What the planner knows of the parts that grow."""

import asyncpg

from waferscope_collector.maintenance.partitions import TABLES
from waferscope_schemas import partitioning


async def refresh(conn: asyncpg.Connection) -> None:
    """Bring the statistics and BRIN indexes of all time-partitioned tables up to date."""
    for table in TABLES:
        await partitioning.summarize(conn, table)
