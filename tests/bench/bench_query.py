"""PromQL over HTTP: from a request to its whole answer, beside a Prometheus that holds the same samples."""

import asyncio
import math
import statistics
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import cramjam
import httpx
import msgspec
import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from ingest.prometheus import prometheus
from ingest.servers import servers
from support.ports import free_port
from support.processes import waferscope

from waferscope_schemas.migrate import migrate
from waferscope_schemas.partitioning import ensure

SERIES, SAMPLES, INTERVAL_S = 10_000, 500, 15
GROUP = 500  # series of one area: what a query for many asks for
TOOLS = 50
STEPS = 240
START_MS = (int(time.time()) - SAMPLES * INTERVAL_S) // INTERVAL_S * INTERVAL_S * 1000
EPOCH_US = 946_684_800_000_000  # of PostgreSQL's binary timestamps
ROUNDS = 7

_SAMPLE = np.dtype([("head", "u1", 3), ("value", "<f8"), ("tag", "u1"), ("time", "u1", 6)])
_ROW = np.dtype(
    [("fields", ">i2"), ("l1", ">i4"), ("series", ">i8"), ("l2", ">i4"), ("ts", ">i8"), ("l3", ">i4"), ("value", ">f8")]
)
_HEADER, _TRAILER = b"PGCOPY\n\xff\r\n\x00" + bytes(8), b"\xff\xff"


@dataclass(frozen=True, slots=True)
class Case:
    """A query to measure."""

    name: str
    expr: str
    series: int | None  # in the answer; None: ties leave it open


ONE, MANY, ALL = (
    'wafer_sample_total{area="a3", tool="t7", chamber="c0"}',
    'wafer_sample_total{area="a3"}',
    "wafer_sample_total",
)
CASES = (
    Case("one series, raw", ONE, 1),
    Case("one series, rate", f"rate({ONE}[5m])", 1),
    Case(f"{GROUP} series, raw", MANY, GROUP),
    Case(f"{GROUP} series, sum by (tool) (rate)", f"sum by (tool) (rate({MANY}[5m]))", TOOLS),
    Case(f"{SERIES:,} series, sum by (tool) (rate)", f"sum by (tool) (rate({ALL}[5m]))", TOOLS),
    Case(f"{SERIES:,} series, quantile by (tool)", f"quantile by (tool) (0.9, {ALL})", TOOLS),
    Case(f"{SERIES:,} series, topk", f"topk by (tool) (1, {ALL})", None),
)


def main() -> None:
    """Print the milliseconds of each query."""
    print(f"## Query\n\n{SERIES:,} series x {SAMPLES} samples at {INTERVAL_S} s, {STEPS} steps of {INTERVAL_S} s,")
    print(
        "from request to whole answer; cold: nothing in memory but compiled kernels, warm: the median of repetitions.\n"
    )
    with servers() as urls, prometheus() as other:
        if other:
            _fill_other(other.url)
        for name, url in urls.items():
            asyncio.run(_fill(url))
            with _service(url) as client, httpx.Client(base_url=other.url if other else "", timeout=120) as theirs:
                _report(name, client, theirs if other else None)


def _labels(number: int) -> dict[str, str]:
    return {
        "area": f"a{number // GROUP}",
        "chamber": f"c{number // TOOLS % 10}",
        "line": f"l{number // 5000}",
        "tool": f"t{number % TOOLS}",
    }


def _fill_other(url: str) -> None:
    """Write the same to Prometheus, in the order of time."""
    names = [
        b"".join(_label(*pair) for pair in [("__name__", "wafer_sample_total"), *_labels(n).items()])
        for n in range(SERIES)
    ]
    headers = {"content-type": "application/x-protobuf", "content-encoding": "snappy"}
    with httpx.Client(base_url=url, timeout=120, headers=headers) as client:
        for first in range(0, SAMPLES, 25):
            for part in range(0, SERIES, 2_500):
                body = b"".join(_series(names[n], n, np.arange(first, first + 25)) for n in range(part, part + 2_500))
                client.post("/api/v1/write", content=bytes(cramjam.snappy.compress_raw(body))).raise_for_status()


def _label(name: str, value: str) -> bytes:
    return _field(0x0A, _field(0x0A, name.encode()) + _field(0x12, value.encode()))


def _field(tag: int, value: bytes) -> bytes:
    size, length = bytearray(), len(value)
    while length > 0x7F:
        size.append(length & 0x7F | 0x80)
        length >>= 7
    return bytes((tag, *size, length)) + value


def _series(labels: bytes, number: int, instants: np.ndarray) -> bytes:
    """Encode a TimeSeries of remote write 1.0."""
    rows = np.zeros(len(instants), _SAMPLE)
    rows["head"], rows["tag"] = (0x12, _SAMPLE.itemsize - 2, 0x09), 0x10
    rows["value"] = instants * (1.0 + number % 7)
    times = (START_MS + instants * INTERVAL_S * 1000).astype(np.uint64)
    for byte in range(6):  # a time of today takes six bytes of seven bits
        rows["time"][:, byte] = (times >> np.uint64(7 * byte)) & np.uint64(0x7F) | (0x80 if byte < 5 else 0)
    return _field(0x0A, labels + rows.tobytes())


async def _fill(url: str) -> None:
    """Write the series and their samples as the writer does: series by series of one instant after the other."""
    await migrate(url)
    connection = await asyncpg.connect(url)
    try:
        labels = [_labels(number) for number in range(SERIES)]
        ids = await connection.fetch(
            "insert into wafer.series (fingerprint, metric, labels, kind)"
            " select substr(sha256(convert_to(l, 'UTF8')), 1, 16), 'wafer_sample_total', l::jsonb, 'counter'"
            " from unnest($1::text[]) l returning series_id",
            [msgspec.json.encode(label).decode() for label in labels],
        )
        series = np.sort(np.array([row["series_id"] for row in ids]))
        await ensure(connection, "sample", [_instant(0), _instant(SAMPLES - 1)])
        for first in range(0, SAMPLES, 50):
            await _copy(connection, series, np.arange(first, first + 50))
        await connection.execute("vacuum analyze wafer.sample, wafer.series")
    finally:
        await connection.close()


async def _copy(connection: "asyncpg.Connection[asyncpg.Record]", series: np.ndarray, instants: np.ndarray) -> None:
    rows = np.zeros(len(series) * len(instants), _ROW)
    rows["fields"], rows["l1"], rows["l2"], rows["l3"] = 3, 8, 8, 8
    rows["series"] = np.tile(series, len(instants))
    rows["ts"] = np.repeat((START_MS + instants * INTERVAL_S * 1000) * 1000 - EPOCH_US, len(series))
    rows["value"] = np.repeat(instants, len(series)) * (1.0 + (rows["series"] - series[0]) % 7)

    async def pieces() -> AsyncIterator[bytes]:
        yield _HEADER + rows.tobytes() + _TRAILER

    await connection.copy_to_table("sample", schema_name="wafer", source=pieces(), format="binary")


def _instant(index: int) -> datetime:
    return datetime.fromtimestamp(START_MS / 1000 + index * INTERVAL_S, UTC)


@contextmanager
def _service(url: str) -> Iterator[httpx.Client]:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with (
        waferscope(
            "serve", "query", env={"WAFERSCOPE_DATABASE_URL": url, "WAFERSCOPE_QUERY_PORT": str(port)}
        ) as process,
        httpx.Client(base_url=address, timeout=120, headers={"Accept-Encoding": "identity"}) as client,
    ):
        process.wait_healthy(f"{address}/v1/readyz", within_s=120)
        yield client


def _report(name: str, client: httpx.Client, theirs: httpx.Client | None) -> None:
    """Measure each query, ours and Prometheus's in turn; an unmeasured query loads what the process loads once."""
    print(f"### {name}\n\n| query | cold, ms | warm, ms | Prometheus, ms | cold / Prometheus | warm / Prometheus |")
    print("|---|---:|---:|---:|---:|---:|", flush=True)
    for case in CASES:
        _ask(client, case)
        cold = statistics.median(_ask(client, case, nocache="1") for _ in range(3))
        warm = statistics.median(_ask(client, case) for _ in range(ROUNDS))
        other = statistics.median(_ask(theirs, case) for _ in range(ROUNDS)) if theirs else math.nan
        print(
            f"| {case.name} | {cold:.1f} | {warm:.1f} | {other:.1f} | {cold / other:.2f} | {warm / other:.2f} |",
            flush=True,
        )
    print()


def _ask(client: httpx.Client, case: Case, **extra: str) -> float:
    end = START_MS // 1000 + (SAMPLES - 1) * INTERVAL_S
    fields = {"query": case.expr, "start": end - (STEPS - 1) * INTERVAL_S, "end": end, "step": INTERVAL_S, **extra}
    began = time.perf_counter()
    answer = client.post("/api/v1/query_range", data=fields)
    elapsed = (time.perf_counter() - began) * 1000
    result = answer.raise_for_status().json()["data"]["result"]
    assert case.series in (None, len(result)), (case, len(result))
    assert case.series is None or all(len(series["values"]) == STEPS for series in result), case
    return elapsed


if __name__ == "__main__":
    main()
