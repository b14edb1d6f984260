"""A fresh process of the query service: how soon it tells that it lives, that it is ready, and answers a query."""

import asyncio
import http.client
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

import asyncpg
import psutil

sys.path.insert(0, str(Path(__file__).parent.parent))

from ingest.servers import servers
from support.ports import free_port
from support.processes import waferscope

from waferscope_schemas.migrate import migrate
from waferscope_schemas.partitioning import ensure

ROUNDS = 5
SERIES, SAMPLES, INTERVAL_S = 1000, 240, 15
GIVE_UP_S = 300.0
PAUSE_S = 0.005
FIRST_S = (int(time.time()) - SAMPLES * INTERVAL_S) // INTERVAL_S * INTERVAL_S
QUERY = "/api/v1/query_range?" + urlencode(
    {
        "query": "sum by (tool) (rate(started_total[5m]))",
        "start": FIRST_S + 300,
        "end": FIRST_S + SAMPLES * INTERVAL_S,
        "step": INTERVAL_S,
    }
)
SOUGHT = {"`/v1/healthz`": ("/v1/healthz", 1.0), "`/v1/readyz`": ("/v1/readyz", None), "first query": (QUERY, 4.0)}


def main() -> None:
    """Print milliseconds and ratios."""
    print(f"## Start of the query service\n\n{SERIES:,} series x {SAMPLES} samples; median of {ROUNDS} starts.\n")
    print("| from the start of the process to | kernels | ms | fastest, ms | its CPU, ms | of what is asked for |")
    print("|---|---|---:|---:|---:|---:|", flush=True)
    with servers() as urls, tempfile.TemporaryDirectory() as folder:
        url = urls["plain PostgreSQL"]
        asyncio.run(_fill(url))
        compiled = _start(url, QUERY, Path(folder) / "empty")
        _start(url, QUERY, Path(folder) / "filled")
        for name, (path, wanted) in SOUGHT.items():
            taken = [_start(url, path, Path(folder) / "filled") for _ in range(ROUNDS)]
            seconds, cpu = (statistics.median(column) for column in zip(*taken, strict=True))
            fastest = min(one for one, _ in taken)
            ratio = "" if wanted is None else f"{seconds / wanted:.2f} of {wanted:g} s"
            shown = " | ".join(f"{value * 1e3:,.0f}" for value in (seconds, fastest, cpu))
            print(f"| {name} | cached | {shown} | {ratio} |", flush=True)
        print(f"| first query | none (one start) | {compiled[0] * 1e3:,.0f} | | {compiled[1] * 1e3:,.0f} | |\n")


async def _fill(url: str) -> None:
    await migrate(url)
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("set timezone to 'UTC'")
        ids = await connection.fetch(
            "insert into wafer.series (fingerprint, metric, labels, kind, unit, help)"
            " select substr(sha256(convert_to(n::text, 'UTF8')), 1, 16), 'started_total',"
            " jsonb_build_object('tool', 't' || n % 50, 'n', n::text), 'counter', '', ''"
            " from generate_series(1, $1::int) n returning series_id",
            SERIES,
        )
        times = await connection.fetch(
            "select to_timestamp($1::float8 + n * $2::float8) as at from generate_series(1, $3::int) n",
            *(float(FIRST_S), float(INTERVAL_S), SAMPLES),
        )
        await ensure(connection, "sample", [row["at"] for row in times])
        rows = [(one["series_id"], row["at"], float(n)) for one in ids for n, row in enumerate(times)]
        await connection.copy_records_to_table("sample", schema_name="wafer", records=rows)
    finally:
        await connection.close()


def _start(url: str, path: str, kernels: Path) -> tuple[float, float]:
    """Return the seconds from the start of a process to its first answer of 200, and its CPU seconds until then."""
    port = free_port()
    env = {
        "WAFERSCOPE_DATABASE_URL": url,
        "WAFERSCOPE_QUERY_PORT": str(port),
        "WAFERSCOPE_QUERY_KERNEL_CACHE": str(kernels),
    }
    began = time.perf_counter()
    with waferscope("serve", "query", env=env) as process:
        _wait(lambda: _answers(port, path), began)
        used = psutil.Process(process.pid).cpu_times()
        return time.perf_counter() - began, used.user + used.system


def _wait(condition: Callable[[], bool], began: float) -> None:
    while not condition():
        if time.perf_counter() - began > GIVE_UP_S:
            raise TimeoutError("the service does not answer")
        time.sleep(PAUSE_S)


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=GIVE_UP_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
    except OSError:
        return False
    finally:
        connection.close()
    return answer.status == 200


if __name__ == "__main__":
    main()
