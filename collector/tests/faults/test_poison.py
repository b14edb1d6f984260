"""A record that the database refuses is refused alone: the rest of its request and of its group are stored."""

import asyncio
from collections.abc import Callable

import asyncpg
import cramjam
import httpx
import pytest
from google.protobuf.message import Message
from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.proto.trace.v1 import trace_pb2
from writer_support import otlp
from writer_support.otlp import DELTA, NOW, SECOND
from writer_support.running import WriterUnderTest

from waferscope_collector.batch import Signal
from waferscope_collector.decode.remote_write_messages import V1
from waferscope_collector.receive.signals import ENDPOINTS

PROTOBUF = {"content-type": "application/x-protobuf"}
POISON = (5, 17)  # which records of the first request are refused
RECORDS, REQUESTS = 30, 6


def gauges(numbers: range) -> Message:
    return otlp.metrics(otlp.gauge("x", *(otlp.number(float(n), n=str(n)) for n in numbers)))


def deltas(numbers: range) -> Message:
    points = [otlp.number(float(n), start=NOW - SECOND, n=str(n)) for n in numbers]
    return otlp.metrics(otlp.total("x", *points, temporality=DELTA))


def histograms(numbers: range) -> Message:
    return otlp.metrics(otlp.histograms("x", *(otlp.histogram([1.0], [n, 0], n=str(n)) for n in numbers)))


def exemplars(numbers: range) -> Message:
    points = [otlp.number(0.0, n=str(n)) for n in numbers]
    for n, point in zip(numbers, points, strict=True):
        point.exemplars.append(metrics_pb2.Exemplar(time_unix_nano=NOW, as_double=float(n)))
    return otlp.metrics(otlp.gauge("x", *points))


def records(numbers: range) -> Message:
    return otlp.logs(*(logs_pb2.LogRecord(time_unix_nano=NOW, body=otlp.value(n)) for n in numbers))


def events(numbers: range) -> Message:
    return otlp.logs(*(otlp.job_event("started", 0, job=str(n)) for n in numbers))


def states(numbers: range) -> Message:
    changed = "wafer.equipment.state.changed"
    more = {"wafer__equipment__state": "PRD"}
    return otlp.logs(*(otlp.event(changed, wafer__equipment__id=str(n), **more) for n in numbers))


def spans(numbers: range) -> Message:
    return otlp.traces(
        *(
            trace_pb2.Span(
                trace_id=bytes(15) + b"1",
                span_id=(n + 1).to_bytes(8, "big"),
                name=str(n),
                start_time_unix_nano=NOW,
                attributes=otlp.attributes({"wafer.job.id": str(n), "wafer.step.name": "s"}),
            )
            for n in numbers
        )
    )


# Of each table a rule that the records of `POISON` break, and what sends the records. No data that pass the decoder are
# known to be refused.
RULES: dict[str, tuple[str, str, Signal, Callable[[range], Message]]] = {
    "sample": ("sample", "value not in (5, 17)", "metrics", gauges),
    "sample of deltas": ("sample", "value not in (5, 17)", "metrics", deltas),
    "histogram_sample": ("histogram_sample", "count not in (5, 17)", "metrics", histograms),
    "exemplar": ("exemplar", "value not in (5, 17)", "metrics", exemplars),
    "series": ("series", "coalesce(labels ->> 'n', '') not in ('5', '17')", "metrics", gauges),
    "log_record": ("log_record", "body not in ('5', '17')", "logs", records),
    "job_event": ("job_event", "job_id not in ('5', '17')", "logs", events),
    "job_run": ("job_run", "job_id not in ('5', '17')", "logs", events),
    "equipment_state": ("equipment_state", "equipment not in ('5', '17')", "logs", states),
    "span": ("span", "name not in ('5', '17')", "traces", spans),
    "step_run": ("step_run", "job_id not in ('5', '17')", "traces", spans),
}
COUNTS: dict[Signal, str] = {
    "metrics": "select count(distinct labels ->> 'n') from wafer.series join (select series_id from wafer.sample"
    " union select series_id from wafer.histogram_sample) s using (series_id)",
    "logs": "select (select count(*) from wafer.log_record) + (select count(*) from wafer.job_run)"
    " + (select count(*) from wafer.equipment_state)",
    "traces": "select count(*) from wafer.span join wafer.step_run using (span_id)",
}


@pytest.mark.parametrize("case", RULES)
async def test_of_a_group_the_records_that_a_table_refuses_are_refused_alone(
    writer: WriterUnderTest, conn: asyncpg.Connection, case: str
) -> None:
    table, rule, signal, request = RULES[case]
    await conn.execute(f"alter table wafer.{table} add constraint poison check ({rule})")
    sent = [request(range(n * RECORDS, (n + 1) * RECORDS)) for n in range(REQUESTS)]
    async with writer.client() as client:

        async def post(message: Message) -> httpx.Response:
            return await client.post(f"/v1/{signal}", content=message.SerializeToString(), headers=PROTOBUF)

        answers = await asyncio.gather(*map(post, sent))
        again = await post(sent[0])
    assert [answer.status_code for answer in (*answers, again)] == [200] * (REQUESTS + 1)
    endpoint = ENDPOINTS[signal]
    partial = [endpoint.response.FromString(answer.content).partial_success for answer in answers]
    refused = [getattr(each, endpoint.rejected) for each in partial]
    assert refused == [len(POISON)] + [0] * (REQUESTS - 1)
    assert partial[0].error_message == f"{len(POISON)} {endpoint.noun} that the database refuses"
    assert await conn.fetchval(COUNTS[signal]) == RECORDS * REQUESTS - len(POISON)


async def test_remote_write_tells_how_many_samples_the_database_refuses(
    writer: WriterUnderTest, conn: asyncpg.Connection
) -> None:
    await conn.execute("alter table wafer.sample add constraint poison check (value not in (5, 17))")
    labels = [V1["Label"](name="__name__", value="x")]
    samples = [V1["Sample"](value=float(n), timestamp=NOW // 10**6 + n) for n in range(RECORDS)]
    request = V1["WriteRequest"](timeseries=[V1["TimeSeries"](labels=labels, samples=samples)])
    async with writer.client() as client:
        body = bytes(cramjam.snappy.compress_raw(request.SerializeToString()))
        answer = await client.post("/api/v1/write", content=body, headers=PROTOBUF | {"content-encoding": "snappy"})
    assert (answer.status_code, answer.text) == (400, "2 samples that the database refuses\n")
    assert await conn.fetchval("select count(*) from wafer.sample") == RECORDS - len(POISON)


async def test_a_request_of_too_many_refused_records_is_refused_as_a_whole(
    writer: WriterUnderTest, conn: asyncpg.Connection
) -> None:
    await conn.execute("alter table wafer.log_record add constraint poison check (body = '0')")
    async with writer.client() as client:
        content = records(range(300)).SerializeToString()
        answer = await client.post("/v1/logs", content=content, headers=PROTOBUF)
    assert answer.status_code == 400
    assert b'violates check constraint "poison"' in answer.content
    assert await conn.fetchval("select count(*) from wafer.log_record") == 0
