"""Rollups of one hour and of one live bucket, of 10,000 series at 15 s and 1,000 histograms; conversion of the chunk.

Measured on the embedded PostgreSQL, or on the server of WAFERSCOPE_TEST_DATABASE_URL, for instance one with
TimescaleDB.
"""

import asyncio
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import psutil

sys.path.insert(0, str(Path(__file__).parent.parent))

from support import databases

from waferscope_collector.maintenance import rollups
from waferscope_schemas import partitioning
from waferscope_schemas.database import connect
from waferscope_schemas.migrate import migrate
from waferscope_stack.data_dir import opened
from waferscope_stack.postgres import Postgres
from waferscope_stack.server_user import ServerUser

HOUR = datetime(2026, 1, 14, 12, tzinfo=UTC)
LAST = timedelta(minutes=55)
SAMPLES = """
    insert into wafer.sample
    select s, $1::timestamptz + t * interval '15 s', t * s + random()
    from generate_series(0, 239) t, generate_series(1, 10000) s
"""
HISTOGRAMS = """
    insert into wafer.histogram_sample
        (series_id, ts, count, sum, schema, custom_bounds, positive_spans, positive_counts)
    select s, $1::timestamptz + t * interval '15 s', t * 15, t, -53, array(select generate_series(1, 14))::float8[],
        array[0, 15], array_fill(t::float8, array[15])
    from generate_series(0, 239) t, generate_series(1, 1000) s
"""


def main() -> None:
    """Print seconds, and CPU seconds of the one server process that computes."""
    with _server() as url:
        asyncio.run(_measure(url))


@contextlib.contextmanager
def _server() -> Iterator[str]:
    if given := os.environ.get("WAFERSCOPE_TEST_DATABASE_URL"):
        with databases.fresh(given) as url:
            yield url
        return
    with tempfile.TemporaryDirectory(prefix="waferscope-bench-") as folder:
        Path(folder).chmod(0o755)  # the server runs as another user when this process is root's
        with opened(Path(folder) / "data", ServerUser.choose()) as data_dir:
            server = Postgres.start(data_dir)
            try:
                yield server.url
            finally:
                server.stop()


async def _measure(url: str) -> None:
    storage = (await migrate(url)).storage
    conn = await connect(url)
    process = psutil.Process(await conn.fetchval("select pg_backend_pid()"))
    for table in ("sample", "histogram_sample", "rollup_5m", "rollup_5m_histogram"):
        await partitioning.ensure(conn, table, [HOUR])
    print(f"## Rollups ({storage})\n\n| what | s | CPU s |\n|---|---:|---:|")

    async def timed(what: str, work: Awaitable[object]) -> None:
        began, used = time.monotonic(), sum(process.cpu_times()[:2])
        await work
        print(f"| {what} | {time.monotonic() - began:.2f} | {sum(process.cpu_times()[:2]) - used:.2f} |", flush=True)

    for name, sql in (
        ("10,000 series, 2.4 million samples", SAMPLES),
        ("1,000 histograms, 240,000 samples", HISTOGRAMS),
    ):
        await conn.execute(sql, HOUR)
        await _due(conn, timedelta(0))
        await timed(f"an hour of {name}", rollups.catch_up(conn, budget=600))
        await conn.execute("truncate wafer.sample, wafer.histogram_sample")
    await conn.execute(SAMPLES, HOUR)
    for table in ("rollup_5m", "rollup_1h"):
        await conn.execute(f"delete from wafer.{table} where bucket >= $1", HOUR + LAST)
    await _due(conn, LAST)
    await timed("the bucket that is being written, 10,000 series", rollups.catch_up(conn, budget=600))
    for chunk in await partitioning.unconverted(conn, HOUR + timedelta(hours=1)):
        await timed("2.4 million samples into the columnstore", partitioning.convert(conn, chunk))
    await conn.close()


async def _due(conn: asyncpg.Connection, begin: timedelta) -> None:
    await conn.execute(
        "insert into wafer.rollup_due values ($1, $2, $3)", HOUR, HOUR + begin, HOUR + timedelta(hours=1)
    )


if __name__ == "__main__":
    main()
