"""PromQL over HTTP: from a request to its whole answer, for one and for many series, first and repeated."""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import httpx
import msgspec
import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from support.ports import free_port
from support.processes import waferscope

from waferscope_schemas.migrate import migrate
from waferscope_schemas.partitioning import ensure
from waferscope_stack.data_dir import opened
from waferscope_stack.postgres import Postgres
from waferscope_stack.server_user import ServerUser

SERIES, SAMPLES, INTERVAL_S = 10_000, 500, 15
GROUP = 500  # series of one area: what a query for many asks for
TOOLS = 50
STEPS = 240
START_MS = 1_800_000_000_000
EPOCH_US = 946_684_800_000_000  # of PostgreSQL's binary timestamps
ROUNDS = 7

_ROW = np.dtype(
    [("fields", ">i2"), ("l1", ">i4"), ("series", ">i8"), ("l2", ">i4"), ("ts", ">i8"), ("l3", ">i4"), ("value", ">f8")]
)
_HEADER, _TRAILER = b"PGCOPY\n\xff\r\n\x00" + bytes(8), b"\xff\xff"


@dataclass(frozen=True, slots=True)
class Case:
    """A query to measure."""

    name: str
    expr: str
    series: int  # in the answer


ONE, MANY = 'wafer_sample_total{area="a3", tool="t7", chamber="c0"}', 'wafer_sample_total{area="a3"}'
CASES = (
    Case("one series, raw", ONE, 1),
    Case("one series, rate", f"rate({ONE}[5m])", 1),
    Case(f"{GROUP} series, raw", MANY, GROUP),
    Case(f"{GROUP} series, sum by (tool)(rate)", f"sum by (tool) (rate({MANY}[5m]))", TOOLS),
)


def main() -> None:
    """Print the milliseconds of each query."""
    with tempfile.TemporaryDirectory(prefix="waferscope-bench-") as folder:
        Path(folder).chmod(0o755)  # the server runs as another user when this process is root's
        with opened(Path(folder) / "data", ServerUser.choose()) as data_dir:
            server = Postgres.start(data_dir)
            try:
                asyncio.run(_fill(server.url))
                with _service(server.url) as client:
                    _report(client)
            finally:
                server.stop()


async def _fill(url: str) -> None:
    """Write the series and their samples as the writer does: series by series of one instant after the other."""
    await migrate(url)
    connection = await asyncpg.connect(url)
    try:
        labels = [
            {
                "area": f"a{i // GROUP}",
                "tool": f"t{i % TOOLS}",
                "chamber": f"c{i // TOOLS % 10}",
                "line": f"l{i // 5000}",
            }
            for i in range(SERIES)
        ]
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
    rows["value"] = np.repeat(instants, len(series)) * (1.0 + rows["series"] % 7)

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


def _report(client: httpx.Client) -> None:
    """Measure each query; its first time includes what the process does once, such as loading kernels."""
    print("## Query\n")
    print(
        f"{SERIES:,} series x {SAMPLES} samples at {INTERVAL_S} s on plain PostgreSQL, {STEPS} steps of {INTERVAL_S} s,"
    )
    print("from request to whole answer; no sample is kept between queries.\n")
    print("| query | first, ms | repeated (median), ms | answer, kB |\n|---|---:|---:|---:|")
    for case in CASES:
        first, size = _ask(client, case)
        repeated = statistics.median(_ask(client, case)[0] for _ in range(ROUNDS))
        print(f"| {case.name} | {first:.1f} | {repeated:.1f} | {size / 1000:.0f} |")
    print()


def _ask(client: httpx.Client, case: Case) -> tuple[float, int]:
    end = START_MS // 1000 + (SAMPLES - 1) * INTERVAL_S
    fields = {"query": case.expr, "start": end - (STEPS - 1) * INTERVAL_S, "end": end, "step": INTERVAL_S}
    began = time.perf_counter()
    answer = client.post("/api/v1/query_range", data=fields)
    elapsed = (time.perf_counter() - began) * 1000
    result = answer.raise_for_status().json()["data"]["result"]
    assert len(result) == case.series, case
    assert all(len(series["values"]) == STEPS for series in result), case
    return elapsed, len(answer.content)


if __name__ == "__main__":
    main()
