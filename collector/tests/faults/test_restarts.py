"""Writers killed and databases restarted at any moment, under load: what was sent is stored, each once."""

import asyncio
import contextlib
import random
import signal

import asyncpg
import pytest
from support.processes import Process
from support.server import own_server
from support.wait import eventually
from writer_support import load
from writer_support.pressure import Pressure, under_pressure
from writer_support.process import Ports, writer_process

from waferscope_schemas.migrate import migrate

pytestmark = pytest.mark.timeout(300)
KILLS = 3
ROUNDS = 12  # that are acknowledged between two faults at least


async def go_on(pressure: Pressure) -> None:
    """Wait until the writers acknowledge again, and a random moment longer."""
    enough = pressure.acknowledged + ROUNDS

    async def acknowledged() -> bool:
        return pressure.acknowledged >= enough

    await eventually(acknowledged, f"{enough} rounds are acknowledged", within_s=90)
    await asyncio.sleep(random.uniform(0, 0.1))  # any moment of a commit


async def start(stack: contextlib.ExitStack, ports: Ports, database_url: str) -> Process:
    """Start a writer, which ends with the stack; return once it is ready."""
    return await asyncio.to_thread(stack.enter_context, writer_process(ports, database_url))


async def test_a_writer_killed_at_any_moment_stores_everything_once(
    database_url: str, conn: asyncpg.Connection
) -> None:
    ports = Ports.free()
    with contextlib.ExitStack() as stack:
        async with under_pressure([ports]) as pressure:
            for _ in range(KILLS):
                writer = await start(stack, ports, database_url)
                await go_on(pressure)
                writer.kill()
            await start(stack, ports, database_url)
            await go_on(pressure)
    assert pressure.repeated > 0
    await load.assert_stored_once(conn, range(pressure.begun))


async def test_two_writers_that_get_every_request_at_once_store_it_once_though_one_is_killed(
    database_url: str, conn: asyncpg.Connection
) -> None:
    one, two = Ports.free(), Ports.free()
    with contextlib.ExitStack() as stack:
        await start(stack, one, database_url)
        victim = await start(stack, two, database_url)
        async with under_pressure([one, two], each=True) as pressure:
            await go_on(pressure)
            victim.kill()
            await start(stack, two, database_url)
            await go_on(pressure)
    await load.assert_stored_once(conn, range(pressure.begun))


async def test_a_database_that_crashes_under_load_has_everything_once(postgres_url: str) -> None:
    one, two = Ports.free(), Ports.free()
    with own_server(postgres_url) as server, contextlib.ExitStack() as stack:
        await migrate(server.url)
        await asyncio.gather(*(start(stack, ports, server.url) for ports in (one, two)))
        async with under_pressure([one, two]) as pressure:
            for _ in range(2):
                await go_on(pressure)
                await asyncio.to_thread(server.stop, signal.SIGQUIT)  # pg_ctl stop -m immediate
                await asyncio.to_thread(server.start)
            await go_on(pressure)
        conn = await asyncpg.connect(server.url)
        await load.assert_stored_once(conn, range(pressure.begun))
        await conn.close()
    assert pressure.repeated > 0
