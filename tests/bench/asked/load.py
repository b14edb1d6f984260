"""The same samples in a site's database and in Prometheus: counters, and histograms with their buckets."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import asyncpg
import cramjam
import httpx
import msgspec
import numpy as np

from waferscope_schemas.migrate import migrate
from waferscope_schemas.partitioning import ensure

SERIES, SAMPLES, INTERVAL_S = 10_000, 500, 15
GROUP = 500  # series of one area: what a query for many asks for
TOOLS = 50
HISTOGRAMS = 1_000
BOUNDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
BUCKETS = len(BOUNDS) + 1
_AHEAD = 100  # instants that may follow, up to now
START_MS = (int(time.time()) - (SAMPLES + _AHEAD) * INTERVAL_S) // INTERVAL_S * INTERVAL_S * 1000
_EPOCH_US = 946_684_800_000_000  # of PostgreSQL's binary timestamps

_SAMPLE = np.dtype([("head", "u1", 3), ("value", "<f8"), ("tag", "u1"), ("time", "u1", 6)])
_ROW = np.dtype(
    [("fields", ">i2"), ("l1", ">i4"), ("series", ">i8"), ("l2", ">i4"), ("ts", ">i8"), ("l3", ">i4"), ("value", ">f8")]
)
_HEADER, _TRAILER = b"PGCOPY\n\xff\r\n\x00" + bytes(8), b"\xff\xff"
_HISTOGRAM_ROWS = """
    insert into wafer.histogram_sample
        (series_id, ts, count, sum, schema, custom_bounds, positive_spans, positive_counts)
    select
        s.series_id, to_timestamp($1::bigint / 1000.0) + i * interval '15 s', t.count, t.count, -53, $4, '{0,10}',
        t.counts
    from (
        select series_id, row_number() over (order by series_id) - 1 as n from wafer.series where kind = 'histogram'
    ) s
    cross join generate_series($2::int, $3::int) as i
    cross join lateral (
        select array_agg(c order by k) as counts, sum(c) as count
        from (select k, (i * (1 + (s.n + k) % 3))::float8 as c from generate_series(0, 9) k) as b
    ) as t
"""
_TOLD = """
    with batch as (
        insert into wafer.ingest_batch (digest, signal, points, repeatable) values ($1, 'metrics', 1, true)
        returning batch_id
    )
    insert into wafer.ingest_hour (batch_id, hour, min_ts, max_ts, points)
    select batch_id, date_trunc('hour', $2::timestamptz, 'UTC'), $2, $2, 1 from batch
"""


def instant_ms(index: int) -> int:
    """The time of the samples with a number."""
    return START_MS + index * INTERVAL_S * 1000


async def fill_site(url: str) -> None:
    """Write series and samples as the writer does: series by series of one instant after the other."""
    await migrate(url)
    connection = await asyncpg.connect(url)
    try:
        for metric, kind, labels in (
            ("wafer_sample_total", "counter", [_counter_labels(number) for number in range(SERIES)]),
            ("wafer_step_duration_seconds", "histogram", [_histogram_labels(n) for n in range(HISTOGRAMS)]),
        ):
            await connection.execute(
                "insert into wafer.series (fingerprint, metric, labels, kind, classic)"
                " select substr(sha256(convert_to($1 || l, 'UTF8')), 1, 16), $1, l::jsonb, $2, $2 = 'histogram'"
                " from unnest($3::text[]) with ordinality as t (l, n) order by n",
                *(metric, kind, [msgspec.json.encode(label).decode() for label in labels]),
            )
        for table in ("sample", "histogram_sample"):
            await ensure(connection, table, [_moment(0), _moment(SAMPLES + _AHEAD)])
        for first in range(0, SAMPLES, 50):
            await _copy(connection, np.arange(first, first + 50))
            await connection.execute(_HISTOGRAM_ROWS, START_MS, first, first + 49, BOUNDS)
        await connection.execute("vacuum analyze wafer.sample, wafer.histogram_sample, wafer.series")
    finally:
        await connection.close()


def append_site(url: str, index: int) -> None:
    """Write the samples of one more instant, and tell the readers."""

    async def append() -> None:
        connection = await asyncpg.connect(url)
        async with connection.transaction():
            await _copy(connection, np.array([index]))
            await connection.execute(_HISTOGRAM_ROWS, START_MS, index, index, BOUNDS)
            await connection.execute(_TOLD, uuid.uuid4().bytes, _moment(index))
        await connection.close()

    asyncio.run(append())


def fill_other(url: str) -> None:
    """Write the same to Prometheus, in the order of time."""
    for first in range(0, SAMPLES, 25):
        append_other(url, np.arange(first, first + 25))


def append_other(url: str, instants: np.ndarray) -> None:
    """Write some instants to Prometheus."""
    headers = {"content-type": "application/x-protobuf", "content-encoding": "snappy"}
    with httpx.Client(base_url=url, timeout=120, headers=headers) as client:
        for encoded in (*_encoded(_counters(), instants), *_encoded(_buckets(), instants)):
            client.post("/api/v1/write", content=bytes(cramjam.snappy.compress_raw(encoded))).raise_for_status()


Growing = tuple[dict[str, str], float]
"""A series' labels, and how much it grows from one instant to the next."""


def _counters() -> Iterator[Growing]:
    for number in range(SERIES):
        yield {"__name__": "wafer_sample_total", **_counter_labels(number)}, 1.0 + number % 7


def _buckets() -> Iterator[Growing]:
    for number in range(HISTOGRAMS):
        counts = np.cumsum([1 + (number + k) % 3 for k in range(BUCKETS)])
        for bound, count in zip((*(f"{bound:g}" for bound in BOUNDS), "+Inf"), counts.tolist(), strict=True):
            yield (
                {
                    "__name__": "wafer_step_duration_seconds_bucket",
                    **_histogram_labels(number),
                    "le": bound,
                },
                float(count),
            )


def _counter_labels(number: int) -> dict[str, str]:
    return {
        "area": f"a{number // GROUP}",
        "chamber": f"c{number // TOOLS % 10}",
        "line": f"l{number // 5000}",
        "tool": f"t{number % TOOLS}",
    }


def _histogram_labels(number: int) -> dict[str, str]:
    return {"chamber": f"c{number // TOOLS}", "tool": f"t{number % TOOLS}"}


def _encoded(series: Iterator[Growing], instants: np.ndarray) -> Iterator[bytes]:
    """Remote write 1.0 requests of some thousand series."""
    part: list[bytes] = []
    for labels, growth in series:
        names = b"".join(
            _field(0x0A, _field(0x0A, k.encode()) + _field(0x12, v.encode())) for k, v in sorted(labels.items())
        )
        part.append(_series(names, growth, instants))
        if len(part) == 2_500:
            yield b"".join(part)
            part.clear()


def _field(tag: int, value: bytes) -> bytes:
    size, length = bytearray(), len(value)
    while length > 0x7F:
        size.append(length & 0x7F | 0x80)
        length >>= 7
    return bytes((tag, *size, length)) + value


def _series(labels: bytes, growth: float, instants: np.ndarray) -> bytes:
    rows = np.zeros(len(instants), _SAMPLE)
    rows["head"], rows["tag"] = (0x12, _SAMPLE.itemsize - 2, 0x09), 0x10
    rows["value"] = instants * growth
    times = (START_MS + instants * INTERVAL_S * 1000).astype(np.uint64)
    for byte in range(6):  # a time of today takes six bytes of seven bits
        rows["time"][:, byte] = (times >> np.uint64(7 * byte)) & np.uint64(0x7F) | (0x80 if byte < 5 else 0)
    return _field(0x0A, labels + rows.tobytes())


async def _copy(connection: "asyncpg.Connection[asyncpg.Record]", instants: np.ndarray) -> None:
    found = await connection.fetch("select series_id from wafer.series where kind = 'counter' order by series_id")
    series = np.array([row["series_id"] for row in found])
    rows = np.zeros(len(series) * len(instants), _ROW)
    rows["fields"], rows["l1"], rows["l2"], rows["l3"] = 3, 8, 8, 8
    rows["series"] = np.tile(series, len(instants))
    rows["ts"] = np.repeat((START_MS + instants * INTERVAL_S * 1000) * 1000 - _EPOCH_US, len(series))
    rows["value"] = np.repeat(instants, len(series)) * (1.0 + (rows["series"] - series[0]) % 7)

    async def pieces() -> AsyncIterator[bytes]:
        yield _HEADER + rows.tobytes() + _TRAILER

    await connection.copy_to_table("sample", schema_name="wafer", source=pieces(), format="binary")


def _moment(index: int) -> datetime:
    return datetime.fromtimestamp(instant_ms(index) / 1000, UTC)
