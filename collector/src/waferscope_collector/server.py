"""The writer as a process: ports, database, servers, a graceful end."""

import asyncio
import contextlib
import logging
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import asyncpg

from waferscope_collector import maintenance
from waferscope_collector.commit.committer import Committer
from waferscope_collector.derive.desk import Desk
from waferscope_collector.derive.sampler import sample_own, sample_site
from waferscope_collector.health import Readiness
from waferscope_collector.identify import SeriesCache
from waferscope_collector.meters import Meters
from waferscope_collector.receive.grpc import GrpcServer
from waferscope_collector.receive.http import HttpServer, application
from waferscope_collector.receive.intake import Intake
from waferscope_collector.settings import WriterSettings
from waferscope_collector.supervise.seat import Seat
from waferscope_collector.warming import warm
from waferscope_schemas.database import open_pool, require_schema

_LOGGER = logging.getLogger(__name__)
_CONNECTIONS = 4
_LAST = 2.0  # s, after the requests' grace, for each step of the end


async def serve(settings: WriterSettings, seat: Seat = Seat(), ready: Callable[[], None] = lambda: None) -> None:  # noqa: B008 - frozen
    """Serve until SIGTERM or SIGINT, then answer what is under way.

    Args:
        settings: The writer's.
        seat: Which of several processes this is.
        ready: Called once requests are taken in.

    Raises:
        PortTakenError: A port is taken.
        SchemasError: The database refuses the writer, or its schema is incompatible.
    """
    stopping = stop_signals()
    http = HttpServer(settings.host, settings.http_port, seat.http)
    grpc_server = GrpcServer(settings.host, settings.grpc_port, settings.grpc_limit, shared=not seat.alone)
    async with database(settings, stopping) as pool:
        if pool is None:
            return
        meters, cache = Meters(), SeriesCache(settings.series_cache)
        committer = Committer(pool, cache, meters, host_interval=settings.host_interval, limits=settings.rules.limits)
        intake = Intake(
            committer,
            cache,
            meters,
            rules=settings.rules,
            queue_limit=settings.queue_limit // seat.of,
            queue_requests=-(-settings.queue_requests // seat.of),
        )
        await asyncio.to_thread(warm)
        readiness = Readiness(settings.database_url.get_secret_value(), meters)
        app = application(intake, meters, readiness, settings.http_limit)
        work = [committer.run(), maintenance.run(settings)]
        if settings.sample_interval:
            desk = Desk(pool, cache, settings)
            work += [desk.run(), sample_site(desk, settings)]
            if seat.number == 0:  # for all
                work.append(sample_own(desk, meters, settings, seat.began))
        async with _background(*work) as background:
            if stopping.done():  # told so while it started
                return
            await grpc_server.start(intake)
            web = asyncio.create_task(http.serve(app))
            _LOGGER.info("writer: HTTP on %s:%d, gRPC on %s:%d", *_ports(settings))
            ready()
            await _first_of(stopping, web, *background)
            _end_at_last(settings.grace + 2 * _LAST)
            http.stop()
            await asyncio.gather(grpc_server.stop(settings.grace), asyncio.wait([web], timeout=settings.grace))
            if not web.done():
                _LOGGER.warning("requests still under way after %.0f s are told to come again", settings.grace)
                pool.terminate()  # what waits for the database fails
                await asyncio.wait([web], timeout=_LAST)
                web.cancel()
        await readiness.close()


def _end_at_last(seconds: float) -> None:
    """End the process when it has not ended by then: a database that hangs must not keep it from that."""

    def end() -> None:
        _LOGGER.error("the writer ends though something hangs")
        os._exit(1)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()


def stop_signals() -> "asyncio.Future[None]":
    """Return a future that is done at SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    stopping: asyncio.Future[None] = loop.create_future()

    def stop() -> None:
        if not stopping.done():
            stopping.set_result(None)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    return stopping


@contextlib.asynccontextmanager
async def database(settings: WriterSettings, stopping: "asyncio.Future[None]") -> AsyncIterator[asyncpg.Pool | None]:
    """Open the database, waiting for it if need be; None if the writer was told to stop meanwhile."""
    opening = asyncio.create_task(_opened(settings))
    either: list[asyncio.Future[Any]] = [opening, stopping]
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    if not opening.done():
        opening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await opening
        yield None
        return
    pool = opening.result()
    try:
        yield pool
    finally:
        pool.terminate()


async def _opened(settings: WriterSettings) -> asyncpg.Pool:
    """Open the database, and prepare it for what arrives."""
    pool = await open_pool(settings.database_url.get_secret_value(), max_size=_CONNECTIONS)
    try:
        async with pool.acquire() as conn:
            await require_schema(conn)
        await maintenance.prepare(pool)
    except BaseException:
        pool.terminate()
        raise
    return pool


@contextlib.asynccontextmanager
async def _background(*work: Coroutine[None, None, None]) -> AsyncIterator[list["asyncio.Task[None]"]]:
    """Run coroutines beside the body, and end them after it."""
    tasks = [asyncio.create_task(item) for item in work]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _first_of(stopping: "asyncio.Future[None]", *tasks: "asyncio.Task[None]") -> None:
    """Wait for the signal to stop; a task that ends before raises its error here."""
    done, _ = await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
    for item in done:
        item.result()


def _ports(settings: WriterSettings) -> tuple[str, int, str, int]:
    return settings.host, settings.http_port, settings.host, settings.grpc_port
