"""Records that adding, folding, rolling up or a view could not cope with are refused alone, or stored harmlessly."""

import json
import math
from typing import Any

import asyncpg
import pytest
from opentelemetry.proto.metrics.v1 import metrics_pb2
from writer_support import otlp
from writer_support.otlp import CUMULATIVE, DELTA, NOW, SECOND
from writer_support.running import WriterUnderTest

from waferscope_collector.maintenance import rollups

MOST, LEAST = 2**31 - 1, -(2**31)
TINY = math.ulp(0.0)
EVENTS = "/v1/ingest/events:batch"


def exponential(offset: int, scale: int = 0, threshold: float = 0.0) -> metrics_pb2.ExponentialHistogramDataPoint:
    return metrics_pb2.ExponentialHistogramDataPoint(
        count=2,
        sum=2.0,
        scale=scale,
        zero_threshold=threshold,
        positive=metrics_pb2.ExponentialHistogramDataPoint.Buckets(offset=offset, bucket_counts=[1, 1]),
    )


def sent(name: str, temporality: int, *points: metrics_pb2.ExponentialHistogramDataPoint) -> metrics_pb2.Metric:
    for number, point in enumerate(points):
        point.time_unix_nano = NOW - (len(points) - number) * SECOND
    data = metrics_pb2.ExponentialHistogram(data_points=points, aggregation_temporality=temporality)
    return metrics_pb2.Metric(name=name, exponential_histogram=data)


async def catch_up(conn: asyncpg.Connection) -> None:
    """Compute the rollups; none is left."""
    await rollups.catch_up(conn, budget=60)
    assert await conn.fetch("select * from wafer.rollup_due") == []


async def read_views(conn: asyncpg.Connection) -> None:
    """Read every view to its end."""
    views = await conn.fetch("select viewname from pg_views where schemaname = 'wafer'")
    for view in views:
        await conn.fetch(f"select * from wafer.{view['viewname']}")


@pytest.mark.parametrize("temporality", [CUMULATIVE, DELTA])
async def test_exponential_histograms_that_no_double_fits_are_refused_alone(
    writer: WriterUnderTest, conn: asyncpg.Connection, temporality: int
) -> None:
    odd = [
        *(exponential(offset, scale) for offset in (MOST, MOST - 2, LEAST, 300_000, -300_000) for scale in (-4, 0, 8)),
        *(exponential(1, threshold=threshold) for threshold in (math.nan, math.inf, -1.0)),
    ]
    request = otlp.metrics(otlp.gauge("good", otlp.number(1.0)), sent("h", temporality, *odd))
    response: Any = await writer.send("metrics", request)
    assert response.partial_success.rejected_data_points == len(odd)
    assert "beyond the range of a double" in response.partial_success.error_message
    assert await conn.fetchval("select count(*) from wafer.metrics where metric = 'good'") == 1
    assert await conn.fetchval("select count(*) from wafer.histogram_sample") == 0


@pytest.mark.parametrize("temporality", [CUMULATIVE, DELTA])
async def test_exponential_histograms_at_both_ends_of_a_double_are_added_and_rolled_up(
    writer: WriterUnderTest, conn: asyncpg.Connection, temporality: int
) -> None:
    far = [exponential(offset, 8) for offset in (-274_900, 262_100, 0)] + [exponential(-68, -4), exponential(61, -4)]
    response: Any = await writer.send("metrics", otlp.metrics(sent("h", temporality, *far)))
    assert not response.HasField("partial_success")
    await catch_up(conn)
    count = await conn.fetchval("select count from wafer.histogram_sample order by ts desc limit 1")
    assert count == (2 * len(far) if temporality == DELTA else 2)


@pytest.mark.parametrize("attribute", ["heartbeat.interval", "elapsed", "progress.done", "cpu.user", "cpu.system"])
@pytest.mark.parametrize("value", [1.7e308, -1.7e308, 1.1e15, math.inf, math.nan])
async def test_numbers_that_a_view_could_not_count_with_are_refused_alone(
    writer: WriterUnderTest, conn: asyncpg.Connection, attribute: str, value: float
) -> None:
    odd = otlp.job_event("heartbeat", 1, job="odd", **{f"wafer__job__{attribute.replace('.', '__')}": value})
    response: Any = await writer.send("logs", otlp.logs(odd, otlp.job_event("started", 0, job="good")))
    assert response.partial_success.rejected_log_records == 1
    assert f"wafer.job.{attribute}" in response.partial_success.error_message
    assert [row["job_id"] for row in await conn.fetch("select job_id from wafer.jobs")] == ["good"]


async def test_no_view_stumbles_over_the_greatest_and_the_least_numbers(
    writer: WriterUnderTest, conn: asyncpg.Connection
) -> None:
    for value in (1e15, TINY):
        more = {f"wafer__job__{name}": value for name in ("heartbeat__interval", "elapsed", "cpu__user", "cpu__system")}
        ended = [
            otlp.job_event("ended", 1, job=f"{value} {number}", wafer__job__result="success", **more)
            for number in range(25)
        ]
        await writer.send("logs", otlp.logs(otlp.job_event("started", 0, job=f"{value}", **more), *ended))
    values = [TINY, -TINY, 1.7e308, -1.7e308, math.inf, -math.inf, math.nan]
    points = [
        otlp.number(value, time=NOW - step * SECOND, n=str(n)) for n, value in enumerate(values) for step in range(3)
    ]
    await writer.send("metrics", otlp.metrics(otlp.gauge("x", *points)))
    await catch_up(conn)
    await read_views(conn)
    averages = await conn.fetch("select avg from wafer.metrics_1h where metric = 'x' order by labels ->> 'n'")
    assert [row["avg"] for row in averages[:2]] == [0.0, 0.0]


@pytest.mark.parametrize(
    ("metadata", "detail"),
    [
        ('{"x": ' + "[" * 20_000 + "]" * 20_000 + "}", "nested too deeply"),
        ('{"x": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested too deeply"),
        ('{"x": "\\q"}', "this is no event"),
        ('{"x": 1' + "0" * 5000 + "}", "this is no event"),
        ("7", "this is no event"),
    ],
    ids=["deep", "deeper", "escape", "number", "type"],
)
async def test_of_the_predecessors_batch_an_event_that_cant_be_read_is_refused_alone(
    writer: WriterUnderTest, conn: asyncpg.Connection, metadata: str, detail: str
) -> None:
    async with writer.client() as client:
        answer = await client.post(EVENTS, content=f"[{event('one')}, {event('odd', metadata)},{event('two')}]")
    assert answer.status_code == 200, answer.text
    assert (answer.json()["success"], answer.json()["failed"]) == (2, 1)
    assert (answer.json()["errors"][0]["index"], detail in answer.json()["errors"][0]["detail"]) == (1, True)
    assert [row["job_id"] for row in await conn.fetch("select job_id from wafer.jobs order by 1")] == ["one", "two"]


async def test_half_of_a_surrogate_pair_in_an_event_becomes_a_replacement_character(
    writer: WriterUnderTest, conn: asyncpg.Connection
) -> None:
    async with writer.client() as client:
        answer = await client.post(EVENTS, content="[" + event("one", '{"x": "a\\ud83d"}') + "]")
    assert answer.json() == {"ok": True, "total": 1, "success": 1, "failed": 0}
    assert json.loads(await conn.fetchval("select attributes from wafer.job_events"))["x"] == "a\ufffd"


@pytest.mark.parametrize("body", ["", "[", "[{}", "{}", "[[]]]", "[1] 2", "nothing", '["'])
async def test_a_batch_that_is_no_array_is_refused(writer: WriterUnderTest, body: str) -> None:
    async with writer.client() as client:
        answer = await client.post(EVENTS, content=body)
    assert (answer.status_code, "array" in answer.json()["detail"]) == (422, True)


def event(job: str, metadata: str = "{}") -> str:
    return (
        f'{{"idempotency_key": "{job}", "site_id": "fab7", "app": {{"app_id": "A", "name": "overlay"}}, '
        f'"entity": {{"type": "job", "id": "{job}"}}, '
        f'"event": {{"kind": "started", "at": "2026-11-20T08:00:00Z", "metadata": {metadata}}}}}'
    )
