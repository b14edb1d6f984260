"""What the query service's tests share: rows written as the writer writes them."""

import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg
import httpx
import msgspec
import pytest
from support import databases, processes, promql_samples
from support.fuzzing import seed
from support.ports import free_port

from waferscope_query.promql.histograms import Histogram
from waferscope_schemas.partitioning import ensure

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SERIES = """
    insert into wafer.series (fingerprint, metric, labels, kind, unit, help, classic)
    values (substr(sha256(convert_to($1 || $2, 'UTF8')), 1, 16), $1, $2::text::jsonb, $3, $4, $5, $6)
    returning series_id
"""
BATCH = """
    with batch as (
        insert into wafer.ingest_batch (digest, signal, points, repeatable) values ($1, 'metrics', 1, true)
        returning batch_id
    )
    insert into wafer.ingest_hour (batch_id, hour, min_ts, max_ts, points)
    select batch_id, date_trunc('hour', t, 'UTC'), min(t), max(t), count(*)
    from batch, unnest($2::timestamptz[]) t
    group by 1, 2
"""


def instant(ms: int) -> datetime:
    """Give the time of a timestamp in milliseconds, exactly."""
    return EPOCH + timedelta(milliseconds=ms)


class Writer:
    """Writes rows as the writer commits them: series first, then samples."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        self.connection = connection

    async def series(
        self, metric: str, kind: str = "gauge", unit: str = "", text: str = "", *, classic: bool = True, **labels: str
    ) -> int:
        """Create a series; a histogram is a classic one unless it is said that it is not."""
        classic = classic and kind == "histogram"
        row = (metric, msgspec.json.encode(labels, order="sorted").decode(), kind, unit, text, classic)
        return await self.connection.fetchval(SERIES, *row)

    async def samples(self, series_id: int, *samples: tuple[int, float]) -> None:
        """Write samples of (ms, value)."""
        await ensure(self.connection, "sample", [instant(ms) for ms, _ in samples])
        rows = [(series_id, instant(ms), value) for ms, value in samples]
        async with self.connection.transaction():
            await self.connection.copy_records_to_table("sample", schema_name="wafer", records=rows)
            await self.connection.execute(BATCH, uuid.uuid4().bytes, [at for _, at, _ in rows])

    async def gauge(self, metric: str, *samples: tuple[int, float], **labels: str) -> int:
        """Create a series with its samples."""
        series_id = await self.series(metric, **labels)
        await self.samples(series_id, *samples)
        return series_id

    async def starts(self, series_id: int, *starts: tuple[int, int]) -> None:
        """Tell since when samples count: (ms of the first of them, ms)."""
        rows = [(series_id, instant(ms), instant(start)) for ms, start in starts]
        await self.connection.copy_records_to_table("start_time", schema_name="wafer", records=rows)

    async def histogram(
        self, series_id: int, ms: int, bounds: list[float], counts: list[float], total: float | None
    ) -> None:
        """Write one point of an explicit-bucket histogram."""
        await self._histogram(
            ms,
            "insert into wafer.histogram_sample (series_id, ts, count, sum, schema, custom_bounds, positive_spans,"
            " positive_counts) values ($1, $2, $3, $4, -53, $5, $6, $7)",
            *(series_id, instant(ms), float(sum(counts)), total, bounds, [0, len(counts)], counts),
        )

    async def native(self, series_id: int, ms: int, one: Histogram, spans: list[int], counts: list[float]) -> None:
        """Write one native histogram; its positive side is given as it is stored."""
        await self._histogram(
            ms,
            "insert into wafer.histogram_sample (series_id, ts, count, sum, schema, zero_threshold, zero_count,"
            " custom_bounds, positive_spans, positive_counts, negative_spans, negative_counts, reset_hint)"
            " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
            *(series_id, instant(ms), one.count, one.sum, one.schema, one.zero_threshold, one.zero_count),
            *(one.bounds, spans, counts, [one.negative_first, len(one.negative)] if one.negative else []),
            *(one.negative, int(one.hint)),
        )

    async def _histogram(self, ms: int, statement: str, *values: object) -> None:
        await ensure(self.connection, "histogram_sample", [instant(ms)])
        async with self.connection.transaction():
            await self.connection.execute(statement, *values)
            await self.connection.execute(BATCH, uuid.uuid4().bytes, [instant(ms)])


@pytest.fixture
async def writer(database_url: str) -> AsyncIterator[Writer]:
    """A writer on a fresh database."""
    connection = await asyncpg.connect(database_url)
    yield Writer(connection)
    await connection.close()


@dataclass(frozen=True, slots=True)
class Service:
    """A running query service.

    Attributes:
        url: Where it listens.
        database_url: Its database.
        http: A client of it.
        process: What it runs as.
    """

    url: str
    database_url: str
    http: httpx.Client
    process: processes.Process


@pytest.fixture(scope="module")
def service(postgres_url: str, template_database: str) -> Iterator[Service]:
    """A query service of a module's own, as a process, on a fresh database."""
    url = f"http://127.0.0.1:{free_port()}"
    with databases.fresh(postgres_url, template_database) as database_url:
        environment = {
            "WAFERSCOPE_DATABASE_URL": database_url,
            "WAFERSCOPE_QUERY_PORT": url.rsplit(":", 1)[1],
            "WAFERSCOPE_QUERY_WRITER_URL": "http://127.0.0.1:1",  # nobody listens there
        }
        with (
            processes.waferscope("serve", "query", env=environment) as process,
            httpx.Client(base_url=url, timeout=60) as client,
        ):
            process.wait_healthy(f"{url}/v1/readyz", within_s=60)
            yield Service(url, database_url, client, process)


@pytest.fixture
async def served(service: Service) -> AsyncIterator[Writer]:
    """A writer on the database of the running service."""
    connection = await asyncpg.connect(service.database_url)
    yield Writer(connection)
    await connection.close()


@pytest.fixture(scope="module")
def filled(service: Service) -> Service:
    """The running service, with the samples that random expressions ask for."""

    async def write() -> None:
        connection = await asyncpg.connect(service.database_url)
        writer = Writer(connection)
        for one in promql_samples.series(seed()):
            labels = dict(one.labels)
            await writer.samples(await writer.series(labels.pop("__name__"), **labels), *one.samples)
        await connection.close()

    databases.run(write())
    return service
