"""The views tell a job's status, and collapse duplicate samples, by the rules of the design."""

import re
import struct
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest

from waferscope_schemas.partitioning import ensure

NOON = datetime(2026, 1, 14, 12, tzinfo=UTC)


async def store_run(
    conn: asyncpg.Connection,
    job_id: str,
    *,
    silent_s: float,
    host: str = "h1",
    result: str | None = None,
    offset_s: float = 0,
    heard_s: float | None = None,
) -> None:
    """Store a run with a heartbeat every 2 s.

    Its last event is `silent_s` old and came `heard_s` ago, by default at once; its host's clock is `offset_s` behind.
    """
    await conn.execute(
        """
        insert into wafer.job_run (
            site, job_id, attempt, name, host, result, started_at, sequence,
            heartbeat_at, heartbeat_interval, clock_offset, heard_at
        )
        values ('fab1', $1, 1, 'overlay', $2, $3, now() - interval '1 hour', 7,
            now() - ($4::double precision + $5) * interval '1 second', 2, $5, now() - $6 * interval '1 second')
        """,
        job_id,
        host,
        result,
        silent_s,
        offset_s,
        silent_s if heard_s is None else heard_s,
    )


async def store_host(conn: asyncpg.Connection, name: str, *, age_s: float, site: str = "fab1") -> None:
    """Store a host that sends metrics every 30 s, the last of them this old."""
    await conn.execute(
        "insert into wafer.host values ($1, $2, now() - $3::double precision * interval '1 second', 30)",
        site,
        name,
        age_s,
    )


async def statuses(conn: asyncpg.Connection) -> dict[str, str]:
    return {row["job_id"]: row["status"] for row in await conn.fetch("select job_id, status from wafer.jobs")}


async def test_a_silent_run_is_stale_after_3_intervals_and_lost_after_30(conn: asyncpg.Connection) -> None:
    ages = {0: "running", 5.9: "running", 6.5: "stale", 59: "stale", 60.5: "lost", 1e6: "lost"}
    async with conn.transaction():  # now() stands still
        for age in ages:
            await store_run(conn, str(age), silent_s=age)
        assert await statuses(conn) == {str(age): status for age, status in ages.items()}


async def test_a_silent_run_on_a_silent_host_is_unreachable(conn: asyncpg.Connection) -> None:
    await store_host(conn, "alive", age_s=60)
    await store_host(conn, "silent", age_s=95)
    for host in ("alive", "silent", "unknown"):
        for age in (1, 6.5, 100):
            await store_run(conn, f"{host} {age}", silent_s=age, host=host)
    assert await statuses(conn) == {
        "alive 1": "running",
        "alive 6.5": "stale",
        "alive 100": "lost",
        "silent 1": "running",
        "silent 6.5": "unreachable",
        "silent 100": "unreachable",
        "unknown 1": "running",
        "unknown 6.5": "stale",
        "unknown 100": "lost",
    }
    hosts = await conn.fetch("select name, unreachable from wafer.hosts")
    assert dict(hosts) == {"alive": False, "silent": True}


async def test_the_host_of_another_site_does_not_count(conn: asyncpg.Connection) -> None:
    await store_host(conn, "h1", age_s=1e5, site="fab2")
    await store_run(conn, "j", silent_s=100)
    assert await statuses(conn) == {"j": "lost"}


async def test_the_age_of_a_heartbeat_is_corrected_by_the_clock_of_its_host(conn: asyncpg.Connection) -> None:
    for offset in (-3600, 3600):
        await store_run(conn, str(offset), silent_s=1, offset_s=offset)
    assert set((await statuses(conn)).values()) == {"running"}


async def test_a_run_that_was_heard_of_is_not_silent_though_the_clock_of_its_host_was_set_back(
    conn: asyncpg.Connection,
) -> None:
    for heard, age in ((1, 3600), (8, 3600), (70, 3600), (70, 1), (-5, 3600)):
        await store_run(conn, f"{heard} {age}", silent_s=age, heard_s=heard)
    assert await statuses(conn) == {
        "1 3600": "running",
        "8 3600": "stale",
        "70 3600": "lost",
        "70 1": "running",
        "-5 3600": "running",
    }
    assert await conn.fetchval("select min(heartbeat_age_s) from wafer.jobs") == 0


async def test_an_ended_run_shows_its_result_however_old_it_is(conn: asyncpg.Connection) -> None:
    results = {"success": "succeeded", "failure": "failed", "cancellation": "canceled", "skip": "skipped"}
    for result in results:
        await store_run(conn, result, silent_s=1e6, result=result)
    assert await statuses(conn) == results


async def test_the_newest_of_equal_ranks_is_the_greatest_by_code_points(conn: asyncpg.Connection) -> None:
    query = "select wafer.newest(0, $1::text, 0, $2::text)"
    assert [await conn.fetchval(query, *pair) for pair in (("a", "B"), ("B", "a"), ("z", "é"))] == ["a", "a", "é"]


async def series(conn: asyncpg.Connection, metric: str = "m") -> int:
    number: int = await conn.fetchval(
        "insert into wafer.series (fingerprint, metric, labels, kind) values ($1, $2, $3, 'gauge') returning series_id",
        metric.encode(),
        metric,
        f'{{"host_name": "{metric}1"}}',
    )
    return number


DOUBLES = {  # the bits: asyncpg's own text form has one NaN only
    "1": "3ff0000000000000",
    "-5": "c014000000000000",
    "0": "0000000000000000",
    "-0": "8000000000000000",
    "inf": "7ff0000000000000",
    "-inf": "fff0000000000000",
    "nan": "7ff8000000000001",
    "stale": "7ff0000000000002",
}


async def store(conn: asyncpg.Connection, series_id: int, values: list[str]) -> None:
    """Store these values of a series at noon, in this order, by their very bits."""
    await ensure(conn, "sample", [NOON])
    records = [(series_id, NOON, struct.unpack(">d", bytes.fromhex(DOUBLES[value]))[0]) for value in values]
    await conn.copy_records_to_table("sample", schema_name="wafer", records=records)


DUPLICATES = (
    (["1", "-5"], "1"),
    (["1", "inf"], "inf"),
    (["-inf", "nan"], "-inf"),
    (["nan", "stale"], "nan"),
    (["stale", "-5"], "-5"),
    (["stale", "nan", "-inf"], "-inf"),
    (["0", "-0"], "0"),
    (["1", "1"], "1"),
    (["stale"], None),
)


@pytest.mark.parametrize("order", [1, -1])
async def test_of_duplicates_the_highest_wins_and_any_number_before_nan_whatever_their_order(
    conn: asyncpg.Connection, order: int
) -> None:
    for values, _ in DUPLICATES:
        await store(conn, await series(conn, " ".join(values)), values[::order])
    rows = await conn.fetch("select metric, encode(float8send(value), 'hex') as bits from wafer.metrics")
    assert len(rows) == len({row["metric"] for row in rows})
    assert dict(rows) == {" ".join(values): DOUBLES[winner] for values, winner in DUPLICATES if winner}


async def test_a_stale_marker_does_not_spoil_a_sum(conn: asyncpg.Connection) -> None:
    await store(conn, await series(conn, "a"), ["stale"])
    await store(conn, await series(conn, "b"), ["1"])
    assert await conn.fetchval("select sum(value) from wafer.metrics") == 1


async def test_conditions_on_metric_and_labels_reach_the_table_of_series(conn: asyncpg.Connection) -> None:
    for metric in ("a", "b"):
        await store(conn, await series(conn, metric), ["1"])
    query = """select metric from wafer.metrics where metric = 'b' and labels ->> 'host_name' = 'b1'"""
    assert [row["metric"] for row in await conn.fetch(query)] == ["b"]
    plan = "\n".join(row[0] for row in await conn.fetch(f"explain {query}"))
    above, _, below = plan.partition("Unique")
    assert "metric = 'b'" in below
    assert "Filter" not in above


async def test_a_span_lasts_seconds_and_names_its_kind_and_status(conn: asyncpg.Connection) -> None:
    await ensure(conn, "span", [NOON])
    await conn.execute(
        "insert into wafer.span (trace_id, span_id, start, start_ns, duration_ns, name, kind, status)"
        " values ('\\x0a', '\\x0b', $1, 0, 1500000000, 'n', 1, 2)",
        NOON,
    )
    row = await conn.fetchrow("select trace_id, span_id, parent_span_id, duration_s, kind, status from wafer.spans")
    assert tuple(row) == ("0a", "0b", None, 1.5, "internal", "error")
    assert isinstance(row["duration_s"], float)


PAGE = (Path(__file__).parents[2] / "docs/schema.md").read_text()
DOCUMENTED = set(re.findall(r"^\| `wafer\.(\w+)` \|", PAGE, re.MULTILINE))


async def test_the_documentation_names_every_view(conn: asyncpg.Connection) -> None:
    views = await conn.fetch("select viewname::text from pg_views where schemaname = 'wafer'")
    assert {row[0] for row in views} == DOCUMENTED


async def test_the_documented_sql_runs(conn: asyncpg.Connection) -> None:
    queries = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
    assert queries
    for query in queries:
        await conn.fetch(query)
