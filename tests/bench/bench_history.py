"""PromQL over HTTP where samples are gone: 90 days at steps of an hour, answered from rollups of an hour."""

import asyncio
import statistics
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import httpx

sys.path.insert(0, str(Path(__file__).parent.parent))

from asked.service import client_of
from ingest.servers import servers

from waferscope_schemas.migrate import migrate

SERIES, GROUP, TOOLS = 1_000, 500, 50
DAYS, STEP_S = 90, 3600
END = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
BEGIN = END - timedelta(days=DAYS)
ROUNDS = 5

NAMES = """
    insert into wafer.series (fingerprint, metric, labels, kind)
    select substr(sha256(convert_to(n::text, 'UTF8')), 1, 16), 'wafer_sample_total',
        jsonb_build_object('area', 'a' || n / $2::int, 'tool', 't' || n % $3::int, 'chamber', 'c' || n / $3::int % 10),
        'counter'
    from generate_series(0, $1::int - 1) n
"""
HOURS = """
    insert into wafer.rollup_1h (series_id, bucket, count, sum, min, max, first, last, first_ts, last_ts, increase)
    select s.series_id, h, 240, 240 * v, v, v + 239, v, v + 239, h + interval '7 s', h + interval '59 min 52 s', 240
    from generate_series($1::timestamptz, $2::timestamptz - interval '1 h', interval '1 h') with ordinality t (h, n)
    cross join lateral (select series_id, n * 240.0 + series_id as v from wafer.series order by series_id) s
"""
MANY = 'wafer_sample_total{area="a1"}'
CASES = (
    (f"{GROUP} series, sum by (tool) (rate(x[1h]))", f"sum by (tool) (rate({MANY}[1h]))", TOOLS),
    (f"{GROUP} series, rate(x[1h])", f"rate({MANY}[1h])", GROUP),
    (f"{GROUP} series, max_over_time(x[1d])", f"max by (tool) (max_over_time({MANY}[1d]))", TOOLS),
    (f"{GROUP} series, raw", MANY, GROUP),
    ("one series, rate(x[1h])", 'rate(wafer_sample_total{area="a1", tool="t7", chamber="c0"}[1h])', 1),
)


def main() -> None:
    """Print the milliseconds of each query."""
    print(f"## History\n\n{SERIES:,} series x {DAYS * 24:,} hours of rollups, {DAYS} days at steps of an hour,")
    print("from request to whole answer, nothing of it in the service's memory. Medians, ms.\n")
    print(f"| database | {' | '.join(name for name, _, _ in CASES)} |\n|---|{'---:|' * len(CASES)}", flush=True)
    with servers() as urls:
        for name, url in urls.items():
            asyncio.run(_fill(url))
            with client_of(url) as client:
                took = [_ask(client, expr, series) for _, expr, series in CASES]
            print(f"| {name} | {' | '.join(f'{ms:.0f}' for ms in took)} |", flush=True)


async def _fill(url: str) -> None:
    """Write rollups hour by hour, as the maintenance does, and tell that no samples are left."""
    await migrate(url)
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(NAMES, SERIES, GROUP, TOOLS)
        await connection.execute(HOURS, BEGIN, END)
        await connection.execute("insert into wafer.retention_border values ('sample', $1)", END)
        await connection.execute("vacuum analyze wafer.rollup_1h, wafer.series")
    finally:
        await connection.close()


def _ask(client: httpx.Client, expr: str, series: int) -> float:
    """Ask a few times, after one that loads what is loaded once."""
    took = []
    fields = {"query": expr, "start": BEGIN.timestamp() + STEP_S, "end": END.timestamp(), "step": STEP_S}
    for _ in range(ROUNDS + 1):
        began = time.perf_counter()
        answer = client.post("/api/v1/query_range", data=fields)
        took.append((time.perf_counter() - began) * 1000)
        body = answer.raise_for_status().json()
        assert len(body["data"]["result"]) == series, (expr, len(body["data"]["result"]))
        assert all(len(one["values"]) == DAYS * 24 for one in body["data"]["result"]), expr
        assert "rollups of 1h" in body["infos"][0], body["infos"]
    return statistics.median(took[1:])


if __name__ == "__main__":
    main()
