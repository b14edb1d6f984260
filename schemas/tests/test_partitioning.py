"""Partitions are there before rows arrive, whoever creates them, on plain PostgreSQL and on TimescaleDB."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone

import asyncpg
import pytest

from waferscope_schemas.database import connect, open_pool
from waferscope_schemas.errors import MissingTableError
from waferscope_schemas.migration import all_migrations
from waferscope_schemas.partitioning import ensure, parts, translate

TABLES = (
    *("sample", "histogram_sample", "exemplar", "job_event", "span", "log_record"),
    *("rollup_5m", "rollup_5m_histogram"),
)
NOON = datetime(2026, 1, 14, 12, tzinfo=UTC)
DAY = timedelta(days=1)


async def native(conn: asyncpg.Connection) -> bool:
    return not await conn.fetchval("select exists (select from pg_extension where extname = 'timescaledb')")


async def partitions(conn: asyncpg.Connection, table: str) -> set[str]:
    rows = await conn.fetch(
        "select p.relname from pg_inherits join pg_class p on p.oid = inhrelid where inhparent = $1::text::regclass",
        f"wafer.{table}",
    )
    return {row["relname"] for row in rows}


async def insert(conn: asyncpg.Connection, *instants: datetime) -> None:
    await conn.executemany("insert into wafer.sample values (1, $1, 1)", [(instant,) for instant in instants])


async def test_the_partitions_of_these_instants_are_created_by_utc_days(conn: asyncpg.Connection) -> None:
    eastern = timezone(timedelta(hours=-5))
    for table in TABLES:
        await ensure(conn, table, [NOON, NOON, datetime(2026, 1, 14, 23, tzinfo=eastern)])
        if await native(conn):
            assert await partitions(conn, table) == {f"{table}_20260114", f"{table}_20260115"}


async def test_partitions_of_the_first_years_are_found_again(conn: asyncpg.Connection) -> None:
    early = [datetime(1, 1, 2, tzinfo=UTC), datetime(476, 9, 4, tzinfo=UTC)]
    for instants in (early[:1], early):  # the second time the table has a partition of the year 1
        await ensure(conn, "sample", instants, recheck=True)
    await insert(conn, *early)
    assert await conn.fetchval("select count(*) from wafer.sample") == len(early)
    assert early[0] in {part.begin for part in await parts(conn, "sample")} or not await native(conn)


async def test_a_day_has_no_gap_at_its_ends(conn: asyncpg.Connection) -> None:
    midnight = NOON.replace(hour=0)
    await ensure(conn, "sample", [midnight, midnight + DAY])
    await insert(conn, midnight, midnight + DAY - timedelta(microseconds=1), midnight + DAY)
    assert await conn.fetchval("select count(*) from wafer.sample") == 3


async def test_many_writers_create_the_same_partitions_at_once(database_url: str) -> None:
    pool = await open_pool(database_url, max_size=8)
    days = [NOON + number * DAY for number in range(5)]

    async def write() -> None:
        async with pool.acquire() as conn:
            await ensure(conn, "sample", days)
            await insert(conn, *days)

    async with pool:
        await asyncio.gather(*[write() for _ in range(8)])
        assert await pool.fetchval("select count(*) from wafer.sample") == 40


async def test_a_writer_in_the_middle_of_a_commit_does_not_hold_up_the_creation(database_url: str) -> None:
    writer, creator = await connect(database_url), await connect(database_url)
    await ensure(writer, "sample", [NOON])
    async with writer.transaction(), asyncio.timeout(10):
        await insert(writer, NOON)
        await ensure(creator, "sample", [NOON + DAY])
    await writer.close()
    await creator.close()


async def test_what_a_connection_has_seen_is_not_asked_again(conn: asyncpg.Connection) -> None:
    await ensure(conn, "sample", [NOON])
    asked: list[str] = []
    conn.add_query_logger(lambda query: asked.append(query.query))
    await ensure(conn, "sample", [NOON, NOON + timedelta(hours=1)])
    assert asked == []


async def test_a_dropped_partition_is_created_again_after_a_recheck(conn: asyncpg.Connection) -> None:
    if not await native(conn):
        pytest.skip("TimescaleDB makes its chunks itself")
    await ensure(conn, "sample", [NOON])
    await conn.execute("drop table wafer.sample_20260114")
    await ensure(conn, "sample", [NOON])
    with pytest.raises(asyncpg.CheckViolationError, match="no partition"):
        await insert(conn, NOON)
    await ensure(conn, "sample", [NOON], recheck=True)
    await insert(conn, NOON)


async def test_an_unknown_table_is_refused(conn: asyncpg.Connection) -> None:
    with pytest.raises(MissingTableError, match=r"wafer\.nothing"):
        await ensure(conn, "nothing", [NOON])


async def test_every_part_of_the_sample_table_can_be_found_by_time(conn: asyncpg.Connection) -> None:
    await ensure(conn, "sample", [NOON])
    await insert(conn, NOON)
    parts = await conn.fetch(
        """
        select coalesce(i.indexdef, '') as indexdef from pg_inherits h join pg_class c on c.oid = h.inhrelid
        left join pg_indexes i on i.tablename = c.relname
        where h.inhparent = 'wafer.sample'::regclass
        """
    )
    found = sorted(part["indexdef"].partition(" USING ")[2] for part in parts)
    brin = "brin (ts) WITH (autosummarize='true')"
    assert found == (
        ["brin (ts) WITH (autosummarize='true')", "btree (series_id, ts)"] if await native(conn) else [brin]
    )


@pytest.mark.parametrize("table", ["job_event", "span"])
async def test_natural_keys_hold_in_every_part(conn: asyncpg.Connection, table: str) -> None:
    columns, values = {
        "job_event": ("site, job_id, attempt, sequence, at, name", "'s', 'j', 1, 0, $1, 'wafer.job.started'"),
        "span": (
            "trace_id, span_id, start, start_ns, duration_ns, name, kind, status",
            "'\\x01', '\\x02', $1, 0, 1, 'n', 1, 0",
        ),
    }[table]
    await ensure(conn, table, [NOON])
    statement = f"insert into wafer.{table} ({columns}) values ({values})"
    await conn.execute(statement, NOON)
    with pytest.raises(asyncpg.UniqueViolationError):
        await conn.execute(statement, NOON)
    assert await conn.execute(f"{statement} on conflict do nothing", NOON) == "INSERT 0 0"


def test_hypertables_are_made_of_partitioned_tables_and_nothing_else_changes() -> None:
    sql = "\n\n".join(migration.sql for migration in all_migrations())
    translated = translate(sql, timescale=True, sample_chunk=timedelta(hours=2))
    assert "partition by range (" not in translated
    assert translated.count("select create_hypertable(") == len(TABLES)
    assert "create_hypertable('wafer.sample', by_range('ts', interval '7200 seconds')" in translated
    assert "create_hypertable('wafer.job_event', by_range('at', interval '86400 seconds')" in translated
    assert translated.count("create table wafer.") == sql.count("create table wafer.")


async def test_the_chunks_of_samples_are_an_hour_long(conn: asyncpg.Connection) -> None:
    if await native(conn):
        pytest.skip("optional: needs TimescaleDB, see WAFERSCOPE_TEST_DATABASE_URL")
    rows = await conn.fetch("select hypertable_name, time_interval from timescaledb_information.dimensions")
    assert dict(rows) == {table: timedelta(hours=1) if "sample" in table else DAY for table in TABLES}
