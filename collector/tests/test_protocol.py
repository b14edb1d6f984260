"""What an OTLP server owes its clients over HTTP: encodings, status bodies, limits."""

import asyncio
import gzip
import json

import asyncpg
import httpx
import pytest
from google.protobuf.json_format import MessageToDict
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.trace.v1 import trace_pb2
from writer_support import otlp
from writer_support.otlp import NOW
from writer_support.running import LIMIT, WriterUnderTest, running

PROTOBUF, JSON = {"content-type": "application/x-protobuf"}, {"content-type": "application/json; charset=utf-8"}
GZIP = {"content-encoding": "gzip"}


def request_body(value: float = 1.0) -> bytes:
    return otlp.metrics(otlp.gauge("x", otlp.number(value))).SerializeToString()


OWN = "wafer.sample join wafer.series using (series_id) where kind <> 'info'"  # without target_info


async def stored(conn: asyncpg.Connection) -> int:
    return await conn.fetchval(f"select count(*) from {OWN}")


async def test_full_success_leaves_partial_success_unset(writer: WriterUnderTest, conn: asyncpg.Connection) -> None:
    async with writer.client() as client:
        plain = await client.post("/v1/metrics", content=request_body(1), headers=PROTOBUF)
        packed = await client.post("/v1/metrics", content=gzip.compress(request_body(2)), headers=PROTOBUF | GZIP)
        empty = await client.post("/v1/metrics", content=b"", headers=PROTOBUF)
    for response in (plain, packed, empty):
        assert (response.status_code, response.headers["content-type"]) == (200, "application/x-protobuf")
        assert not ExportMetricsServiceResponse.FromString(response.content).HasField("partial_success")
    assert await stored(conn) == 2


async def test_json_and_protobuf_store_the_same(writer: WriterUnderTest, conn: asyncpg.Connection) -> None:
    span = trace_pb2.Span(
        trace_id=bytes(range(16)),
        span_id=b"\xab" * 8,
        name="fit",
        start_time_unix_nano=NOW,
        end_time_unix_nano=NOW + 5,
        links=[trace_pb2.Span.Link(trace_id=b"\xcd" * 16, span_id=b"\xef" * 8)],
        attributes=otlp.attributes({"n": 2**60}),
    )
    as_json = {
        "resource_spans": [
            {
                "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "overlay"}}]},
                "scopeSpans": [
                    {
                        "scope": {"name": "waferscope", "unknownField": [1]},
                        "spans": [
                            {
                                "traceId": bytes(range(16)).hex().upper(),
                                "span_id": "ab" * 8,
                                "name": "fit",
                                "startTimeUnixNano": str(NOW),
                                "endTimeUnixNano": NOW + 5,
                                "links": [{"traceId": "cd" * 16, "spanId": "ef" * 8}],
                                "attributes": [{"key": "n", "value": {"intValue": str(2**60)}}],
                            }
                        ],
                    }
                ],
            }
        ]
    }
    rows = []
    async with writer.client() as client:
        for body, headers in (
            (otlp.traces(span, resource={"service.name": "overlay"}).SerializeToString(), PROTOBUF),
            (json.dumps(as_json).encode(), JSON),
        ):
            response = await client.post("/v1/traces", content=body, headers=headers)
            assert response.status_code == 200, response.content
            rows.append([tuple(row) for row in await conn.fetch("delete from wafer.span returning *")])
    assert len(rows[0]) == 1
    assert rows[0] == rows[1]


async def test_metrics_and_logs_as_json(writer: WriterUnderTest, conn: asyncpg.Connection) -> None:
    request = MessageToDict(
        otlp.metrics(
            otlp.gauge("x", otlp.number(7), otlp.number(1.5, a="b")),
            otlp.histograms("y", otlp.histogram([1.0], [2, 3])),
        )
    )
    job = MessageToDict(otlp.logs(otlp.job_event("started", 0)))
    job["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0] |= {"traceId": "00" * 15 + "01", "spanId": "00" * 7 + "01"}
    async with writer.client() as client:
        for path, body in (("/v1/metrics", request), ("/v1/logs", job)):
            response = await client.post(path, json=body)
            assert (response.status_code, response.headers["content-type"], response.json()) == (
                200,
                "application/json",
                {},
            )
    assert await conn.fetchval(f"select sum(value) from {OWN}") == 8.5
    assert await conn.fetchval("select positive_counts from wafer.histogram_sample") == [2, 3]
    assert await conn.fetchval("select trace_id from wafer.jobs") == "00" * 15 + "01"


BAD_REQUESTS = [
    ("no protobuf", "/v1/metrics", b"\xff\xff\xff", PROTOBUF, 400, 3),
    ("no JSON", "/v1/metrics", b"{", JSON, 400, 3),
    ("JSON of another kind", "/v1/metrics", b'{"resourceMetrics": 3}', JSON, 400, 3),
    ("JSON list", "/v1/metrics", b"[]", JSON, 400, 3),
    (
        "bad hexadecimal id",
        "/v1/traces",
        b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"xy"}]}]}]}',
        JSON,
        400,
        3,
    ),
    ("deep JSON", "/v1/logs", b'{"a":' * 100_000 + b"1" + b"}" * 100_000, JSON, 400, 3),
    ("no gzip", "/v1/metrics", b"plain", PROTOBUF | GZIP, 400, 3),
    ("cut gzip", "/v1/metrics", gzip.compress(request_body())[:-9], PROTOBUF | GZIP, 400, 3),
    ("unknown compression", "/v1/metrics", b"", PROTOBUF | {"content-encoding": "br"}, 415, 12),
    ("unknown type", "/v1/metrics", b"a,b", {"content-type": "text/csv"}, 415, 12),
    ("too large", "/v1/metrics", bytes(LIMIT + 1), PROTOBUF, 413, 8),
    ("decompression bomb", "/v1/metrics", gzip.compress(bytes(200 * LIMIT)), PROTOBUF | GZIP, 413, 8),
    ("no such path", "/v1/profiles", b"", JSON, 404, 5),
]


@pytest.mark.parametrize(
    ("path", "body", "headers", "code", "status"),
    [case[1:] for case in BAD_REQUESTS],
    ids=[case[0] for case in BAD_REQUESTS],
)
async def test_errors_are_status_bodies_in_the_requests_encoding(
    writer: WriterUnderTest,
    conn: asyncpg.Connection,
    *,
    path: str,
    body: bytes,
    headers: dict[str, str],
    code: int,
    status: int,
) -> None:
    async with writer.client() as client:
        response = await client.post(path, content=body, headers=headers)
    assert response.status_code == code, response.content
    if headers["content-type"] == PROTOBUF["content-type"]:
        found = Status.FromString(response.content)
        assert (found.code, response.headers["content-type"]) == (status, "application/x-protobuf")
        assert found.message
    else:
        assert response.json()["code"] == status
        assert response.json()["message"]
    assert await conn.fetchval("select count(*) from wafer.ingest_batch") == 0


async def test_wrong_method_names_the_right_one(writer: WriterUnderTest) -> None:
    async with writer.client() as client:
        response = await client.get("/v1/metrics", headers=JSON)
    assert (response.status_code, response.headers["allow"], response.json()["code"]) == (405, "POST", 12)


async def test_a_full_queue_tells_clients_to_come_again(database_url: str, conn: asyncpg.Connection) -> None:
    async with running(database_url, queue_limit=1) as writer, writer.client() as client:
        async with conn.transaction():
            await conn.execute("lock table wafer.ingest_batch in exclusive mode")  # what is taken in can't be committed
            first = asyncio.create_task(client.post("/v1/metrics", content=request_body(1), headers=PROTOBUF))
            response = await _until_refused(client)
        assert response.headers["retry-after"] == "5"
        assert Status.FromString(response.content).code == 14
        assert (await first).status_code == 200


async def _until_refused(client: httpx.AsyncClient) -> httpx.Response:
    async with asyncio.timeout(20):
        while True:
            response = await client.post("/v1/metrics", content=b"", headers=PROTOBUF)
            if response.status_code == 503:
                return response


async def test_health_readiness_and_own_metrics(writer: WriterUnderTest) -> None:
    async with writer.client() as client:
        await client.post("/v1/metrics", content=request_body(), headers=PROTOBUF)
        health, ready, own = [await client.get(path) for path in ("/v1/healthz", "/v1/readyz", "/metrics")]
    assert (health.status_code, ready.status_code) == (200, 200)
    assert 'waferscope_writer_stored_total{signal="metrics"} 1.0' in own.text
    assert 'waferscope_writer_requests_total{outcome="ok",protocol="http",signal="metrics"} 1.0' in own.text
