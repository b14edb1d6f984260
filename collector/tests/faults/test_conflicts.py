"""Transactions that are in each other's way: retried inside, stored once, no client hears of it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import asyncpg
import httpx
import pytest
from support.wait import eventually
from writer_support import load, otlp
from writer_support.otlp import DELTA, NOW, SECOND
from writer_support.running import WriterUnderTest, running
from writer_support.wire import Carried, Wire, wired

from waferscope_schemas.database import connect

ROUNDS = 20


@pytest.fixture
async def wire(database_url: str) -> AsyncIterator[Wire]:
    async with wired(database_url) as wire:
        yield wire


@contextlib.asynccontextmanager
async def both(*urls: str) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Run a writer on each URL; yield their clients."""
    async with contextlib.AsyncExitStack() as stack:
        writers = [await stack.enter_async_context(running(url)) for url in urls]
        yield [await stack.enter_async_context(writer.client()) for writer in writers]


async def set_of_database(conn: asyncpg.Connection, setting: str) -> None:
    """Give a setting to the sessions to come."""
    name = await conn.fetchval("select current_database()")
    await conn.execute(f'alter database "{name}" set {setting}')


def deltas(number: int) -> otlp.ExportMetricsServiceRequest:
    """Return what adds to two totals: of a sum, then of a histogram."""
    at, start = NOW + number * SECOND, NOW + (number - 1) * SECOND
    return otlp.metrics(
        otlp.total("x", otlp.number(number, time=at, start=start), temporality=DELTA),
        otlp.histograms("y", otlp.histogram([1], [number, 1], time=at, start=start), temporality=DELTA),
    )


async def totals(conn: asyncpg.Connection) -> tuple[float, float]:
    """Return the last totals of both."""
    row = await conn.fetchrow(
        "select max(s.value) as x, max(h.count) as y from wafer.series"
        " left join wafer.sample s using (series_id) left join wafer.histogram_sample h using (series_id)"
        " where metric in ('x_total', 'y')"
    )
    return row["x"], row["y"]


async def waiting(conn: asyncpg.Connection, pid: int) -> None:
    """Return once a session waits for a lock of another one."""

    async def waits() -> bool:
        return bool(await conn.fetchval("select cardinality(pg_blocking_pids($1)) > 0", pid))

    await eventually(waits, f"session {pid} waits for a lock", within_s=60)


async def any_waiting(conn: asyncpg.Connection) -> None:
    """Return once some session of the database waits for a lock of another one."""

    async def waits() -> bool:
        return bool(
            await conn.fetchval(
                "select exists (select from pg_stat_activity"
                " where datname = current_database() and cardinality(pg_blocking_pids(pid)) > 0)"
            )
        )

    await eventually(waits, "a session waits for a lock", within_s=60)


async def test_the_victim_of_a_deadlock_is_tried_again_inside(
    database_url: str, conn: asyncpg.Connection, wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    await set_of_database(conn, "deadlock_timeout = '50ms'")
    other = await connect(database_url)
    await other.execute("set deadlock_timeout = '10min'")  # so the writer looks for the cycle, and is its victim
    lock_sum = "select from wafer.number_total for update"
    lock_histogram = "select from wafer.histogram_total for update"
    crossing: list[asyncio.Task[str]] = []

    async def close_the_circle(_: Carried) -> None:
        # The writer holds the sum's total and is about to ask for the histogram's, which the other one holds.
        crossing.append(asyncio.create_task(other.execute(lock_sum)))
        await waiting(conn, other.get_server_pid())

    async with running(wire.url) as writer:
        await writer.send("metrics", deltas(1))
        transaction = other.transaction()
        await transaction.start()
        await other.execute(lock_histogram)
        wire.fail(close_the_circle, "lock_histogram_totals".__eq__)
        sending = asyncio.create_task(writer.send("metrics", deltas(2)))
        await eventually(lambda: _done(crossing), "the writer gave its locks back", within_s=60)
        await transaction.rollback()
        response = await sending
    assert not response.HasField("partial_success")
    assert "deadlock detected" in caplog.text
    assert await totals(conn) == (3, 5)
    await other.close()


async def _done(tasks: list["asyncio.Task[str]"]) -> bool:
    return bool(tasks) and tasks[0].done()


async def test_a_serialization_failure_is_tried_again_inside(
    conn: asyncpg.Connection, wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    await set_of_database(conn, "default_transaction_isolation = 'repeatable read'")

    async def change(_: Carried) -> None:
        await conn.execute("update wafer.histogram_total set count = count + 10")

    async with running(wire.url) as writer:
        await writer.send("metrics", deltas(1))
        wire.fail(change, "lock_number_totals".__eq__)
        response = await writer.send("metrics", deltas(2))
    assert not response.HasField("partial_success")
    assert "could not serialize access" in caplog.text
    assert await totals(conn) == (3, 15)


@pytest.mark.parametrize("isolation", ["read committed", "repeatable read"])
async def test_two_writers_that_get_every_request_at_once_store_it_once(
    database_url: str, conn: asyncpg.Connection, isolation: str
) -> None:
    await set_of_database(conn, f"default_transaction_isolation = '{isolation}'")
    async with both(database_url, database_url) as clients:
        await asyncio.gather(*(load.deliver_round([client], number) for number in range(ROUNDS) for client in clients))
    await load.assert_stored_once(conn, range(ROUNDS))


async def test_two_writers_fold_the_deltas_of_one_series(database_url: str, conn: asyncpg.Connection) -> None:
    async with both(database_url, database_url) as clients:
        await asyncio.gather(
            *(load.deliver_round([client], number) for number, client in enumerate([*clients] * ROUNDS))
        )
    await load.assert_stored_once(conn, range(2 * ROUNDS))


@pytest.mark.parametrize("statement", ["insert_series", "insert_number_totals"])
async def test_of_two_writers_that_make_the_same_the_slower_one_finds_it(
    database_url: str, conn: asyncpg.Connection, wire: Wire, statement: str
) -> None:
    async with both(wire.url, database_url) as (slow, fast):

        async def overtake(_: Carried) -> None:
            await load.deliver_round([fast], 1)

        wire.fail(overtake, statement.__eq__)
        await load.deliver_round([slow], 0)
        assert wire.failed
    await load.assert_stored_once(conn, range(2))


@pytest.mark.parametrize("end", ["commits", "is cut off"])
async def test_a_request_that_another_writer_is_storing_waits_for_its_end(
    database_url: str, conn: asyncpg.Connection, wire: Wire, end: str
) -> None:
    async with running(wire.url) as first, running(database_url) as second:
        request = deltas(1)
        later: list[asyncio.Task[object]] = []

        async def send_to_the_second(carried: Carried) -> None:
            later.append(asyncio.create_task(second.send("metrics", request)))
            await any_waiting(conn)
            if end == "is cut off":
                carried.cut()

        wire.fail(send_to_the_second, "COMMIT;".__eq__)
        (outcome,) = await asyncio.gather(first.send("metrics", request), return_exceptions=True)
        assert isinstance(outcome, Exception) == (end == "is cut off")
        await later[0]
    assert await totals(conn) == (1, 2)
    assert _repeated(first) + _repeated(second) == (1 if end == "commits" else 0)


def _repeated(writer: WriterUnderTest) -> float:
    found = writer.meters.registry.get_sample_value("waferscope_writer_repeated_total", {"signal": "metrics"})
    return found or 0.0


async def test_of_two_writers_that_begin_the_total_of_a_histogram_the_slower_one_adds_to_it(
    database_url: str, conn: asyncpg.Connection, wire: Wire
) -> None:
    def delta(second: int) -> otlp.ExportMetricsServiceRequest:
        at = NOW + second * SECOND
        point = otlp.histogram([1], [1, 1], time=at, start=at - SECOND)
        return otlp.metrics(otlp.histograms("y", point, temporality=DELTA))

    async with running(wire.url) as slow, running(database_url) as fast:

        async def overtake(_: Carried) -> None:
            await fast.send("metrics", delta(1))

        wire.fail(overtake, "insert_histogram_totals".__eq__)
        await slow.send("metrics", delta(2))
        assert wire.failed
    assert (await totals(conn))[1] == 4
