"""What samples take on disk: TimescaleDB's columnstore against a Prometheus server's blocks, with the same metrics.

Both get an hour of real host metrics (`data/host_metrics.otlp.zst`: a Collector's hostmetrics receiver at 15 s, each
request behind its length), repeated over days: counters go on rising, times jitter by some milliseconds. Needs a
TimescaleDB (`WAFERSCOPE_TEST_DATABASE_URL`) and a Prometheus program (`WAFERSCOPE_BENCH_PROMETHEUS`).
"""

import asyncio
import io
import json
import random
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import httpx
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1 import metrics_pb2

sys.path.insert(0, str(Path(__file__).parent.parent))

from ingest.prometheus import Prometheus, prometheus
from ingest.servers import by_grpc, by_http, servers, writer

from waferscope_collector.replay.messages import read
from waferscope_schemas import partitioning
from waferscope_schemas.migrate import migrate

RECORDING = Path(__file__).parent / "data/host_metrics.otlp.zst"
HOURS = 12
HOSTS = 20  # that all have the recorded values, each with its own jitter: a chunk of a site holds more than one host
SCRAPES = 240  # an hour of them
_HOUR_NS = 3600 * 10**9
_JITTER_NS = 20 * 10**6
_OTLP = {"content-type": "application/x-protobuf"}

Point = metrics_pb2.NumberDataPoint


def main() -> None:
    """Print bytes a sample on both sides, and where ours are."""
    print("## Stored size\n")
    with servers() as urls, prometheus() as other:
        if "TimescaleDB" not in urls or other is None:
            print("Not measured: no TimescaleDB or no Prometheus was given.\n")
            return
        asyncio.run(_measure(urls["TimescaleDB"], other))


async def _measure(url: str, other: Prometheus) -> None:
    await migrate(url)
    recording = [*_recorded()][:SCRAPES]
    end = time.time_ns() // _HOUR_NS * _HOUR_NS
    with writer(url) as under:
        for hour in range(HOURS):
            bodies = [*_hour(recording, hour, end - (HOURS - hour) * _HOUR_NS)]
            await by_grpc(under.grpc, bodies)
            await by_http(f"{other.url}/api/v1/otlp/v1/metrics", bodies, _OTLP, in_flight=1)  # it wants them in order
    conn = await asyncpg.connect(url)
    for chunk in await partitioning.unconverted(conn, datetime.now(UTC) + timedelta(days=1)):
        await partitioning.convert(conn, chunk)
    samples = await conn.fetchval("select count(*) from wafer.sample")
    sizes = await _sizes(conn)
    await conn.close()
    blocks, theirs = await _snapshot(other)
    ours = sum(size for table, size in sizes.items() if table in {"sample", "series", "start_time"})
    print(f"{samples:,} samples of {HOURS} hours of {HOSTS} hosts; Prometheus holds {theirs:,}.\n")
    print("| where | bytes | a sample | against Prometheus |\n|---|---:|---:|---:|")
    print(f"| Prometheus's blocks | {blocks:,} | {blocks / theirs:.2f} | 1.00 |")
    ratio = (ours / samples) / (blocks / theirs)
    print(f"| sample, series and start_time | {ours:,} | {ours / samples:.2f} | {ratio:.2f} |")
    for table, size in sorted(sizes.items(), key=lambda item: -item[1])[:8]:
        print(f"| of which {table} | {size:,} | {size / samples:.2f} | |")
    print()


def _recorded() -> Iterator[ExportMetricsServiceRequest]:
    with RECORDING.open("rb") as file:
        for body in read(io.BufferedReader(file), 64 * 2**20):
            yield ExportMetricsServiceRequest.FromString(body)


def _hour(recording: list[ExportMetricsServiceRequest], hour: int, begin: int) -> Iterator[bytes]:
    """Shift the recording to an hour; counters go on from where the hour before has led them."""
    first = min(point.time_unix_nano for _, point in _points(recording[0]))
    risen: dict[bytes, list[float]] = defaultdict(list)
    for request in recording:
        for key, point in _points(request):
            risen[key].append(_value(point))
    chance = random.Random(hour)
    for original in recording:
        request = ExportMetricsServiceRequest.FromString(original.SerializeToString())
        for metric, key, point in _keyed(request):
            point.time_unix_nano = begin + point.time_unix_nano - first
            if metric.WhichOneof("data") == "sum" and metric.sum.is_monotonic:
                more = hour * (risen[key][-1] - risen[key][0])
                if point.WhichOneof("value") == "as_int":
                    point.as_int += int(more)
                else:
                    point.as_double += more
        yield b"".join(_of_host(request, host, chance.randrange(_JITTER_NS)) for host in range(HOSTS))


def _of_host(request: ExportMetricsServiceRequest, host: int, late: int) -> bytes:
    """Return a request as a host sends it; requests that stand one after the other are one."""
    for _, point in _points(request):
        point.time_unix_nano += late
    for resource in request.resource_metrics:
        del resource.resource.attributes[:]
        resource.resource.attributes.add(key="host.name").value.string_value = f"host-{host:03d}"
    body = request.SerializeToString()
    for _, point in _points(request):
        point.time_unix_nano -= late
    return body


def _keyed(request: ExportMetricsServiceRequest) -> Iterator[tuple[metrics_pb2.Metric, bytes, Point]]:
    for resource in request.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                points = metric.gauge.data_points if metric.WhichOneof("data") == "gauge" else metric.sum.data_points
                for point in points:
                    key = b"".join(sorted(item.SerializeToString() for item in point.attributes))
                    yield metric, metric.name.encode() + b"\0" + key, point


def _points(request: ExportMetricsServiceRequest) -> Iterator[tuple[bytes, Point]]:
    return ((key, point) for _, key, point in _keyed(request))


def _value(point: Point) -> float:
    return float(point.as_int if point.WhichOneof("value") == "as_int" else point.as_double)


async def _sizes(conn: asyncpg.Connection) -> dict[str, int]:
    """Return the bytes of each table with its chunks, indexes and TOAST."""
    rows = await conn.fetch(
        "select c.relname, coalesce((select total_bytes from hypertable_detailed_size(c.oid::regclass)),"
        " pg_total_relation_size(c.oid))::bigint as bytes from pg_class c"
        " where c.relnamespace = 'wafer'::regnamespace and c.relkind = 'r'"
    )
    return {row["relname"]: row["bytes"] for row in rows}


async def _snapshot(other: Prometheus) -> tuple[int, int]:
    """Let Prometheus write all it has into blocks; return their bytes and samples."""
    async with httpx.AsyncClient(timeout=120) as client:
        answer = (await client.post(f"{other.url}/api/v1/admin/tsdb/snapshot")).raise_for_status().json()
    folder = other.data / "snapshots" / answer["data"]["name"]
    files = [file for file in folder.rglob("*") if file.is_file()]
    metas = [json.loads(file.read_text()) for file in files if file.name == "meta.json"]
    return sum(file.stat().st_size for file in files), sum(meta["stats"]["numSamples"] for meta in metas)


if __name__ == "__main__":
    main()
