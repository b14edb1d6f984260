"""A connection that is cut at any statement of a commit, before it or after it, loses and doubles nothing."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
from writer_support import load
from writer_support.running import WriterUnderTest, running
from writer_support.wire import Carried, Fault, Wire, wired

CALM = 3  # rounds that tell which statements there are
EVERY_COMMIT = {
    *("insert_series", "BEGIN;", "insert_batches", "lock_number_totals", "update_number_totals"),
    *("lock_histogram_totals", "update_histogram_total", "insert_hours", "insert_job_events", "upsert_job_runs"),
    *("insert_steps", "COMMIT;", "notify"),
}


@pytest.fixture
async def wire(database_url: str) -> AsyncIterator[Wire]:
    async with wired(database_url) as wire:
        yield wire


@pytest.fixture
async def writer(wire: Wire) -> AsyncIterator[WriterUnderTest]:
    async with running(wire.url) as writer:
        yield writer


async def cut(carried: Carried) -> None:
    """The network fails before the statement reaches the server."""
    carried.cut()


async def lose(carried: Carried) -> None:
    """The network fails after the server has run the statement; of COMMIT: it is stored, nobody knows."""
    carried.lose_answer()


def terminate(conn: asyncpg.Connection) -> Fault:
    """The server ends the session, as an administrator or a restart does."""

    async def end(carried: Carried) -> None:
        await conn.execute("select pg_terminate_backend($1)", carried.pid)

    return end


@pytest.mark.parametrize("statement", ["insert_number_totals", "insert_histogram_totals"])
@pytest.mark.parametrize("kind", ["before", "answer lost", "terminated"])
async def test_where_the_first_totals_begin_too(
    writer: WriterUnderTest, wire: Wire, conn: asyncpg.Connection, kind: str, statement: str
) -> None:
    fault = {"before": cut, "answer lost": lose, "terminated": terminate(conn)}[kind]
    wire.fail(fault, statement.__eq__)
    async with writer.client() as client:
        await load.deliver_round([client], 0)
    assert wire.failed
    await load.assert_stored_once(conn, range(1))


@pytest.mark.parametrize("kind", ["before", "answer lost", "terminated"])
async def test_wherever_the_connection_is_cut_everything_is_stored_once(
    writer: WriterUnderTest, wire: Wire, conn: asyncpg.Connection, kind: str
) -> None:
    fault = {"before": cut, "answer lost": lose, "terminated": terminate(conn)}[kind]
    async with writer.client() as client:
        for number in range(CALM):
            await load.deliver_round([client], number)
        met: set[str] = set()
        for number, statement in enumerate(statements := sorted(set(wire.statements)), CALM):
            wire.fail(fault, statement.__eq__)
            await load.deliver_round([client], number)
            if wire.failed:  # what only a new connection asks doesn't come in every round
                met.add(statement)
    assert met >= EVERY_COMMIT
    await load.assert_stored_once(conn, range(CALM + len(statements)))
