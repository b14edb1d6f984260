"""One writer of a site maintains it: the one whose session holds a lock. Another takes over when that session ends."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator

import asyncpg

from waferscope_collector.commit.faults import PASSING
from waferscope_collector.errors import WriterError
from waferscope_collector.maintenance.state import States
from waferscope_collector.maintenance.tasks import Task, tasks
from waferscope_collector.settings import WriterSettings
from waferscope_schemas import queries
from waferscope_schemas.database import connect

_SQL = queries.load("waferscope_collector")
_LOGGER = logging.getLogger(__name__)
_STANDBY = 5.0  # s, between two tries to become the one
_RETRY = 5.0  # s, before a new connection


async def run(settings: WriterSettings, states: States | None = None) -> None:
    """Maintain the site until cancelled, or stand by while another writer does.

    The lock belongs to a connection of its own, on which all the work is done too: whoever lost it can't go on.

    Args:
        settings: The writer's settings.
        states: Where to tell what was done.
    """
    states = states or States()
    while True:
        try:
            async with _session(settings) as conn:
                await _become_the_one(conn)
                states.holding = True
                await _keep_on(conn, tasks(settings), states)
        except (asyncpg.PostgresError, *PASSING) as error:
            _LOGGER.warning("maintenance waits for the database: %s", error)
        finally:
            states.holding = False
        await asyncio.sleep(_RETRY)


async def once(settings: WriterSettings, states: States | None = None) -> bool:
    """Do every task once, unless another writer maintains the site.

    Args:
        settings: The writer's settings.
        states: Where to tell what was done.

    Returns:
        Whether it was done.
    """
    async with _session(settings) as conn:
        if not await conn.fetchval(_SQL["try_maintenance_lock"]):
            return False
        for task in tasks(settings):
            await _perform(conn, task, states or States())
        return True


@contextlib.asynccontextmanager
async def _session(settings: WriterSettings) -> AsyncIterator[asyncpg.Connection]:
    """Open a connection that waits for no lock for long, and whose end gives the maintenance's lock back."""
    conn = await connect(settings.database_url.get_secret_value())
    try:
        await conn.execute(_SQL["begin_maintenance"])
        yield conn
    finally:
        conn.terminate()  # at once: a query under way when the writer ends is not waited for


async def _become_the_one(conn: asyncpg.Connection) -> None:
    """Wait for the lock by trying: a session that waited inside the database would look like one that hangs."""
    while not await conn.fetchval(_SQL["try_maintenance_lock"]):  # noqa: ASYNC110 - no event of this process tells it
        await asyncio.sleep(_STANDBY)


async def _keep_on(conn: asyncpg.Connection, todo: tuple[Task, ...], states: States) -> None:
    """Do each task in its rhythm, one at a time."""
    _LOGGER.info("this writer maintains the site")
    begins = dict.fromkeys(todo, 0.0)
    while True:
        for task in todo:
            if begins[task] <= time.monotonic():
                begins[task] = time.monotonic() + task.period
                await _perform(conn, task, states)
        await asyncio.sleep(max(0.0, min(begins.values()) - time.monotonic()))


async def _perform(conn: asyncpg.Connection, task: Task, states: States) -> None:
    """Do a task and note how it went; it does not keep the others from their turn."""
    began = time.monotonic()
    try:
        await task.work(conn)
    except Exception as error:  # whatever a task stumbles over, the writer goes on storing
        known = isinstance(error, (asyncpg.PostgresError, WriterError, *PASSING))
        _LOGGER.warning("maintenance, %s: %s", task.name, error, exc_info=None if known else error)
        await states.failed(conn, task.name, error)
        if conn.is_closed():
            raise
    else:
        await states.succeeded(conn, task.name, time.monotonic() - began)
