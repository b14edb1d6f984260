"""Numbered requests of everything that a writer takes in, a client that keeps its promise, a count of what came of it.

Round n brings four requests: OTLP metrics of every kind, logs with a job's events, traces with a step, remote write.
`assert_stored_once` reads every table back and compares each sample, record and event with what the rounds sent.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import asyncpg
import cramjam
import httpx
from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from waferscope_collector.decode.remote_write_messages import V1
from writer_support import otlp
from writer_support.otlp import CUMULATIVE, DELTA, NOW, SECOND
from writer_support.rollup_feeding import normal, parsed
from writer_support.rollup_reference import EXPLICIT, Histogram

BEGIN = NOW - 6 * 3600 * SECOND
SCALE = 3
BOUNDS = (1.0, 2.5)
PAUSE_S = 0.02
RETRYABLE = 503


@dataclass(frozen=True, slots=True)
class Request:
    path: str
    body: bytes
    headers: dict[str, str]


def time_of(number: int) -> int:
    """Return the time of a round, Unix time in nanoseconds."""
    return BEGIN + number * SECOND


def requests(number: int) -> list[Request]:
    """Return the requests of a round."""
    protobuf = {"content-type": "application/x-protobuf"}
    written = bytes(cramjam.snappy.compress_raw(_write(number).SerializeToString()))
    return [
        Request("/v1/metrics", _metrics(number).SerializeToString(), protobuf),
        Request("/v1/logs", _logs(number).SerializeToString(), protobuf),
        Request("/v1/traces", _traces(number).SerializeToString(), protobuf),
        Request("/api/v1/write", written, protobuf | {"content-encoding": "snappy"}),
    ]


async def deliver(clients: Sequence[httpx.AsyncClient], request: Request, *, within_s: float = 90.0) -> int:
    """Send a request until a writer acknowledges it, to another one each time.

    Returns:
        How often it was sent.

    Raises:
        AssertionError: A writer forbade a retry, or none acknowledged it in time.
    """
    deadline, sent = time.monotonic() + within_s, 0
    first = random.randrange(len(clients))
    while True:
        client = clients[(first + sent) % len(clients)]
        sent += 1
        fault: object
        try:
            answer = await client.post(request.path, content=request.body, headers=request.headers)
        except httpx.TransportError as error:
            fault = error
        else:
            if answer.is_success:
                return sent
            fault = f"{answer.status_code} {answer.text}"
            assert answer.status_code == RETRYABLE, fault
            assert answer.headers["retry-after"] == "5"
        assert time.monotonic() < deadline, f"not acknowledged within {within_s:g} s: {fault}"
        await asyncio.sleep(PAUSE_S)


async def deliver_round(clients: Sequence[httpx.AsyncClient], number: int) -> int:
    """Deliver the requests of a round at once; return how often requests were sent."""
    return sum(await asyncio.gather(*(deliver(clients, request) for request in requests(number))))


# What a round brings -------------------------------------------------------------------------------------------------


def _metrics(number: int) -> Any:
    at, start = time_of(number), BEGIN - SECOND
    exemplar = metrics_pb2.Exemplar(as_double=number + 0.25, time_unix_nano=at, trace_id=_trace_id(number))
    level = otlp.number(number + 0.5, time=at, chamber=str(number % 7))
    level.exemplars.append(exemplar)
    since = at - SECOND
    return otlp.metrics(
        otlp.gauge("load_level", level),
        otlp.gauge("load_new", otlp.number(1.0, time=at, wafer=str(number))),
        otlp.total("load_moves", otlp.number(number, time=at, start=start)),
        otlp.histograms("load_seconds", otlp.histogram(BOUNDS, [number, 1, 2], 0.5 * number, time=at, start=start)),
        _exponential("load_bytes", number, at, start, CUMULATIVE),
        otlp.total("load_pulses", otlp.number(number + 1, time=at, start=since), temporality=DELTA),
        otlp.total("load_parts", otlp.number(1, time=at, start=since, wafer=str(number)), temporality=DELTA),
        otlp.histograms(
            "load_waits",
            otlp.histogram(BOUNDS, [number, 0, 1], number + 0.5, time=at, start=since),
            temporality=DELTA,
        ),
        _exponential("load_sizes", number, at, since, DELTA),
    )


def _exponential(name: str, number: int, at: int, start: int, temporality: int) -> metrics_pb2.Metric:
    point = metrics_pb2.ExponentialHistogramDataPoint(
        scale=SCALE, count=number + 3, sum=number + 7.0, zero_count=1, time_unix_nano=at, start_time_unix_nano=start
    )
    point.positive.offset = number % 5
    point.positive.bucket_counts.extend([number + 1, 1])
    data = metrics_pb2.ExponentialHistogram(data_points=[point], aggregation_temporality=temporality)
    return metrics_pb2.Metric(name=name, exponential_histogram=data)


def _logs(number: int) -> Any:
    at = time_of(number)
    record = logs_pb2.LogRecord(time_unix_nano=at, body=otlp.value(f"record {number}"))
    job = f"load-{number}"
    return otlp.logs(
        record,
        otlp.job_event("started", 1, at, job=job, wafer__job__elapsed=0.0),
        otlp.job_event("ended", 2, at + SECOND, job=job, wafer__job__elapsed=1.0, wafer__job__result="success"),
    )


def _traces(number: int) -> Any:
    at = time_of(number)
    step = {"wafer.job.id": f"load-{number}", "wafer.step.name": "fit", "wafer.step.index": number}
    span = trace_pb2.Span(
        trace_id=_trace_id(number),
        span_id=(number + 1).to_bytes(8, "big"),
        name=f"span {number}",
        start_time_unix_nano=at,
        end_time_unix_nano=at + SECOND,
        attributes=otlp.attributes(step),
    )
    return otlp.traces(span)


def _write(number: int) -> Any:
    labels = [V1["Label"](name=name, value=value) for name, value in (("__name__", "load_written"), ("job", "load"))]
    sample = V1["Sample"](value=number - 0.5, timestamp=time_of(number) // 10**6)
    return V1["WriteRequest"](timeseries=[V1["TimeSeries"](labels=labels, samples=[sample])])


def _trace_id(number: int) -> bytes:
    return (number + 1).to_bytes(16, "big")


# What comes of it ----------------------------------------------------------------------------------------------------


async def assert_stored_once(conn: asyncpg.Connection, rounds: Iterable[int]) -> None:
    """Compare everything that is stored with what the rounds sent: each once, nothing else.

    Raises:
        AssertionError: Something is lost, doubled or changed; the difference is shown.
    """
    numbers = list(rounds)
    for what, found, sent in [
        ("samples", await _samples(conn), _sent_samples(numbers)),
        ("histograms", await _histograms(conn), _sent_histograms(numbers)),
        ("deltas of sums", await _number_steps(conn), Counter(float(n + 1) for n in numbers)),
        ("deltas of histograms", await _histogram_steps(conn), _sent_histogram_steps(numbers)),
        ("exemplars", await _exemplars(conn), Counter((time_of(n) // 10**6, n + 0.25) for n in numbers)),
        ("log records", await _texts(conn, "select body #>> '{}' from wafer.log_record"),
         Counter(f"record {n}" for n in numbers)),
        ("job events", await _texts(conn, "select concat_ws(' ', job_id, sequence, name) from wafer.job_event"),
         Counter(f"load-{n} {text}" for n in numbers for text in ("1 wafer.job.started", "2 wafer.job.ended"))),
        ("job runs", await _texts(conn, "select concat_ws(' ', job_id, result, duration_s) from wafer.job_run"),
         Counter(f"load-{n} success 1" for n in numbers)),
        ("spans", await _texts(conn, "select encode(trace_id, 'hex') || ' ' || name from wafer.span"),
         Counter(f"{n + 1:032x} span {n}" for n in numbers)),
        ("steps", await _texts(conn, "select concat_ws(' ', job_id, name, index) from wafer.step_run"),
         Counter(f"load-{n} fit {n}" for n in numbers)),
        ("requests", await _texts(conn, "select signal from wafer.ingest_batch"),
         Counter({signal: len(numbers) for signal in ("metrics", "logs", "traces", "write")})),
        ("points of the change feed", await _fed(conn), await _stored_points(conn)),
    ]:  # fmt: skip
        lost, extra = sent - found, found - sent
        assert not lost, f"{what}: {lost.total()} are missing: {lost.most_common(5)}"
        assert not extra, f"{what}: {extra.total()} too many: {extra.most_common(5)}"


async def _samples(conn: asyncpg.Connection) -> Counter[Any]:
    rows = await conn.fetch(
        "select metric, coalesce(labels ->> 'chamber', labels ->> 'wafer', '') as label, value,"
        " (extract(epoch from ts) * 1000)::bigint as ms"
        " from wafer.sample join wafer.series using (series_id)"
        " where metric like 'load%' and metric <> 'load_pulses_total'"
    )
    return Counter((row["metric"], row["label"], row["ms"], row["value"]) for row in rows)


def _sent_samples(numbers: Iterable[int]) -> Counter[Any]:
    def of(number: int) -> Iterator[tuple[str, str, int, float]]:
        at = time_of(number) // 10**6
        yield "load_level", str(number % 7), at, number + 0.5
        yield "load_new", str(number), at, 1.0
        yield "load_moves_total", "", at, float(number)
        yield "load_parts_total", str(number), at - 1000, 0.0
        yield "load_parts_total", str(number), at, 1.0
        yield "load_written", "", at, number - 0.5

    return Counter(sample for number in numbers for sample in of(number))


_HISTOGRAMS = (
    "select metric, (extract(epoch from ts) * 1000)::bigint as ms, h.* from wafer.histogram_sample h"
    " join wafer.series using (series_id) where metric = any($1::text[]) order by metric, ts"
)


async def _histograms(conn: asyncpg.Connection) -> Counter[Any]:
    rows = await conn.fetch(_HISTOGRAMS, ["load_seconds", "load_bytes"])
    return Counter((row["metric"], row["ms"], _hashable(parsed(row))) for row in rows)


def _sent_histograms(numbers: Iterable[int]) -> Counter[Any]:
    def of(n: int) -> Iterator[tuple[str, int, Any]]:
        at = time_of(n) // 10**6
        counts = {(1, 0): float(n), (1, 1): 1.0, (1, 2): 2.0}
        yield "load_seconds", at, _hashable(normal(Histogram(n + 3.0, 0.5 * n, EXPLICIT, BOUNDS, 0.0, counts)))
        yield "load_bytes", at, _hashable(_exponential_histogram(n))

    return Counter(histogram for number in numbers for histogram in of(number))


def _exponential_histogram(n: int) -> Histogram:
    # OTLP's bucket of offset 0 is the one that Prometheus counts as 1.
    return Histogram(n + 3.0, n + 7.0, SCALE, (), 1.0, {(1, n % 5 + 1): n + 1.0, (1, n % 5 + 2): 1.0})


def _sent_histogram_steps(numbers: Iterable[int]) -> Counter[Any]:
    def of(n: int) -> Iterator[tuple[str, Any]]:
        counts = {(1, 0): float(n), (1, 2): 1.0}
        yield "load_waits", _hashable(normal(Histogram(n + 1.0, n + 0.5, EXPLICIT, BOUNDS, 0.0, counts)))
        yield "load_sizes", _hashable(_exponential_histogram(n))

    return Counter(step for number in numbers for step in of(number))


async def _number_steps(conn: asyncpg.Connection) -> Counter[float]:
    """Return by how much the running total of the deltas rose, step by step; it must never fall."""
    rows = await conn.fetch(
        "select value from wafer.sample join wafer.series using (series_id) where metric = 'load_pulses_total'"
        " order by ts"
    )
    values = [row["value"] for row in rows]
    assert values == sorted(values), "the running total fell"
    assert not values or values[0] == 0
    return Counter(after - before for before, after in pairwise(values) if after != before)


async def _histogram_steps(conn: asyncpg.Connection) -> Counter[Any]:
    """Return what was added to the running totals of delta histograms, step by step."""
    found: Counter[Any] = Counter()
    for metric in ("load_waits", "load_sizes"):
        totals = [parsed(row) for row in await conn.fetch(_HISTOGRAMS, [metric])]
        assert not totals or totals[0].count == 0
        found.update((metric, _hashable(_minus(b, a))) for a, b in pairwise(totals) if a.count != b.count)
    return found


def _minus(after: Histogram, before: Histogram) -> Histogram:
    buckets = {key: count - before.buckets.get(key, 0.0) for key, count in after.buckets.items()}
    assert min(buckets.values()) >= 0, "a bucket of a running total fell"
    return normal(
        Histogram(
            after.count - before.count, after.sum - before.sum, after.schema, after.bounds, after.zero - before.zero,
            buckets,
        )
    )  # fmt: skip


def _hashable(of: Histogram) -> tuple[object, ...]:
    return of.count, of.sum, of.schema, of.bounds, of.zero, tuple(sorted(of.buckets.items()))


async def _exemplars(conn: asyncpg.Connection) -> Counter[Any]:
    rows = await conn.fetch("select (extract(epoch from ts) * 1000)::bigint as ms, value from wafer.exemplar")
    return Counter((row["ms"], row["value"]) for row in rows)


async def _texts(conn: asyncpg.Connection, query: str) -> Counter[str]:
    return Counter(row[0] for row in await conn.fetch(query))


async def _fed(conn: asyncpg.Connection) -> Counter[str]:
    """Return how many points of each hour the change feed tells of."""
    return await _by_hour(conn, "select hour, sum(points) as points from wafer.ingest_hour group by hour")


async def _stored_points(conn: asyncpg.Connection) -> Counter[str]:
    return await _by_hour(
        conn,
        "select date_trunc('hour', ts) as hour, count(*) as points"
        " from (select ts from wafer.sample union all select ts from wafer.histogram_sample) s group by 1",
    )


async def _by_hour(conn: asyncpg.Connection, query: str) -> Counter[str]:
    return Counter({row["hour"].isoformat(): int(row["points"]) for row in await conn.fetch(query)})
