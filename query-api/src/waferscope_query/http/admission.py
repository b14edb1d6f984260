"""Who may compute when: a limit on concurrent queries, a deadline for each, an end when the client has gone."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

from starlette.requests import Request

from waferscope_query.promql.control import Control
from waferscope_query.promql.errors import QueryCanceledError, QueryTimeoutError

Result = TypeVar("Result")


class Admission:
    """Lets a number of queries run at a time; the others wait, first come, first served.

    Args:
        places: Queries at a time.
        timeout: Seconds that a query may take, waiting included; a request may ask for less.
    """

    def __init__(self, places: int, timeout: float) -> None:
        self._places = asyncio.Semaphore(places)
        self._timeout = timeout

    async def run(
        self, request: Request, timeout: float | None, work: Callable[[Control], Awaitable[Result]]
    ) -> Result:
        """Run a query.

        Args:
            request: The client's; its body must have been read.
            timeout: Seconds that the client is ready to wait.
            work: The query.

        Raises:
            QueryTimeoutError: It took too long, in the queue or at work.
            QueryCanceledError: The client has gone.
        """
        allowed = self._timeout if timeout is None else min(timeout, self._timeout)
        control = Control(allowed)
        task = asyncio.create_task(self._admitted(time.monotonic() + allowed, control, work))
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
        self, deadline: float, control: Control, work: Callable[[Control], Awaitable[Result]]
    ) -> Result:
        stage = "query queue"
        try:
            async with asyncio.timeout(deadline - time.monotonic()), self._places:
                stage = "expression evaluation"
                return await work(control)
        except TimeoutError:
            raise QueryTimeoutError(stage) from None


async def _disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _end(task: "asyncio.Task[Any]") -> None:
    """Stop a task and wait for its end."""
    if not task.done():
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
