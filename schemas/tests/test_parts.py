"""Whole parts leave while others write; closed chunks go into the columnstore and still take late rows."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from support.wait import eventually

from waferscope_schemas import partitioning
from waferscope_schemas.database import connect
from waferscope_schemas.errors import TooManyPartitionsError

NOON = datetime(2026, 1, 14, 12, tzinfo=UTC)
DAY = timedelta(days=1)
NO_COLUMNSTORE = "optional: needs TimescaleDB, see WAFERSCOPE_TEST_DATABASE_URL"


@pytest.fixture
async def other(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await connect(database_url)
    yield connection
    await connection.close()


async def columnar(conn: asyncpg.Connection) -> bool:
    return bool(await conn.fetchval("select exists (select from pg_extension where extname = 'timescaledb')"))


async def insert(conn: asyncpg.Connection, *instants: datetime) -> None:
    await partitioning.ensure(conn, "sample", instants)
    await conn.executemany("insert into wafer.sample values (1, $1, 1)", [(instant,) for instant in instants])


async def stored(conn: asyncpg.Connection) -> list[datetime]:
    return [row["ts"] for row in await conn.fetch("select ts from wafer.sample order by ts")]


async def test_a_part_leaves_with_its_rows_and_no_others(conn: asyncpg.Connection) -> None:
    await insert(conn, NOON, NOON + DAY, NOON + 2 * DAY)
    first, *_ = found = await partitioning.parts(conn, "sample")
    assert len(found) == 3
    assert first.begin <= NOON < first.end
    await partitioning.drop(conn, "sample", first)
    assert await stored(conn) == [NOON + DAY, NOON + 2 * DAY]
    assert await partitioning.parts(conn, "sample") == found[1:]


async def test_writers_do_not_wait_for_a_part_that_waits_to_leave(
    database_url: str, conn: asyncpg.Connection, other: asyncpg.Connection
) -> None:
    await insert(conn, NOON, NOON + DAY)
    first, *_ = await partitioning.parts(conn, "sample")
    reader = await connect(database_url)
    async with asyncio.timeout(20):
        async with reader.transaction():
            await stored(reader)
            dropping = asyncio.create_task(partitioning.drop(conn, "sample", first))
            await eventually(lambda: waits_for_a_lock(other), "the drop waits")
            await insert(other, NOON + DAY)
        await dropping
    assert await stored(other) == [NOON + DAY, NOON + DAY]
    await reader.close()


async def waits_for_a_lock(conn: asyncpg.Connection) -> bool:
    query = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    return bool(await conn.fetchval(query))


async def test_a_drop_that_was_interrupted_is_finished(conn: asyncpg.Connection, other: asyncpg.Connection) -> None:
    await insert(conn, NOON, NOON + DAY)
    first, *_ = await partitioning.parts(conn, "sample")
    await conn.execute("set lock_timeout = '100ms'")
    async with other.transaction():
        await stored(other)
        with pytest.raises(asyncpg.LockNotAvailableError):
            await partitioning.drop(conn, "sample", first)
    again, *_ = await partitioning.parts(conn, "sample")
    assert (again.name, again.state) == (first.name, "chunk" if first.state == "chunk" else "detaching")
    await partitioning.drop(conn, "sample", again)
    assert await stored(conn) == [NOON + DAY]


async def test_a_partition_that_was_detached_only_is_dropped(conn: asyncpg.Connection) -> None:
    if await columnar(conn):
        pytest.skip("TimescaleDB drops its chunks in one step")
    await insert(conn, NOON)
    await conn.execute("alter table wafer.sample detach partition wafer.sample_20260114")
    found = await partitioning.parts(conn, "sample")
    assert [(part.name, part.state) for part in found] == [("sample_20260114", "detached")]
    await partitioning.drop(conn, "sample", found[0])
    await insert(conn, NOON)


async def test_more_new_days_than_allowed_are_refused_and_none_is_created(conn: asyncpg.Connection) -> None:
    await insert(conn, NOON)
    days = [NOON + number * DAY for number in range(5)]
    with pytest.raises(TooManyPartitionsError, match=r"4 days .* wafer\.sample .* 3 are allowed"):
        await partitioning.ensure(conn, "sample", days, limit=3)
    assert len(await partitioning.parts(conn, "sample")) == 1
    await partitioning.ensure(conn, "sample", days, limit=4)
    with pytest.raises(TooManyPartitionsError):
        await partitioning.ensure(conn, "sample", [NOON + number * DAY for number in range(5, 106)])


async def test_plain_postgresql_has_nothing_to_convert(conn: asyncpg.Connection) -> None:
    if await columnar(conn):
        pytest.skip("this is TimescaleDB")
    await insert(conn, NOON)
    assert await partitioning.unconverted(conn, NOON + 9 * DAY) == []


async def test_a_closed_chunk_is_converted_and_again_when_late_rows_came(conn: asyncpg.Connection) -> None:
    if not await columnar(conn):
        pytest.skip(NO_COLUMNSTORE)
    end = NOON + timedelta(hours=1)
    await insert(conn, NOON, NOON + timedelta(minutes=1))
    assert await partitioning.unconverted(conn, end - timedelta(seconds=1)) == []
    for late in (0, 2, 3):
        if late:
            await insert(conn, NOON + timedelta(minutes=late))
        (chunk,) = await partitioning.unconverted(conn, end)
        await partitioning.convert(conn, chunk)
        assert await partitioning.unconverted(conn, end) == []
    assert len(await stored(conn)) == 4


async def test_a_span_that_comes_again_into_the_columnstore_changes_nothing(conn: asyncpg.Connection) -> None:
    if not await columnar(conn):
        pytest.skip(NO_COLUMNSTORE)
    statement = """
        insert into wafer.span (trace_id, span_id, start, start_ns, duration_ns, name, kind, status)
        values ($1, $1, $2, 0, 1, 'n', 1, 0) on conflict (trace_id, span_id, start) do nothing
    """
    for number in range(20):
        await conn.execute(statement, bytes([number]) * 8, NOON)
    for chunk in await partitioning.unconverted(conn, NOON + DAY):
        await partitioning.convert(conn, chunk)
    assert await conn.execute(statement, bytes([3]) * 8, NOON) == "INSERT 0 0"
    assert await conn.execute(statement, bytes([30]) * 8, NOON) == "INSERT 0 1"
    assert await conn.fetchval("select count(*) from wafer.span") == 21


async def test_a_dense_copy_goes_straight_into_the_columnstore_and_a_later_one_does_not(
    conn: asyncpg.Connection,
) -> None:
    rows = [(series, NOON + timedelta(seconds=second), 1.0) for series in range(5) for second in range(100)]
    await partitioning.ensure(conn, "sample", [NOON])
    async with conn.transaction():
        await partitioning.expect_dense_copy(conn)
        await conn.copy_records_to_table("sample", schema_name="wafer", records=rows)
    assert await conn.fetchval("select count(*) from wafer.sample") == 500
    if await columnar(conn):
        status = "select _timescaledb_functions.chunk_status(c) from show_chunks('wafer.sample') c"
        assert await conn.fetchval(status) & 1
        await conn.copy_records_to_table("sample", schema_name="wafer", records=rows[:5])
        assert await conn.fetchval(status) & 8  # some rows are in the row store
        assert await conn.fetchval("select count(*) from wafer.sample") == 505


async def test_growth_is_followed_by_statistics_of_the_parts_that_grew(conn: asyncpg.Connection) -> None:
    await partitioning.ensure(conn, "sample", [NOON, NOON + DAY])
    await insert(conn, NOON + DAY)
    await conn.execute(
        "insert into wafer.sample select n, $1::timestamptz + n * interval '1 ms', 1 from generate_series(1, 20000) n",
        NOON,
    )
    await conn.execute("select pg_stat_force_next_flush()")

    async def one_has_grown() -> bool:
        return await partitioning.summarize(conn, "sample") == 1

    await eventually(one_has_grown, "the part that grew is found")
    known = (
        "select count(*) from pg_stats where schemaname in ('wafer', '_timescaledb_internal') and attname = 'series_id'"
    )
    assert await conn.fetchval(known) >= 1
