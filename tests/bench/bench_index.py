"""The index of a million series: its memory, and what finding series in it takes."""

import asyncio
import statistics
import sys
import time
from pathlib import Path

import asyncpg
import httpx
import psutil

sys.path.insert(0, str(Path(__file__).parent.parent))

from asked.service import most_resident, service
from ingest.servers import servers

from waferscope_query.promql.labels import StringPool
from waferscope_query.promql.parsing import parse
from waferscope_query.promql.parsing.tree import VectorSelector
from waferscope_query.storage.cache.session import SampleCache
from waferscope_query.storage.database import Database
from waferscope_query.storage.source import DatabaseSource
from waferscope_schemas.migrate import migrate

SERIES = 1_000_000
ROUNDS = 9
# 100 metrics of 10,000 series each: 500 hosts with 20 chambers.
_INSERT = """
    insert into wafer.series (fingerprint, metric, labels, kind)
    select
        substr(sha256(int8send(n)), 1, 16), 'wafer_metric_' || n / 10000 || '_total',
        jsonb_build_object(
            'host_name', 'fab12-tool-' || n / 20 % 500, 'wafer_site_id', 'fab' || n % 2, 'chamber', 'c' || n % 20,
            'wafer_equipment_id', 'OVL-' || n / 20 % 500, 'service_name', 'service-' || n / 10000 % 10
        ),
        'counter'
    from generate_series($1::bigint, $2::bigint) n
"""
SELECTORS = (
    'wafer_metric_7_total{host_name="fab12-tool-77"}',
    "wafer_metric_7_total",
    'wafer_metric_7_total{chamber=~"c1.*", host_name!~"fab12-tool-4.."}',
    '{wafer_equipment_id="OVL-123"}',
    '{__name__=~"wafer_metric_1._total", host_name="fab12-tool-8", chamber=""}',
    '{host_name=~"fab12-tool-(1|2|3)", chamber!="c3"}',
)


def main() -> None:
    """Print memory and milliseconds."""
    with servers() as urls:
        asyncio.run(_measure(next(iter(urls.values()))))


async def _measure(url: str) -> None:
    await migrate(url)
    connection = await asyncpg.connect(url)
    for first in range(0, SERIES, 100_000):
        await connection.execute(_INSERT, first, first + 99_999)
    await connection.close()
    print(f"## A million series\n\n{SERIES:,} series of five labels in `wafer.series`.\n", flush=True)
    began = time.monotonic()
    with service(url, WAFERSCOPE_QUERY_WARM_WINDOW="0") as (address, process):
        async with httpx.AsyncClient(timeout=120) as client:
            answer = await client.get(f"{address}/api/v1/query", params={"query": "wafer_metric_1_total"})
        answer.raise_for_status()
        seconds, resident, most = time.monotonic() - began, process.memory_info().rss / 2**20, most_resident(process)
    print(f"A fresh service answers its first query after {seconds:.1f} s and has {resident:.0f} MiB resident")
    print(f"({most:.0f} at most).\n")
    await _find(url)


async def _find(url: str) -> None:
    database = Database(url, 2)
    await database.open()
    source, before = DatabaseSource(database, SampleCache(0)), psutil.Process().memory_info().rss
    await source.follower.refresh()
    grown = (psutil.Process().memory_info().rss - before) / 2**20
    assert isinstance(source.pool, StringPool)
    print(f"The index and all that reading it leaves behind: {grown:.0f} MiB; {len(source.pool):,} distinct texts.\n")
    print("| selector | series found | ms |\n|---|---:|---:|")
    for selector in SELECTORS:
        tree = parse(selector).tree
        assert isinstance(tree, VectorSelector)
        times = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            found = source.index.find(tree.matchers)
            times.append((time.perf_counter() - began) * 1000)
        print(f"| `{selector}` | {len(found):,} | {statistics.median(times):.1f} |", flush=True)
    print()
    await database.close()


if __name__ == "__main__":
    main()
