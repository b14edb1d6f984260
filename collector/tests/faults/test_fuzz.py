"""No text and no time that OTLP can carry is refused by the database or stops the writer."""

import asyncio
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.trace.v1 import trace_pb2
from writer_support import otlp
from writer_support.otlp import NOW, SECOND
from writer_support.running import running

_TEXT = st.text(st.characters(codec="utf-8"), max_size=30) | st.sampled_from(["\0", "a\0b", "x" * 5000, "\\u0000", "�"])
_VALUE = st.recursive(
    _TEXT | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=8,
)
_ATTRIBUTES = st.dictionaries(
    _TEXT
    | st.sampled_from(["wafer.job.id", "wafer.step.name", "wafer.step.index", "wafer.job.attempt", "wafer.lot.id"]),
    _VALUE,
    max_size=5,
)
_RESOURCE = st.dictionaries(
    _TEXT | st.sampled_from(["service.name", "service.instance.id", "host.name", "wafer.site.id"]), _VALUE, max_size=4
)
# Around now and at the limits: each day of its own would be a partition of its own.
_TIME = st.sampled_from([0, 1, NOW, NOW + 999_999, NOW + 10**20 % 2**63, 2**63 - 1, 2**63, 2**64 - 1]) | st.integers(
    NOW - 3600 * SECOND, NOW + 3600 * SECOND
)
_IDS = st.sampled_from([b"", b"\0" * 16, bytes(range(16)), b"short"])


@st.composite
def _requests(draw: st.DrawFn) -> list[tuple[Any, Any]]:
    resource = draw(_RESOURCE)
    name, unit, time = draw(_TEXT), draw(_TEXT), draw(_TIME)
    number = otlp.number(draw(st.floats()), time=time, start=draw(_TIME))
    number.attributes.extend(otlp.attributes(draw(_ATTRIBUTES)))
    kind = otlp.total(name, number, unit=unit, temporality=draw(st.sampled_from([otlp.DELTA, otlp.CUMULATIVE])))
    log = logs_pb2.LogRecord(
        time_unix_nano=time,
        observed_time_unix_nano=draw(_TIME),
        severity_number=draw(st.integers(-5, 30)),
        severity_text=draw(_TEXT),
        event_name=draw(_TEXT | st.sampled_from(["wafer.job.started", "wafer.job.ended"])),
        body=otlp.value(draw(_VALUE)),
        trace_id=draw(_IDS),
        attributes=otlp.attributes(draw(_ATTRIBUTES)),
    )
    span = trace_pb2.Span(
        trace_id=bytes(range(16)),
        span_id=draw(_IDS)[:8],
        name=name,
        kind=draw(st.integers(-1, 9)),
        start_time_unix_nano=time,
        end_time_unix_nano=draw(_TIME),
        attributes=otlp.attributes(draw(_ATTRIBUTES)),
    )
    return [
        ("metrics", otlp.metrics(kind, resource=resource, scope="hostmetricsreceiver")),
        ("logs", otlp.logs(log, resource=resource)),
        ("traces", otlp.traces(span, resource=resource)),
    ]


@given(st.lists(_requests(), min_size=10, max_size=10))
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_can_be_decoded_can_be_stored(database_url: str, examples: list[list[tuple[Any, Any]]]) -> None:
    async def store() -> None:
        async with running(database_url) as writer:
            await asyncio.gather(*(writer.send(*request) for requests in examples for request in requests))

    asyncio.run(store())
