"""Any text and any time, over every protocol: stored exactly and read back, or refused alone with a reason."""

import base64
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import asyncpg
import cramjam
import httpx
import pytest
from google.protobuf import json_format
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.proto.trace.v1 import trace_pb2
from support import databases
from writer_support import otlp
from writer_support.otlp import CUMULATIVE, DELTA, NOW, SECOND
from writer_support.running import WriterUnderTest, running

from waferscope_collector.batch import Signal
from waferscope_collector.decode.remote_write import EARLIEST_MS
from waferscope_collector.decode.remote_write_messages import V1, V2
from waferscope_collector.maintenance import rollups
from waferscope_collector.receive.signals import ENDPOINTS
from waferscope_schemas.database import connect

PROTOBUF, JSON = "application/x-protobuf", "application/json"
LABEL_BYTES = 4096
HUGE = "wafer " * 20_000
TEXTS = [
    *("", "\0", "a\0b", "\0\0", "\x01\x1f\x7f\x80", "\t\r\n", "\\u0000", "\\", '"', "\\N", "%s", "{}", "null"),
    *("'; drop table wafer.sample --", "\u2028", "\ufeff", "\ufffd", "\ufffe\uffff", "\ud7ff\ue000", "\U0001f600"),
    *("\U0010ffff", "e\u0301", "\u202e", "ß" * 2048, "x" * LABEL_BYTES, "x" * (LABEL_BYTES + 1), HUGE),
]
ANY_TEXT = st.text(st.characters(codec="utf-8"), max_size=40)


def stored(text: str) -> str:
    return text.replace("\0", "\ufffd")


def texts_request(texts: Sequence[str]) -> list[tuple[Signal, Message]]:
    """Return a request of each signal that says every text as a value, and as a name where names are free."""
    points = [otlp.number(float(n), n=str(n), text=text) for n, text in enumerate(texts)]
    records = [
        logs_pb2.LogRecord(
            time_unix_nano=NOW + n * 1000,
            body=otlp.value(text),
            severity_text=text,
            event_name=f"e{text}",
            attributes=otlp.attributes({text: [text], "n": n}),
        )
        for n, text in enumerate(texts)
    ]
    spans = [
        trace_pb2.Span(
            trace_id=bytes(15) + b"1",
            span_id=(n + 1).to_bytes(8, "big"),
            name=text,
            trace_state=text,
            start_time_unix_nano=NOW,
            end_time_unix_nano=NOW,
            attributes=otlp.attributes({text: text, "n": n}),
            status=trace_pb2.Status(message=text),
        )
        for n, text in enumerate(texts)
    ]
    return [
        ("metrics", otlp.metrics(otlp.gauge("x", *points))),
        ("logs", otlp.logs(*records)),
        ("traces", otlp.traces(*spans)),
    ]


async def post(client: httpx.AsyncClient, signal: Signal, request: Message, kind: str) -> dict[str, Any]:
    """Send a request, and return its partial success."""
    body = request.SerializeToString() if kind == PROTOBUF else json_body(request)
    answer = await client.post(f"/v1/{signal}", content=body, headers={"content-type": kind})
    assert answer.status_code == 200, answer.text
    if kind == JSON:
        return dict(answer.json().get("partialSuccess", {}))
    response = ENDPOINTS[signal].response.FromString(answer.content)
    return dict(json_format.MessageToDict(response).get("partialSuccess", {}))


def json_body(request: Message) -> bytes:
    """Write a request as OTLP/JSON, whose ids are hexadecimal."""
    text = json.dumps(json_format.MessageToDict(request))
    return re.sub(r'"(traceId|spanId)": "([^"]*)"', _hexadecimal, text).encode()


def _hexadecimal(found: re.Match[str]) -> str:
    return f'"{found[1]}": "{base64.b64decode(found[2]).hex()}"'


async def check_texts(conn: asyncpg.Connection, texts: Sequence[str], refused: dict[str, dict[str, Any]]) -> None:
    """Compare all texts with what is stored."""
    labels = {
        json.loads(row["labels"])["n"]: json.loads(row["labels"]).get("text", "")
        for row in await conn.fetch(
            "select labels from wafer.series join wafer.sample using (series_id) where metric = 'x'"
        )
    }
    fits = {str(n): stored(text) for n, text in enumerate(texts) if len(stored(text).encode()) <= LABEL_BYTES}
    assert labels == fits
    long = len(texts) - len(fits)
    assert int(refused["metrics"].get("rejectedDataPoints", 0)) == long
    assert ("label" in refused["metrics"].get("errorMessage", "")) == bool(long)
    assert (refused["logs"], refused["traces"]) == ({}, {})
    records = await conn.fetch("select * from wafer.log_record order by ts")
    spans = await conn.fetch("select * from wafer.span order by span_id")
    assert len(records) == len(spans) == len(texts)
    for n, (sent, record, span) in enumerate(zip(map(stored, texts), records, spans, strict=True)):
        assert json.loads(record["body"]) == sent
        assert (record["severity_text"], record["event_name"]) == (sent, f"e{sent}")
        assert json.loads(record["attributes"]) == {sent: [sent], "n": n}
        assert (span["name"], span["trace_state"], span["status_message"]) == (sent, sent, sent) or not sent
        assert json.loads(span["attributes"]) == {sent: sent, "n": n}


async def say(database_url: str, texts: Sequence[str], kind: str) -> None:
    conn = await connect(database_url)
    await conn.execute("truncate wafer.sample, wafer.series, wafer.log_record, wafer.span, wafer.ingest_batch cascade")
    async with running(database_url) as writer, writer.client() as client:
        refused = {signal: await post(client, signal, request, kind) for signal, request in texts_request(texts)}
    await check_texts(conn, texts, refused)
    await conn.close()


@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
async def test_odd_texts_are_stored_exactly(database_url: str, kind: str) -> None:
    await say(database_url, TEXTS, kind)


@given(st.lists(ANY_TEXT, min_size=20, max_size=40), st.sampled_from([PROTOBUF, JSON]))
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_texts_are_stored_exactly(database_url: str, texts: list[str], kind: str) -> None:
    databases.run(say(database_url, texts, kind))


@pytest.mark.parametrize(
    ("escaped", "expected"),
    [
        (r"\u0000", "\ufffd"),
        (r"a\u0000b", "a\ufffdb"),
        (r"\ud83d\ude00", "\U0001f600"),
        (r"\ud83d", "\ufffd"),
        (r"\ude00", "\ufffd"),
        (r"\ude00\ud83d", "\ufffd\ufffd"),
        (r"a\ud83d b\ud83d\ude00", "a\ufffd b\U0001f600"),
        (r"\\ud83d", "\\ud83d"),
    ],
)
async def test_escapes_of_json_that_are_no_text_become_a_replacement_character(
    database_url: str, conn: asyncpg.Connection, escaped: str, expected: str
) -> None:
    record = json.loads(json_body(otlp.logs(logs_pb2.LogRecord(time_unix_nano=NOW, body=otlp.value("MARK")))))
    async with running(database_url) as writer, writer.client() as client:
        answer = await client.post(
            "/v1/logs", content=json.dumps(record).replace("MARK", escaped), headers={"content-type": JSON}
        )
    assert answer.status_code == 200, answer.text
    assert json.loads(await conn.fetchval("select body from wafer.log_record")) == expected


async def times_by_value(conn: asyncpg.Connection) -> list[tuple[float, int]]:
    """Return value and time (Unix time, ms) of the samples of x, by their values."""
    rows = await conn.fetch(
        "select value, (extract(epoch from ts) * 1000)::bigint as ms"
        " from wafer.sample join wafer.series using (series_id) where metric = 'x' order by value"
    )
    return [tuple(row) for row in rows]


def at(*moment: int) -> int:
    return int(datetime(*moment, tzinfo=UTC).timestamp()) * SECOND


# Nanoseconds since 1970.
GOOD = [
    1, 999, 1000, 999_999, 10**6, 10**6 + 1, 2**31 * SECOND - 1 - 10**18, at(1999, 12, 31, 23, 59, 59), at(2000, 1, 1),
    *(at(2026, 3, 29, 1) + step for step in (-1, 0, 1, 999_999)),  # a change to daylight saving time in Europe
    *(at(2026, 10, 25, 1) + step for step in (-1, 0, 1)), at(2024, 2, 29), NOW + 999_499, NOW + 999_500, NOW + 999_999,
]  # fmt: skip
NEVER = [0, NOW + 86_400 * 2 * SECOND, 2**63 - 1, 2**63, 2**64 - 1]


@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
async def test_odd_times_are_stored_exactly_or_refused_alone(
    database_url: str, conn: asyncpg.Connection, kind: str
) -> None:
    times = [*GOOD, *NEVER]
    points = [otlp.number(float(n), time=time) for n, time in enumerate(times)]
    # Whatever the time beside it, what is good stays good.
    odd_starts = [otlp.number(1.0, time=NOW + n * 10**6, start=start, n=str(n)) for n, start in enumerate(times)]
    for point, time in zip(odd_starts, times, strict=True):
        point.exemplars.append(metrics_pb2.Exemplar(as_double=1.0, time_unix_nano=time))
    records = [
        logs_pb2.LogRecord(time_unix_nano=time, observed_time_unix_nano=odd if time else 0, body=otlp.value(str(n)))
        for n, (time, odd) in enumerate(zip(times, reversed(times), strict=True))
    ]
    spans = [
        trace_pb2.Span(
            trace_id=bytes(15) + b"1", span_id=(n + 1).to_bytes(8, "big"), name=str(n), start_time_unix_nano=time,
            end_time_unix_nano=end,
            events=[trace_pb2.Span.Event(time_unix_nano=end, name="e")],
        )
        for n, (time, end) in enumerate(zip(times, reversed(times), strict=True))
    ]  # fmt: skip
    metrics = otlp.metrics(
        otlp.gauge("x", *points),
        otlp.total("cumulative", *odd_starts, temporality=CUMULATIVE),
        otlp.total("delta", *odd_starts, temporality=DELTA),
    )
    async with running(database_url) as writer, writer.client() as client:
        refused = [
            await post(client, "metrics", metrics, kind),
            await post(client, "logs", otlp.logs(*records), kind),
            await post(client, "traces", otlp.traces(*spans), kind),
        ]
    counts = [int(found[key]) for found, key in zip(refused, REJECTED, strict=True)]
    assert counts == [len(NEVER)] * 3
    for found in refused:
        assert "without a time" in found["errorMessage"]
        assert "too far in the future" in found["errorMessage"]
    assert await times_by_value(conn) == [(float(n), time // 10**6) for n, time in enumerate(GOOD)]
    stored_beside = "select count(*) from wafer.sample join wafer.series using (series_id) where metric = $1"
    assert await conn.fetchval(stored_beside, "cumulative_total") == len(times)
    rose = "select sum(most) from (select max(value) as most from wafer.sample join wafer.series using (series_id)"
    assert await conn.fetchval(f"{rose} where metric = 'delta_total' group by series_id) s") == len(times)
    found = await conn.fetch(
        "select (extract(epoch from ts) * 1000000)::bigint as us, body #>> '{}' as n from wafer.log_record"
    )
    assert {row["n"]: row["us"] for row in found} == {str(n): time // 1000 for n, time in enumerate(GOOD)}
    found = await conn.fetch("select start_ns, name from wafer.span")
    assert {row["name"]: row["start_ns"] for row in found} == {str(n): time for n, time in enumerate(GOOD)}


REJECTED = ("rejectedDataPoints", "rejectedLogRecords", "rejectedSpans")
MS = NOW // 10**6
GOOD_MS = [EARLIEST_MS, EARLIEST_MS + 1, -(10**12), -1000, -999, -1, 0, 1, 999, 1000, MS, MS + 1]
NEVER_MS = [
    -(2**63),
    EARLIEST_MS - 1,
    EARLIEST_MS - 86_400_000,
    MS + 86_400_000 * 2,
    9_224_318_015_999_999,
    253_402_300_800_000,
    2**63 - 1,
]


async def write(client: httpx.AsyncClient, request: Message, kind: str = PROTOBUF) -> httpx.Response:
    body = bytes(cramjam.snappy.compress_raw(request.SerializeToString()))
    return await client.post(
        "/api/v1/write", content=body, headers={"content-type": kind, "content-encoding": "snappy"}
    )


async def test_odd_texts_of_remote_write_are_stored_exactly(database_url: str, conn: asyncpg.Connection) -> None:
    series = [
        V1["TimeSeries"](
            labels=[V1["Label"](name=name, value=value) for name, value in pairs if value],
            samples=[V1["Sample"](value=1.0, timestamp=MS)],
        )
        for n, text in enumerate(TEXTS)
        for pairs in [(("__name__", "x"), ("n", str(n)), ("text", text))]
    ]
    async with running(database_url) as writer, writer.client() as client:
        answer = await write(client, V1["WriteRequest"](timeseries=series))
    fits = {str(n): stored(text) for n, text in enumerate(TEXTS) if len(stored(text).encode()) <= LABEL_BYTES}
    assert answer.status_code == 400
    assert f"{len(TEXTS) - len(fits)} samples" in answer.text
    rows = [json.loads(row["labels"]) for row in await conn.fetch("select labels from wafer.series")]
    assert {row["n"]: row.get("text", "") for row in rows} == fits
    assert await conn.fetchval("select count(*) from wafer.sample") == len(fits)


async def test_odd_times_of_remote_write_are_stored_exactly_or_refused_alone(
    database_url: str, conn: asyncpg.Connection
) -> None:
    times = [*GOOD_MS, *NEVER_MS]
    symbols = ["", "__name__", "x", "y", "n", *map(str, range(len(times)))]
    odd = V2["TimeSeries"](
        labels_refs=[1, 2], samples=[V2["Sample"](value=float(n), timestamp=time) for n, time in enumerate(times)]
    )
    beside = [
        V2["TimeSeries"](
            labels_refs=[1, 3, 4, 5 + n],
            created_timestamp=time,
            samples=[V2["Sample"](value=1.0, timestamp=MS, start_timestamp=time)],
            exemplars=[V2["Exemplar"](value=1.0, timestamp=time)],
        )
        for n, time in enumerate(times)
    ]
    async with running(database_url) as writer, writer.client() as client:
        answer = await write(
            client,
            V2["Request"](symbols=symbols, timeseries=[odd, *beside]),
            f"{PROTOBUF};proto=io.prometheus.write.v2.Request",
        )
    assert answer.status_code == 400
    assert "samples too far in the future" in answer.text
    assert "samples before 2 January of the year 1" in answer.text
    assert await times_by_value(conn) == [(float(n), time) for n, time in enumerate(GOOD_MS)]
    assert await conn.fetchval(
        "select count(*) from wafer.sample join wafer.series using (series_id) where metric = 'y'"
    ) == len(times)
    await rollups.catch_up(conn, budget=60)
    summed = "select sum(count) from wafer.rollup_1h join wafer.series using (series_id) where metric = 'x'"
    assert await conn.fetchval(summed) == len(GOOD_MS)


async def test_a_record_too_large_for_the_database_is_refused_alone(
    writer: WriterUnderTest, conn: asyncpg.Connection
) -> None:
    many = [KeyValue()] * 500_001
    body = otlp.value("x" * (32 * 1024 * 1024))
    records = [
        logs_pb2.LogRecord(time_unix_nano=NOW, body=otlp.value("good")),
        logs_pb2.LogRecord(time_unix_nano=NOW, body=body),
        logs_pb2.LogRecord(time_unix_nano=NOW, attributes=many),
        otlp.job_event("started", 0),
        otlp.job_event("started", 0, note="x" * (32 * 1024 * 1024)),
    ]
    records[3].attributes.extend(many)
    answer = await writer.send("logs", otlp.logs(*records))
    assert answer.partial_success.rejected_log_records == 4
    assert await conn.fetchval("select array_agg(body #>> '{}') from wafer.log_record") == ["good"]
    of = {"trace_id": bytes(15) + b"1", "start_time_unix_nano": NOW, "end_time_unix_nano": NOW}
    spans = [
        trace_pb2.Span(span_id=bytes(7) + b"0", **of),
        trace_pb2.Span(span_id=bytes(7) + b"1", events=[trace_pb2.Span.Event()] * 500_001, **of),
        trace_pb2.Span(span_id=bytes(7) + b"2", links=[trace_pb2.Span.Link()] * 500_001, **of),
        trace_pb2.Span(span_id=bytes(7) + b"3", attributes=many, **of),
    ]
    answer = await writer.send("traces", otlp.traces(*spans))
    assert answer.partial_success.rejected_spans == 3
    assert await conn.fetchval("select array_agg(span_id) from wafer.span") == [bytes(7) + b"0"]
