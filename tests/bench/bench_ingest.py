"""Metrics of every kind from requests to committed, against bare COPY BINARY and Prometheus's own OTLP receiver."""

import asyncio
import statistics
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import asyncpg
import cramjam

sys.path.insert(0, str(Path(__file__).parent.parent))

from ingest import loads
from ingest.loads import POINTS, SERIES
from ingest.prometheus import Prometheus, prometheus
from ingest.servers import Writer, bare_copy, by_grpc, by_http, servers, writer

from waferscope_collector.copy import SAMPLE_COLUMNS
from waferscope_schemas.migrate import migrate

REQUESTS = 60  # of a round
ROUNDS = 3
SMALL = 500  # points of a small request, as live traffic has them
STORM = 100_000  # new series
OTLP = {"content-type": "application/x-protobuf"}
SNAPPY = {"content-type": "application/x-protobuf", "content-encoding": "snappy"}

Send = Callable[[Writer, Sequence[bytes]], Awaitable[float]]


def main() -> None:
    """Print a table for each database."""
    print("## Ingest\n")
    print(f"{POINTS:,} points a request or commit, {SERIES:,} series at 15 s; median of {ROUNDS} rounds.\n")
    with servers() as urls:
        for name, url in urls.items():
            with prometheus() as other:
                asyncio.run(_measure(name, url, other))


async def _measure(name: str, url: str, other: Prometheus | None) -> None:
    await migrate(url)
    print(f"### {name}\n\n| what | a second | against | writer's CPU, µs each |\n|---|---:|---:|---:|", flush=True)
    start = loads.begin()
    with writer(url) as under:
        await by_grpc(under.grpc, [loads.gauges(0, SERIES, start, SERIES)])  # compiles, creates the series
        rates = [await _round(number, url, under, other, start) for number in range(ROUNDS)]
        bare, ours, cpu, theirs = (statistics.median(column) for column in zip(*rates, strict=True))
        ratio = statistics.median(row[1] / row[0] for row in rates)
        _print("rows by bare COPY, one connection", bare)
        _print("gauge points by OTLP/gRPC", ours, f"{ratio:.2f} of bare COPY", cpu)
        if other:
            _print("the same requests to Prometheus's OTLP receiver (HTTP)", theirs, f"ours {ours / theirs:.2f} of it")
        await _kind(under, f"gauge points in requests of {SMALL}", _small, _grpc, SMALL)
        await _kind(under, "explicit histograms of 15 buckets", loads.histograms, _grpc)
        delta = await _kind(under, "delta points", loads.deltas, _grpc)
        print(f"| | | delta points {delta / ours:.2f} of gauge points | |")
        await _kind(under, "samples by remote write 1.0", _compressed, _remote_write)
        print(f"\nMemory of the writer at {SERIES:,} series: {under.memory() / 2**20:,.0f} MiB.", flush=True)
        await _storm(under)
    await _check(url)
    print()


async def _round(
    number: int, url: str, under: Writer, other: Prometheus | None, start: int
) -> tuple[float, float, float, float]:
    """Send the same points each way; return the rates and our CPU."""
    first = (number * REQUESTS) * POINTS + SERIES
    offsets = [first + n * POINTS for n in range(REQUESTS)]
    total = REQUESTS * POINTS
    rows = [loads.rows(offset, POINTS, start) for offset in offsets]
    bare = total / await bare_copy(url, "sample", SAMPLE_COLUMNS, rows)
    bodies = [loads.gauges(offset, POINTS, start) for offset in offsets]
    before = under.cpu()
    ours = total / await by_grpc(under.grpc, bodies)
    cpu = (under.cpu() - before) / total * 1e6
    theirs = total / await by_http(f"{other.url}/api/v1/otlp/v1/metrics", bodies, OTLP) if other else 1.0
    return bare, ours, cpu, theirs


async def _kind(
    under: Writer, name: str, build: Callable[[int, int, int], bytes], send: Send, points: int = POINTS
) -> float:
    """Measure one kind of point; the first round creates the series and is not counted."""
    rates, start = [], loads.begin()
    requests = min(REQUESTS * POINTS // points // 2, 300)
    for number in range(ROUNDS + 1):
        first = number * requests * points
        bodies = [build(first + n * points, points, start) for n in range(requests)]
        before = under.cpu()
        seconds = await send(under, bodies)
        rates.append((requests * points / seconds, (under.cpu() - before) / requests / points * 1e6))
    rate, cpu = (statistics.median(column) for column in zip(*rates[1:], strict=True))
    _print(name, rate, "", cpu)
    return rate


def _small(first: int, count: int, start: int) -> bytes:
    return loads.gauges(first, count, start + 10**9)


def _compressed(first: int, count: int, start: int) -> bytes:
    return bytes(cramjam.snappy.compress_raw(loads.remote_write(first, count, start)))


async def _grpc(under: Writer, bodies: Sequence[bytes]) -> float:
    return await by_grpc(under.grpc, bodies)


async def _remote_write(under: Writer, bodies: Sequence[bytes]) -> float:
    return await by_http(f"{under.http}/api/v1/write", bodies, SNAPPY)


async def _storm(under: Writer) -> None:
    """Send points of new series only; every request has to succeed."""
    size, start = 2_000, loads.begin()
    bodies = [loads.fresh(first, size, start) for first in range(0, STORM, size)]
    seconds = await by_grpc(under.grpc, bodies)
    print(f"\n{STORM:,} new series in requests of {size:,}: {STORM / seconds:,.0f} series/s, no request failed.")


def _print(what: str, rate: float, against: str = "", cpu: float | None = None) -> None:
    print(f"| {what} | {rate:,.0f} | {against} | {'' if cpu is None else f'{cpu:.2f}'} |", flush=True)


async def _check(url: str) -> None:
    """Fail unless every gauge point that was sent is there."""
    conn = await asyncpg.connect(url)
    count = await conn.fetchval(
        "select count(*) from (select distinct series_id, ts from wafer.sample join wafer.series using (series_id)"
        " where metric = 'bench_value_bytes' and extract(epoch from ts)::bigint % 15 = 0) s"
    )
    await conn.close()
    expected = SERIES + ROUNDS * REQUESTS * POINTS
    assert count == expected, f"{count} of {expected} points are there"


if __name__ == "__main__":
    main()
