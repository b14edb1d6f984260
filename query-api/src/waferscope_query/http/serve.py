"""The server process: loop, signals, the database in the background."""

import asyncio
import contextlib
import gc
import logging
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import uvicorn
import uvloop

from waferscope_query.http.starting import Starting
from waferscope_query.settings import QuerySettings

if TYPE_CHECKING:
    from fastapi import FastAPI

    from waferscope_query.storage.database import Database

_LOGGER = logging.getLogger(__name__)
_GRACE = 5  # seconds for answers under way at the end
_BACKLOG = 2048
_SPARE_THREADS = 4  # for matching, reading and rendering beside as many evaluations as may run


def serve(settings: QuerySettings, listener: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        settings: Limits, and which database.
        listener: Where to listen.

    Raises:
        SchemasError: The database refuses us, or its schema is incompatible.
    """
    uvloop.run(_serve(settings, listener))


async def _serve(settings: QuerySettings, listener: socket.socket) -> None:
    threads = ThreadPoolExecutor(settings.max_concurrency + _SPARE_THREADS, thread_name_prefix="query")
    asyncio.get_running_loop().set_default_executor(threads)
    database = asyncio.create_task(asyncio.to_thread(_database, settings))
    loading = asyncio.create_task(_load(settings, database))
    server = _Server(
        uvicorn.Config(
            Starting(loading),
            http="httptools",
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            log_level="warning",  # what it says of its start and end, we say
            backlog=_BACKLOG,
            server_header=False,
            timeout_graceful_shutdown=_GRACE,
        )
    )
    opening = asyncio.create_task(_open(database))
    warming = asyncio.create_task(_warm(loading, opening, settings.warm_window))
    warming.add_done_callback(_tell_fault)
    for task in (loading, opening):
        task.add_done_callback(lambda done: _stop_if_refused(done, server))
    _LOGGER.info("listening on http://%s:%s", *listener.getsockname()[:2])
    try:
        await server.serve([listener])
    finally:
        warming.cancel()
        opening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await opening
        await (await database).close()
        await loading


def _database(settings: QuerySettings) -> "Database":
    from waferscope_query.storage.database import Database  # noqa: PLC0415 - the driver: tenths of a second

    return Database(settings.database_url.get_secret_value(), settings.connections)


async def _open(database: "asyncio.Task[Database]") -> None:
    await (await database).open()


async def _load(settings: QuerySettings, database: "asyncio.Task[Database]") -> "FastAPI":
    return await asyncio.to_thread(_app, settings, await database)


def _app(settings: QuerySettings, database: "Database") -> "FastAPI":
    gc.disable()  # of what is imported, nothing is garbage; the collector would look through it again and again
    try:
        from waferscope_query.http.app import create_app  # noqa: PLC0415 - numba and FastAPI: seconds

        return create_app(settings, database)
    finally:
        gc.freeze()
        gc.enable()


async def _warm(loading: "asyncio.Task[FastAPI]", opening: "asyncio.Task[None]", window: float) -> None:
    """Keep the recent past in memory, as soon as engine and database are there."""
    await asyncio.wait((loading, opening))
    if loading.exception() is None and opening.exception() is None:
        from waferscope_query.storage.recent import keep_warm  # noqa: PLC0415 - what `_app` has imported in its thread

        await keep_warm(loading.result().state.source, window)


def _stop_if_refused(task: "asyncio.Task[Any]", server: uvicorn.Server) -> None:
    """End the server where waiting for the task is in vain; its error is raised at the server's end."""
    if not task.cancelled() and task.exception() is not None:
        server.should_exit = True


def _tell_fault(task: "asyncio.Task[None]") -> None:
    """Log what ended a task that nobody waits for."""
    if not task.cancelled() and (error := task.exception()) is not None:
        _LOGGER.error("nothing is kept warm any more", exc_info=error)


class _Server(uvicorn.Server):
    """Ends with exit code 0 after a signal that asks it to end; uvicorn would raise the signal again."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield
