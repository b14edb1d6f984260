"""Raw samples into the database with their rows of the change feed, and rollups out of it."""

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import asyncpg

from waferscope_schemas import partitioning
from writer_support.rollup_reference import EXPLICIT, Histogram, HistogramSample, Sample

HOUR_MS = 3_600_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def instant(ms: int) -> datetime:
    return EPOCH + timedelta(milliseconds=ms)


def milliseconds(time: datetime) -> int:
    return round((time - EPOCH).total_seconds() * 1000)


async def store(conn: asyncpg.Connection, samples: Sequence[Sample | HistogramSample]) -> None:
    """Store samples as a request of their own."""
    times = [instant(sample.ts) for sample in samples]
    for table in ("sample", "histogram_sample"):
        await partitioning.ensure(conn, table, times)
    async with conn.transaction():
        await conn.copy_records_to_table(
            "sample", schema_name="wafer", records=[(s.series, instant(s.ts), s.value) for s in _numbers(samples)]
        )
        await conn.copy_records_to_table(
            "histogram_sample",
            schema_name="wafer",
            columns=["series_id", "ts", *HISTOGRAM],
            records=[(s.series, instant(s.ts), *_row(s.histogram)) for s in samples if isinstance(s, HistogramSample)],
        )
        await tell(conn, [sample.ts for sample in samples])


def _numbers(samples: Iterable[Sample | HistogramSample]) -> list[Sample]:
    return [sample for sample in samples if isinstance(sample, Sample)]


async def tell(conn: asyncpg.Connection, times: Iterable[int]) -> None:
    """Enter a request into the ledger that touched these times."""
    hours: dict[int, list[int]] = defaultdict(list)
    for ts in times:
        hours[ts // HOUR_MS * HOUR_MS].append(ts)
    batch = await conn.fetchval(
        "insert into wafer.ingest_batch (digest, signal, points, repeatable) values ($1, 'metrics', 1, true)"
        " returning batch_id",
        os.urandom(16),
    )
    await conn.executemany(
        "insert into wafer.ingest_hour (batch_id, hour, min_ts, max_ts, points) values ($1, $2, $3, $4, $5)",
        [(batch, instant(hour), instant(min(ts)), instant(max(ts)), len(ts)) for hour, ts in hours.items()],
    )


HISTOGRAM = (
    *("count", "sum", "schema", "zero_threshold", "zero_count", "custom_bounds"),
    *("positive_spans", "positive_counts", "negative_spans", "negative_counts"),
)


def _row(histogram: Histogram) -> tuple[object, ...]:
    positive, negative = (
        sorted((index, count) for (side, index), count in histogram.buckets.items() if side == wanted)
        for wanted in (1, -1)
    )
    return (
        *(histogram.count, histogram.sum, histogram.schema, 0.0, histogram.zero, list(histogram.bounds)),
        *(_spans([i for i, _ in positive]), [c for _, c in positive]),
        *(_spans([i for i, _ in negative]), [c for _, c in negative]),
    )


def _spans(indexes: list[int]) -> list[int]:
    """Pairs of distance from the end of the span before, and length."""
    spans: list[int] = []
    end = 0
    for index in indexes:
        if spans and index == end:
            spans[-1] += 1
        else:
            spans += [index - end, 1]
        end = index + 1
    return spans


def parsed(row: asyncpg.Record) -> Histogram:
    """Read a histogram as the database stores it, empty exponential buckets left out."""
    buckets: dict[tuple[int, int], float] = {}
    for side, spans, counts in (
        (1, row["positive_spans"], row["positive_counts"]),
        (-1, row["negative_spans"], row["negative_counts"]),
    ):
        indexes: list[int] = []
        end = 0
        for distance, length in zip(spans[::2], spans[1::2], strict=True):
            indexes += range(end + distance, end + distance + length)
            end += distance + length
        assert len(indexes) == len(counts)
        buckets |= {(side, index): count for index, count in zip(indexes, counts, strict=True)}
    found = Histogram(row["count"], row["sum"], row["schema"], tuple(row["custom_bounds"]), row["zero_count"], buckets)
    return normal(found)


def normal(histogram: Histogram) -> Histogram:
    """Leave out the empty buckets."""
    kept = {key: count for key, count in histogram.buckets.items() if count}
    return Histogram(histogram.count, histogram.sum, histogram.schema, histogram.bounds, histogram.zero, kept)


NUMBER_COLUMNS = ("count", "sum", "min", "max", "first", "last", "first_ts", "last_ts", "increase")


async def number_rollups(conn: asyncpg.Connection, table: str) -> dict[tuple[int, int], tuple[float, ...]]:
    return {
        (row["series_id"], milliseconds(row["bucket"])): tuple(
            milliseconds(row[name]) if name.endswith("_ts") else row[name] for name in NUMBER_COLUMNS
        )
        for row in await conn.fetch(f"select * from wafer.{table}")
    }


async def histogram_rollups(
    conn: asyncpg.Connection, table: str
) -> dict[tuple[int, int], tuple[int, Histogram, int, int, Histogram]]:
    return {
        (row["series_id"], milliseconds(row["bucket"])): (
            *(row["count"], parsed(row["last"])),
            *(milliseconds(row["first_ts"]), milliseconds(row["last_ts"]), parsed(row["increase"])),
        )
        for row in await conn.fetch(f"select * from wafer.{table}")
    }


__all__ = ["EXPLICIT", "histogram_rollups", "instant", "milliseconds", "normal", "number_rollups", "store", "tell"]
