"""What the writer takes in has limits: points beyond them are refused alone, with a reason that names the offender."""

from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.trace.v1 import trace_pb2
from writer_support import otlp
from writer_support.otlp import DELTA, NOW, SECOND
from writer_support.running import WriterUnderTest, running

from waferscope_collector.decode.context import Rules
from waferscope_collector.decode.limits import Limits, Rejects
from waferscope_collector.errors import UnstorableError
from waferscope_collector.retention import Retention

DAY = 86_400 * SECOND


@pytest.fixture
async def strict(database_url: str) -> AsyncIterator[WriterUnderTest]:
    limits = Limits(series=8, metric_series=3, future=60, labels=6, label_bytes=10)
    retention = Retention(sample=timedelta(hours=1), log_record=timedelta(days=1), span=timedelta(days=1))
    async with running(database_url, rules=Rules("fab1", limits=limits, retention=retention)) as found:
        yield found


async def metrics(conn: asyncpg.Connection) -> list[tuple[str, int]]:
    rows = await conn.fetch(
        "select metric, count(*) as series from wafer.series where kind <> 'info' group by metric order by metric"
    )
    return [(row["metric"], row["series"]) for row in rows]


async def test_a_metric_has_so_many_series_and_what_it_has_goes_on(
    strict: WriterUnderTest, conn: asyncpg.Connection
) -> None:
    for at in range(2):
        points = [otlp.number(at, time=NOW + at * SECOND, n=str(n)) for n in range(5)]
        response = await strict.send(
            "metrics", otlp.metrics(otlp.gauge("much", *points), otlp.gauge("good", points[0]))
        )
        assert response.partial_success.rejected_data_points == 2
        assert response.partial_success.error_message == (
            "2 data points of new series of much, which has its limit of 3 series"
        )
    assert await metrics(conn) == [("good", 1), ("much", 3)]
    assert await conn.fetchval("select count(*) from wafer.metrics where metric = 'much'") == 6
    told = strict.meters.registry.get_sample_value("waferscope_writer_series_refused_total", {"metric": "much"})
    assert told == 2


async def test_a_site_has_so_many_series(strict: WriterUnderTest, conn: asyncpg.Connection) -> None:
    gauges = [otlp.gauge(f"g{n}", otlp.number(1)) for n in range(10)]
    response = await strict.send("metrics", otlp.metrics(*gauges))
    assert response.partial_success.rejected_data_points >= 2
    assert "the site has its limit of 8 series" in response.partial_success.error_message
    assert await conn.fetchval("select count(*) from wafer.series") == 8


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ({"a": "x" * 11}, "with a label whose value is over 10 bytes"),
        (dict.fromkeys("abcdefg", "x"), "with more than 6 labels"),
        ({"a" * 513: "x"}, "with a label whose name is over 512 bytes"),
    ],
)
async def test_labels_are_limited(strict: WriterUnderTest, labels: dict[str, str], reason: str) -> None:
    response = await strict.send("metrics", otlp.metrics(otlp.gauge("x", otlp.number(1, **labels)), resource={}))
    assert response.partial_success.error_message == f"1 data points {reason}"


@pytest.mark.parametrize(
    ("time", "reason"),
    [
        (0, "without a time"),
        (NOW + 3600 * SECOND, "too far in the future"),
        (NOW - 2 * 3600 * SECOND, "older than what is kept"),
    ],
    ids=["none", "future", "old"],
)
@pytest.mark.parametrize("delta", [True, False])
async def test_times_have_bounds_on_both_sides(
    strict: WriterUnderTest, conn: asyncpg.Connection, time: int, reason: str, *, delta: bool
) -> None:
    sent = (otlp.number(1, time=time), otlp.number(2))
    metric = otlp.total("x", *sent, temporality=DELTA) if delta else otlp.gauge("x", *sent)
    response = await strict.send("metrics", otlp.metrics(metric))
    assert response.partial_success.error_message == f"1 data points {reason}"
    assert await conn.fetchval("select max(value) from wafer.metrics where metric like 'x%'") == 2


async def test_logs_and_spans_older_than_what_is_kept_are_refused(strict: WriterUnderTest) -> None:
    old = NOW - 2 * DAY
    response = await strict.send("logs", otlp.logs(logs_pb2.LogRecord(time_unix_nano=old)))
    assert response.partial_success.error_message == "1 log records older than what is kept"
    span = trace_pb2.Span(trace_id=bytes(range(16)), span_id=bytes(range(8)), name="late", start_time_unix_nano=old)
    response = await strict.send("traces", otlp.traces(span))
    assert response.partial_success.error_message == "1 spans older than what is kept"


async def test_a_request_makes_at_most_100_partitions(writer: WriterUnderTest, conn: asyncpg.Connection) -> None:
    def sent(days: int) -> ExportMetricsServiceRequest:
        return otlp.metrics(otlp.gauge("x", *(otlp.number(1, time=NOW - n * DAY) for n in range(days))))

    with pytest.raises(UnstorableError, match="100"):
        await writer.send("metrics", sent(150))
    assert await conn.fetchval("select count(*) from wafer.metrics where metric = 'x'") == 0
    await writer.send("metrics", sent(90))
    assert await conn.fetchval("select count(*) from wafer.metrics where metric = 'x'") == 90


def test_an_answer_names_the_most_frequent_reasons() -> None:
    rejects = Rejects("spans")
    for number in range(1000):
        rejects.add(f"of reason {number}", 2 if number == 500 else 1)
    assert rejects.message.startswith("2 spans of reason 500; 1 spans of reason 0; ")
    assert rejects.message.endswith("; 990 spans for 990 other reasons")
