"""Spans and log records from OTLP over gRPC to committed, against bare COPY BINARY of the same rows in the same run."""

import asyncio
import random
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

sys.path.insert(0, str(Path(__file__).parent.parent))

from ingest.servers import IN_FLIGHT, by_grpc, servers, writer

from waferscope_schemas.migrate import migrate

SIZES = (1_000, 8_000)  # records of a request
RECORDS = 80_000  # of a round
ROUNDS = 3


@dataclass(frozen=True)
class Kind:
    """What is measured."""

    noun: str
    table: str
    method: str
    request: Callable[[random.Random, int, int], Message]


def main() -> None:
    """Print records a second and their ratio to a bare COPY, on plain PostgreSQL and on the server that is given."""
    print("## Spans and log records\n")
    with servers() as urls:
        for name, url in urls.items():
            asyncio.run(_measure(url, name))


async def _measure(url: str, name: str) -> None:
    await migrate(url)
    print(f"{name}, {RECORDS:,} records a round, {IN_FLIGHT} requests under way; median of {ROUNDS}.\n")
    print("| what | records a request | records/s | writer's CPU, µs a record | bare COPY, records/s | ratio |")
    print("|---|---:|---:|---:|---:|---:|")
    sent = dict.fromkeys(KINDS, 0)
    with writer(url) as under:
        for kind in KINDS:
            for size in SIZES:
                rounds = []
                for _ in range(ROUNDS + 1):
                    bodies = _bodies(kind, size)
                    before = under.cpu()
                    rate = len(bodies) * size / await by_grpc(under.grpc, bodies, kind.method)
                    rounds.append((rate, (under.cpu() - before) / RECORDS * 1e6))
                    sent[kind] += len(bodies) * size
                # The first round warms up.
                rate, micros = (statistics.median(column) for column in zip(*rounds[1:], strict=True))
                bare = await _bare(url, kind.table, size)
                print(
                    f"| {kind.noun} | {size:,} | {rate:,.0f} | {micros:.1f} | {bare:,.0f} | {rate / bare:.2f} |",
                    flush=True,
                )
    for kind in KINDS:
        await _check(url, kind.table, sent[kind])
    print()


def _bodies(kind: Kind, size: int) -> list[bytes]:
    chance = random.Random(time.time_ns())
    now = time.time_ns() - 600 * 10**9
    return [kind.request(chance, size, now).SerializeToString() for _ in range(RECORDS // size)]


async def _bare(url: str, table: str, size: int) -> float:
    """Copy rows that are there already into a table like theirs, as many a commit as a request has; return rows/s."""
    conn = await asyncpg.connect(url)
    blocks: list[bytes] = []

    async def keep(block: bytes) -> None:
        blocks.append(bytes(block))

    try:
        await conn.execute("drop table if exists wafer.bare cascade")
        await _bare_table(conn, table)
        await conn.execute("set synchronize_seqscans = off")  # so that offsets part the rows without an order
        commits = []
        for first in range(0, RECORDS, size):
            blocks.clear()
            await conn.copy_from_query(
                f"select * from wafer.{table} limit {size} offset {first}", output=keep, format="binary"
            )
            commits.append(b"".join(blocks))
        began = time.perf_counter()
        for rows in commits:
            await conn.copy_to_table("bare", source=_once(rows), format="binary", schema_name="wafer")
        return RECORDS / (time.perf_counter() - began)
    finally:
        await conn.execute("drop table wafer.bare")
        await conn.close()


async def _bare_table(conn: asyncpg.Connection, table: str) -> None:
    """Make an empty table with the columns, indexes and partitions of one that is there."""
    time_column = "start" if table == "span" else "ts"
    native = await conn.fetchval("select relkind = 'p' from pg_class where oid = $1::text::regclass", f"wafer.{table}")
    like = f"create table wafer.bare (like wafer.{table} including defaults including indexes)"
    if not native:
        await conn.execute(like)
        await conn.execute(
            f"select create_hypertable('wafer.bare', by_range('{time_column}', interval '1 day'),"
            " create_default_indexes => false)"
        )
        return
    await conn.execute(f"{like} partition by range ({time_column})")
    for day in await conn.fetch("select current_date + n as day from generate_series(-1, 1) n"):
        await conn.execute(
            f"create table wafer.bare_{day['day']:%Y%m%d} partition of wafer.bare"
            f" for values from ('{day['day']}') to (date '{day['day']}' + 1)"
        )


async def _once(rows: bytes):  # noqa: ANN202 - an asynchronous iterator of one item
    yield rows


async def _check(url: str, table: str, expected: int) -> None:
    """Fail unless everything that was sent is there."""
    conn = await asyncpg.connect(url)
    count = await conn.fetchval(f"select count(*) from wafer.{table}")
    await conn.close()
    assert count == expected, f"{count} of {expected} rows of {table} are there"


def _spans(chance: random.Random, size: int, now: int) -> ExportTraceServiceRequest:
    """Build spans of jobs and of what happens inside: a request of a Collector's batch processor, ten resources."""
    request = ExportTraceServiceRequest()
    for host in range(10):
        resource = request.resource_spans.add()
        _put(resource.resource.attributes, _resource(host))
        scope = resource.scope_spans.add()
        scope.scope.name = "overlay.fit"
        trace_id, lot, slot = b"", 0, 0
        for number in range(size // 10):
            if number % 20 == 0:  # spans of a trace
                trace_id, lot, slot = chance.randbytes(16), chance.randrange(500), chance.randrange(25)
            start = now + chance.randrange(10**9)
            span = scope.spans.add(
                trace_id=trace_id,
                span_id=chance.randbytes(8),
                parent_span_id=chance.randbytes(8),
                name=("GET /recipes", "regress", "load image", "save result")[number % 4],
                kind=1 + number % 3,
                start_time_unix_nano=start,
                end_time_unix_nano=start + chance.randrange(10**8),
                flags=256 + 1,
            )
            attributes = {"http.request.method": "GET", "url.path": f"/recipes/{lot}", "server.address": f"mes{host}"}
            attributes |= {
                "http.response.status_code": 200,
                "thread.id": 1000 + number % 16,
                "residual": chance.random(),
            }
            if number % 2:
                attributes |= {"wafer.lot.id": f"LOT-{lot:05}", "wafer.equipment.id": f"OVL-{host:02}"}
            else:
                attributes |= {"code.function.name": "overlay.fit.regress", "retries": number % 3}
            _put(span.attributes, attributes)
            if number % 10 == 0:
                event = span.events.add(name="cache miss", time_unix_nano=start)
                _put(event.attributes, {"key": f"wafer-{slot}"})
    return request


def _logs(chance: random.Random, size: int, now: int) -> ExportLogsServiceRequest:
    """Build lines of programs: bodies of about 120 characters."""
    request = ExportLogsServiceRequest()
    for host in range(10):
        resource = request.resource_logs.add()
        _put(resource.resource.attributes, _resource(host))
        scope = resource.scope_logs.add()
        scope.scope.name = "overlay.fit"
        for number in range(size // 10):
            at = now + chance.randrange(10**9)
            record = scope.log_records.add(
                time_unix_nano=at,
                observed_time_unix_nano=at + 1000,
                severity_number=9 + 4 * (number % 10 == 0),
                severity_text="INFO",
                trace_id=chance.randbytes(16),
                span_id=chance.randbytes(8),
                flags=1,
            )
            record.body.string_value = (
                f"wafer {number % 25:02} of lot LOT-{chance.randrange(500):05}: residual {chance.random():.12f} nm"
                f" after {chance.randrange(40)} iterations, model accepted by operator limits"
            )
            attributes = {
                "code.function.name": "regress",
                "code.line.number": 100 + number % 50,
                "thread.name": "worker-3",
            }
            _put(record.attributes, attributes | {"wafer.equipment.id": f"OVL-{host:02}", "slot": number % 25})
    return request


def _resource(host: int) -> dict[str, str]:
    return {
        "service.name": "overlay",
        "service.version": "1.2.0",
        "host.name": f"tool{host}",
        "wafer.site.id": "fab1",
        "os.type": "linux",
        "process.runtime.name": "cpython",
        "telemetry.sdk.language": "python",
    }


def _put(attributes, values: dict[str, str | int | float]) -> None:  # noqa: ANN001 - a repeated field
    for key, value in values.items():
        item: KeyValue = attributes.add(key=key)
        match value:
            case str():
                item.value.string_value = value
            case int():
                item.value.int_value = value
            case float():
                item.value.double_value = value


_SERVICE = "/opentelemetry.proto.collector."
KINDS = (
    Kind("spans", "span", f"{_SERVICE}trace.v1.TraceService/Export", _spans),
    Kind("log records", "log_record", f"{_SERVICE}logs.v1.LogsService/Export", _logs),
)


if __name__ == "__main__":
    main()
