"""Gauge points from OTLP over gRPC to committed, against bare COPY BINARY into the same table in the same run."""

import asyncio
import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import grpc
import numpy as np
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

sys.path.insert(0, str(Path(__file__).parent.parent))

from support.ports import free_ports
from support.processes import waferscope

from waferscope_collector.copy import HEADER, SAMPLE_COLUMNS, TRAILER, Samples, sample_rows
from waferscope_schemas.migrate import migrate
from waferscope_stack.data_dir import opened
from waferscope_stack.postgres import Postgres
from waferscope_stack.server_user import ServerUser

SERIES = 10_000
POINTS = 8_000  # of a request, and rows of a bare commit
REQUESTS = 60
IN_FLIGHT = 4  # requests that a client has under way, as a Collector's exporter has consumers
ROUNDS = 3
EXPORT = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"


def main() -> None:
    """Print points a second of both ways, and their ratio."""
    with tempfile.TemporaryDirectory(prefix="waferscope-bench-") as folder:
        Path(folder).chmod(0o755)  # the server runs as another user when this process is root's
        with opened(Path(folder) / "data", ServerUser.choose()) as data_dir:
            server = Postgres.start(data_dir)
            try:
                asyncio.run(_compare(server.url))
            finally:
                server.stop()


async def _compare(url: str) -> None:
    await migrate(url)
    await _bare_table(url)
    rates = []
    with _writer(url) as address:
        await _send(address, _requests(first=0, count=2))  # creates the series: their cost is not what is measured
        for round_number in range(ROUNDS):
            bare = await _bare(url, first=(round_number + 1) * REQUESTS)
            sent = await _send(address, _requests(first=(round_number + 1) * REQUESTS, count=REQUESTS))
            rates.append((bare, sent))
    await _check(url)
    bare, sent = (statistics.median(column) for column in zip(*rates, strict=True))
    ratio = statistics.median(sent / bare for bare, sent in rates)
    print("## Ingest\n")
    print(
        f"{POINTS:,} points a request or commit, {SERIES:,} series, plain PostgreSQL with fsync; median of {ROUNDS}.\n"
    )
    print("| way | points/s | against bare COPY |\n|---|---:|---:|")
    print(f"| bare COPY BINARY, one connection | {bare:,.0f} | 1.00 |")
    print(f"| OTLP/gRPC to committed, one writer | {sent:,.0f} | {ratio:.2f} |\n")


@contextlib.contextmanager
def _writer(url: str) -> Iterator[str]:
    """Run a writer; yield its gRPC address."""
    http, port = free_ports(2)
    env = {
        "WAFERSCOPE_DATABASE_URL": url,
        "WAFERSCOPE_WRITER_HTTP_PORT": str(http),
        "WAFERSCOPE_WRITER_GRPC_PORT": str(port),
        "WAFERSCOPE_WRITER_SAMPLE_INTERVAL": "0",  # nothing but what is measured is stored
    }
    with waferscope("serve", "writer", env=env) as process:
        process.wait_healthy(f"http://127.0.0.1:{http}/v1/readyz")
        yield f"127.0.0.1:{port}"


def _requests(first: int, count: int) -> list[bytes]:
    """Build requests whose points run over all series again and again, each time 15 s later."""
    now = time.time_ns() - 3600 * 10**9
    return [_request(number * POINTS, now) for number in range(first, first + count)]


def _request(first: int, now: int) -> bytes:
    request = ExportMetricsServiceRequest()
    resource = request.resource_metrics.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "bench"
    metric = resource.scope_metrics.add().metrics.add(name="bench.value", unit="By")
    points = metric.gauge.data_points
    for number in range(first, first + POINTS):
        series, turn = number % SERIES, number // SERIES
        point = points.add(time_unix_nano=now + turn * 15 * 10**9, as_double=series + turn / 7)
        point.attributes.add(key="wafer.equipment.id").value.string_value = f"tool-{series % 100:03d}"
        point.attributes.add(key="channel").value.string_value = f"channel-{series // 100:03d}"
        point.attributes.add(key="unit").value.string_value = "stage"
    return request.SerializeToString()


async def _send(address: str, bodies: list[bytes]) -> float:
    """Send requests and wait for all commits; return points a second."""
    options = (("grpc.max_send_message_length", -1),)
    async with grpc.aio.insecure_channel(address, options=options) as channel:
        export = channel.unary_unary(EXPORT)
        room = asyncio.Semaphore(IN_FLIGHT)

        async def one(body: bytes) -> None:
            async with room:
                await export(body, timeout=60)

        await channel.channel_ready()
        began = time.perf_counter()
        await asyncio.gather(*map(one, bodies))
        return len(bodies) * POINTS / (time.perf_counter() - began)


async def _bare(url: str, first: int) -> float:
    """Copy as many rows into a table that differs from sample in its name only; return rows a second."""
    conn = await asyncpg.connect(url)
    try:
        now = time.time_ns() // 10**6 - 3_600_000
        commits = [_rows(number * POINTS, now) for number in range(first, first + REQUESTS)]
        began = time.perf_counter()
        for rows in commits:
            await conn.copy_to_table(
                "bare", source=_once(rows), columns=list(SAMPLE_COLUMNS), format="binary", schema_name="wafer"
            )
        return REQUESTS * POINTS / (time.perf_counter() - began)
    finally:
        await conn.close()


async def _bare_table(url: str) -> None:
    conn = await asyncpg.connect(url)
    await conn.execute("create table wafer.bare (like wafer.sample) partition by range (ts)")
    await conn.execute("create index on wafer.bare (series_id, ts)")
    await conn.execute("create index on wafer.bare using brin (ts) with (autosummarize)")
    for day in await conn.fetch("select current_date + n as day from generate_series(-1, 1) n"):
        await conn.execute(
            f"create table wafer.bare_{day['day']:%Y%m%d} partition of wafer.bare"
            f" for values from ('{day['day']}') to (date '{day['day']}' + 1)"
        )
    await conn.close()


def _rows(first: int, now: int) -> bytes:
    numbers = np.arange(first, first + POINTS)
    series, turn = numbers % SERIES, numbers // SERIES
    return HEADER + sample_rows(Samples(series + 1, now + turn * 15_000, series + turn / 7)) + TRAILER


async def _once(rows: bytes) -> AsyncIterator[bytes]:
    yield rows


async def _check(url: str) -> None:
    """Fail unless everything that was sent is there."""
    conn = await asyncpg.connect(url)
    count = await conn.fetchval("select count(*) from wafer.sample")
    await conn.close()
    expected = (2 + ROUNDS * REQUESTS) * POINTS
    assert count == expected, f"{count} of {expected} points are there"


if __name__ == "__main__":
    main()
