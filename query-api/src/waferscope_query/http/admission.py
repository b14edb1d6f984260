"""Who may compute when: a fair queue, a deadline and memory for each query, an end when the client has gone."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

from starlette.requests import Request

from waferscope_query.http.clients import client_of
from waferscope_query.http.observe import Metrics
from waferscope_query.http.queue import FairQueue
from waferscope_query.promql.control import Control
from waferscope_query.promql.errors import (
    MemoryExhaustedError,
    MemoryLimitError,
    PromQLError,
    QueryCanceledError,
    QueryTimeoutError,
    QueueFullError,
    TooManySamplesError,
    TooManySeriesError,
)
from waferscope_query.promql.usage import MemoryPool, Usage
from waferscope_query.settings import QuerySettings

Result = TypeVar("Result")

_QUEUE = "query queue"
_REASONS: dict[type[PromQLError], str] = {
    QueueFullError: "queue_full",
    TooManySeriesError: "series",
    TooManySamplesError: "samples",
    MemoryLimitError: "query_memory",
    MemoryExhaustedError: "total_memory",
}


class Admission:
    """Lets a number of queries run at a time, each with a part of the memory that is theirs in any case.

    Half of the memory of all queries is divided among the places; a query gets its part with its place, or waits. What
    it needs beyond that comes from what others leave, as long as there is some.

    Args:
        settings: Places, seconds, memory.
        metrics: Where waiting and refusing is counted.
    """

    def __init__(self, settings: QuerySettings, metrics: Metrics) -> None:
        self._timeout = settings.timeout
        self._max_memory = min(settings.max_memory, settings.total_memory)
        self._pool = MemoryPool(settings.total_memory)
        self._part = min(settings.total_memory // 2 // settings.max_concurrency, self._max_memory)
        self._queue = FairQueue(
            settings.max_concurrency,
            settings.max_queue,
            reserve=lambda: self._pool.take(self._part),
            release=lambda: self._pool.give(self._part),
        )
        self._metrics = metrics
        metrics.watch(lambda: self._queue.waiting, lambda: self._queue.running, lambda: self._pool.taken)

    async def run(
        self, request: Request, timeout: float | None, work: Callable[[Control], Awaitable[Result]]
    ) -> Result:
        """Run a query.

        Args:
            request: The client's; its body must have been read.
            timeout: Seconds that the client is ready to wait.
            work: The query.

        Raises:
            QueueFullError: Too many wait already.
            QueryTimeoutError: It took too long, in the queue or at work.
            QueryCanceledError: The client has gone.
        """
        allowed = self._timeout if timeout is None else min(timeout, self._timeout)
        control = Control(allowed, Usage(self._max_memory, self._pool, self._part))
        task = asyncio.create_task(self._admitted(client_of(request), allowed, control, work))
        gone = asyncio.create_task(_disconnect(request))
        try:
            await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise QueryCanceledError("expression evaluation")
            return task.result()
        finally:
            control.cancel()
            await _end(task)
            await _end(gone)

    async def _admitted(
        self, client: str, allowed: float, control: Control, work: Callable[[Control], Awaitable[Result]]
    ) -> Result:
        stage = _QUEUE
        try:
            async with asyncio.timeout(allowed), self._place(client, control):
                stage = "expression evaluation"
                return await work(control)
        except TimeoutError:
            if stage == _QUEUE:
                self._metrics.refused.labels("queue_timeout").inc()
            raise QueryTimeoutError(stage) from None
        except tuple(_REASONS) as error:
            self._metrics.refused.labels(_REASONS[type(error)]).inc()
            raise

    @asynccontextmanager
    async def _place(self, client: str, control: Control) -> AsyncIterator[None]:
        began = time.perf_counter()
        try:
            await self._queue.enter(client)
        finally:
            control.waited = time.perf_counter() - began
            self._metrics.queued.observe(control.waited)
        try:
            yield
        finally:
            control.usage.end()
            self._queue.leave(client)


async def _disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _end(task: "asyncio.Task[Any]") -> None:
    """Stop a task and wait for its end."""
    if not task.done():
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
