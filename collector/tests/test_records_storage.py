"""Spans and log records: everything that OTLP says of them, each refused alone, each stored once."""

import asyncio
import json
import math
import random
import tracemalloc
from typing import Any

import asyncpg
import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope
from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.trace.v1 import trace_pb2
from writer_support import otlp
from writer_support.otlp import NOW, SECOND
from writer_support.running import WriterUnderTest, running

from waferscope_collector.decode.attributes import plain_map
from waferscope_collector.decode.fragments import UNREADABLE, Fragments

SCOPE = InstrumentationScope(name="fit", version="2.1", attributes=otlp.attributes({"fab.area": "litho"}))
MOST_UINT32 = 2**32 - 1


def span(number: int = 1, **more: Any) -> trace_pb2.Span:
    return trace_pb2.Span(
        trace_id=(number // 10).to_bytes(16, "big"), span_id=number.to_bytes(8, "big"), name=f"span {number}",
        start_time_unix_nano=NOW + number, end_time_unix_nano=NOW + number + 7, **more,
    )  # fmt: skip


def log(text: str = "", **more: Any) -> logs_pb2.LogRecord:
    return logs_pb2.LogRecord(time_unix_nano=NOW, body=AnyValue(string_value=text), **more)


def field(number: int, body: bytes) -> bytes:
    """Write a field of a message by hand: what protobuf's library itself refuses to build."""
    size, length = len(body), bytearray()
    while size > 127:
        length.append(size & 127 | 128)
        size >>= 7
    return bytes([number << 3 | 2, *length, size]) + body


def nested(levels: int) -> bytes:
    """Write a value of lists in lists."""
    value = AnyValue(int_value=1).SerializeToString()
    for _ in range(levels):
        value = field(5, field(1, value))
    return value


def requested(*records: bytes) -> bytes:
    """Write a request of log records."""
    return field(1, field(2, b"".join(field(2, record) for record in records)))


async def test_everything_that_is_said_of_a_span_is_stored(writer: WriterUnderTest, conn: asyncpg.Connection) -> None:
    full = span(
        11,
        parent_span_id=b"\1" * 8,
        trace_state="vendor=a,other=b",
        flags=0x301,
        kind=trace_pb2.Span.SPAN_KIND_CONSUMER,
        status=trace_pb2.Status(code=2, message="no\0fit"),
        attributes=otlp.attributes({"wafer.lot.id": "LOT-1", "wafer.job.id": 7, "n": [1, "a"], "b": b"\xff", "k": {}}),
        dropped_attributes_count=1,
        events=[
            trace_pb2.Span.Event(time_unix_nano=NOW + 3, name="miss", dropped_attributes_count=4),
            trace_pb2.Span.Event(name="hit", attributes=otlp.attributes({"x": 1.5})),
        ],
        dropped_events_count=2,
        links=[
            trace_pb2.Span.Link(
                trace_id=b"\2" * 16, span_id=b"\3" * 8, trace_state="c=d", flags=0x100, dropped_attributes_count=5,
                attributes=otlp.attributes({"why": "retry"}),
            )
        ],
        dropped_links_count=MOST_UINT32,
    )  # fmt: skip
    request = otlp.traces(full, span(12))
    request.resource_spans[0].scope_spans[0].scope.CopyFrom(SCOPE)
    await writer.send("traces", request)
    row, bare = await conn.fetch("select * from wafer.spans order by name")
    assert (row["trace_id"], row["span_id"], row["parent_span_id"]) == (
        full.trace_id.hex(),
        full.span_id.hex(),
        "01" * 8,
    )
    assert (row["kind"], row["status"], row["status_message"]) == ("consumer", "error", "no�fit")
    assert (row["flags"], row["trace_state"]) == (0x301, "vendor=a,other=b")
    assert (row["dropped_attributes"], row["dropped_events"], row["dropped_links"]) == (1, 2, 2**31 - 1)
    assert (row["scope"], row["scope_version"], json.loads(row["scope_attributes"])) == (
        "fit",
        "2.1",
        {"fab.area": "litho"},
    )
    assert (row["site"], row["service"], row["host"], row["job_id"], row["lot"]) == (
        "fab1",
        "overlay",
        "tool7",
        "7",
        "LOT-1",
    )
    assert json.loads(row["attributes"]) == {
        "wafer.lot.id": "LOT-1", "wafer.job.id": 7, "n": [1, "a"], "b": "/w==", "k": {}
    }  # fmt: skip
    assert json.loads(row["resource"])["wafer.site.id"] == "fab1"
    assert json.loads(row["events"]) == [
        {"time_unix_nano": NOW + 3, "name": "miss", "attributes": {}, "dropped_attributes": 4},
        {"time_unix_nano": 0, "name": "hit", "attributes": {"x": 1.5}},
    ]
    assert json.loads(row["links"]) == [
        {
            "trace_id": "02" * 16, "span_id": "03" * 8, "attributes": {"why": "retry"}, "trace_state": "c=d",
            "flags": 0x100, "dropped_attributes": 5,
        }
    ]  # fmt: skip
    nothing = (
        "parent_span_id",
        "flags",
        "trace_state",
        "dropped_attributes",
        "dropped_events",
        "dropped_links",
        "job_id",
    )
    assert {bare[name] for name in nothing} == {None}
    assert (bare["kind"], bare["status"], bare["events"], bare["links"]) == ("unspecified", "unset", "[]", "[]")
    assert await conn.fetchval("select start_ns from wafer.span where name = 'span 11'") == NOW + 11


async def test_everything_that_is_said_of_a_log_record_is_stored(
    writer: WriterUnderTest, conn: asyncpg.Connection
) -> None:
    full = log(
        "a\0b",
        observed_time_unix_nano=NOW + SECOND,
        severity_number=24,
        severity_text="FATAL",
        event_name="tool.stopped",
        trace_id=b"\1" * 16,
        span_id=b"\2" * 8,
        flags=1,
        dropped_attributes_count=3,
        attributes=otlp.attributes({"wafer.job.id": "J1", "x": math.inf}),
    )
    request = otlp.logs(full, logs_pb2.LogRecord(observed_time_unix_nano=NOW + 5 * SECOND, trace_id=b"short"))
    request.resource_logs[0].scope_logs[0].scope.CopyFrom(SCOPE)
    await writer.send("logs", request)
    row, bare = await conn.fetch("select * from wafer.logs order by ts")
    assert (row["severity"], row["severity_text"], row["event_name"]) == (24, "FATAL", "tool.stopped")
    assert (json.loads(row["body"]), json.loads(row["attributes"])) == ("a�b", {"wafer.job.id": "J1", "x": "Infinity"})
    assert (row["trace_id"], row["span_id"], row["flags"], row["dropped_attributes"]) == ("01" * 16, "02" * 8, 1, 3)
    assert (row["job_id"], row["site"], row["scope"], row["scope_version"]) == ("J1", "fab1", "fit", "2.1")
    assert (row["observed_at"] - row["ts"]).total_seconds() == 1
    assert bare["ts"] == bare["observed_at"]  # the time of the observation stands for the event's
    nothing = ("body", "trace_id", "span_id", "flags", "dropped_attributes", "job_id")
    assert {bare[name] for name in nothing} == {None}


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (AnyValue(), None),
        (otlp.value(""), ""),
        (AnyValue(bool_value=True), True),
        (otlp.value(-(2**63)), -(2**63)),
        (otlp.value(1e-320), 1e-320),
        (otlp.value(math.nan), "NaN"),
        (otlp.value(b"\0\xff"), "AP8="),
        (otlp.value([]), []),
        (otlp.value({"a\0": [1, "x", {"b": [1.5]}]}), {"a�": [1, "x", {"b": [1.5]}]}),
        (otlp.value('"\\\n\u2028\U0001f600'), '"\\\n\u2028\U0001f600'),
    ],
)
async def test_bodies_of_every_type(
    writer: WriterUnderTest, conn: asyncpg.Connection, *, value: AnyValue, stored: Any
) -> None:
    await writer.send("logs", otlp.logs(logs_pb2.LogRecord(time_unix_nano=NOW, body=value)))
    assert json.loads(await conn.fetchval("select body from wafer.logs")) == stored


BAD_SPANS: dict[str, dict[str, Any]] = {
    "status": {"status": trace_pb2.Status(message="BAD!")},
    "trace_state": {"trace_state": "BAD!"},
    "key": {"attributes": otlp.attributes({"BAD!": 1})},
    "value": {"attributes": otlp.attributes({"a": "BAD!"})},
    "list": {"attributes": otlp.attributes({"a": [["BAD!"]]})},
    "event": {"events": [trace_pb2.Span.Event(name="BAD!")]},
    "link": {"links": [trace_pb2.Span.Link(trace_state="BAD!")]},
    "job id": {"attributes": otlp.attributes({"wafer.job.id": "J", "wafer.step.name": "BAD!"})},
}
BAD_LOGS: dict[str, dict[str, Any]] = {
    "body": {"body": otlp.value("BAD!")},
    "severity_text": {"severity_text": "BAD!"},
    "event_name": {"event_name": "BAD!"},
    "attribute": {"attributes": otlp.attributes({"a": {"b": "BAD!"}})},
    "job event": {"event_name": "wafer.job.started", "attributes": otlp.attributes({"wafer.job.id": "BAD!"})},
}


def broken(body: bytes) -> bytes:
    """Make invalid UTF-8 of a text of the same length."""
    return body.replace(b"BAD!", b"\xff\xfe\xfd\xfc")


async def send_broken(writer: WriterUnderTest, signal: str, request: Message) -> bytes:
    return await post(writer, signal, broken(request.SerializeToString()))


async def post(writer: WriterUnderTest, signal: str, body: bytes) -> bytes:
    async with writer.client() as client:
        response = await client.post(f"/v1/{signal}", content=body, headers={"content-type": "application/x-protobuf"})
    assert response.status_code == 200, response.content
    return response.content


@pytest.mark.parametrize("bad", BAD_SPANS.values(), ids=BAD_SPANS)
async def test_a_span_with_text_that_is_no_utf8_is_refused_alone(
    writer: WriterUnderTest, conn: asyncpg.Connection, bad: dict[str, Any]
) -> None:
    answer = await send_broken(writer, "traces", otlp.traces(span(1), span(2, **bad), span(3)))
    assert f"1 spans {UNREADABLE}".encode() in answer
    assert [row["name"] for row in await conn.fetch("select name from wafer.spans order by name")] == [
        "span 1",
        "span 3",
    ]


@pytest.mark.parametrize("bad", BAD_LOGS.values(), ids=BAD_LOGS)
async def test_a_log_record_that_is_not_readable_is_refused_alone(
    writer: WriterUnderTest, conn: asyncpg.Connection, bad: dict[str, Any]
) -> None:
    record = logs_pb2.LogRecord(time_unix_nano=NOW, **bad)
    answer = await send_broken(writer, "logs", otlp.logs(log("a"), record, log("b")))
    assert f"1 log records {UNREADABLE}".encode() in answer
    assert await conn.fetchval("select array_agg(body #>> '{}' order by body) from wafer.logs") == ["a", "b"]


@pytest.mark.parametrize("where", ["resource", "scope"])
async def test_what_stands_above_records_refuses_those_below_it(
    writer: WriterUnderTest, conn: asyncpg.Connection, where: str
) -> None:
    request = otlp.logs(log("a"), log("b"))
    bad = request.resource_logs.add()
    bad.scope_logs.add(log_records=[log("c"), log("d")])
    if where == "resource":
        bad.resource.attributes.extend(otlp.attributes({"service.name": "BAD!"}))
    else:
        bad.scope_logs[0].scope.name = "BAD!"
    assert f"2 log records {UNREADABLE}".encode() in await send_broken(writer, "logs", request)
    assert await conn.fetchval("select count(*) from wafer.logs") == 2


@pytest.mark.parametrize("levels", [45, 60, 20_000])
async def test_values_nest_as_deep_as_protobuf_lets_them(
    writer: WriterUnderTest, conn: asyncpg.Connection, levels: int
) -> None:
    deep = nested(levels)
    with_attribute = log("c").SerializeToString() + field(6, field(1, b"a") + field(2, deep))
    plain = log("b").SerializeToString()
    deep_body = logs_pb2.LogRecord(time_unix_nano=NOW).SerializeToString() + field(5, deep)
    answer = await post(writer, "logs", requested(plain, deep_body, with_attribute))
    if levels == 45:
        assert answer == b""
        assert await conn.fetchval("select body::text from wafer.logs order by body desc") == "[" * 45 + "1" + "]" * 45
    else:
        assert f"2 log records {UNREADABLE}".encode() in answer
        assert await conn.fetchval("select array_agg(body #>> '{}') from wafer.logs") == ["b"]


async def test_spans_that_come_in_requests_cut_anew_are_stored_once(
    database_url: str, conn: asyncpg.Connection
) -> None:
    chance = random.Random(7)
    requests = [otlp.traces(*(span(number) for number in chance.sample(range(400), 100))) for _ in range(30)]
    requests.append(otlp.traces(*map(span, range(400)), *map(span, range(400))))  # twice in one request
    async with running(database_url) as one, running(database_url) as two:
        await asyncio.gather(*((one, two)[n % 2].send("traces", request) for n, request in enumerate(requests)))
    assert await conn.fetchval("select count(*) from wafer.span") == 400
    assert await conn.fetchval("select count(distinct name) from wafer.span") == 400


async def test_many_job_events_of_one_request_fold_into_their_runs(
    writer: WriterUnderTest, conn: asyncpg.Connection
) -> None:
    events = [otlp.job_event("heartbeat", n // 600, NOW + n, job=f"J{n % 600}") for n in range(3000)]
    await writer.send("logs", otlp.logs(*events))
    assert await conn.fetchval("select count(*) from wafer.job_event") == 3000
    assert await conn.fetchval("select count(*) from wafer.job_run where sequence = 4") == 600


_TEXT = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(
    ["\0", '"', "\\", "wafer.lot.id", "x" * 200]
)
_VALUE = st.recursive(
    _TEXT | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.binary(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=6,
)
_FRAGMENTS = Fragments(("wafer.lot.id",))


@given(st.lists(st.tuples(_TEXT, _VALUE), max_size=8))
def test_attributes_read_by_fragments_are_those_read_as_a_whole(pairs: list[tuple[str, Any]]) -> None:
    items = [item for key, value in pairs for item in otlp.attributes({key: value})]
    expected = plain_map(items)
    for _ in range(2):  # the second time they are known
        cell, named = _FRAGMENTS.read([item.SerializeToString() for item in items])
        assert json.loads(cell[5:]) == expected
        assert cell[:5] == (len(cell) - 4).to_bytes(4, "big") + b"\1"
        assert set(named) == {"wafer.lot.id"} & set(expected)


async def test_what_records_share_is_held_once_for_all(writer: WriterUnderTest, conn: asyncpg.Connection) -> None:
    resource = otlp.RESOURCE | {"blob": "x" * 32_768}
    records = otlp.logs(*(logs_pb2.LogRecord(time_unix_nano=NOW + n) for n in range(2_000)), resource=resource)
    spans = otlp.traces(
        *(
            trace_pb2.Span(trace_id=bytes(15) + b"1", span_id=n.to_bytes(8, "big"), start_time_unix_nano=NOW)
            for n in range(1, 2_001)
        ),
        resource=resource,
    )
    tracemalloc.start()
    await writer.send("logs", records)
    await writer.send("traces", spans)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16 * 2**20  # each of both would be 64 MiB
    blob = "select count(*) from wafer.{} where resource ->> 'blob' = $1"
    assert await conn.fetchval(blob.format("log_record"), resource["blob"]) == 2_000
    assert await conn.fetchval(blob.format("span"), resource["blob"]) == 2_000
