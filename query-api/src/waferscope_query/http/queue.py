"""The line before the engine: places for a number of queries, given fairly to the clients that wait for one."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable

from waferscope_query.promql.errors import QueueFullError


class FairQueue:
    """Lets queries in: first those of the client with the fewest under way, of several such the one served longest ago.

    Each client has a line of its own, first come, first served. So a client with one query waits for a place to become
    free and not for the two hundred queries of another. When all lines together are full, it is the longest one that
    loses its newest query.

    Args:
        places: Queries at a time.
        length: Queries that may wait, of all clients together.
        reserve: Called before each entry; False while something else that it needs isn't there.
        release: Called after each query, to give that back.
    """

    def __init__(self, places: int, length: int, reserve: Callable[[], bool], release: Callable[[], None]) -> None:
        self._free = places
        self._length = length
        self._reserve = reserve
        self._release = release
        self._lines: dict[str, deque[asyncio.Future[None]]] = {}
        self._running = Counter[str]()
        self._served: dict[str, int] = {}  # when, as a number, of clients that wait or run
        self._entries = 0

    @property
    def waiting(self) -> int:
        """Queries that wait."""
        return sum(map(len, self._lines.values()))

    @property
    def running(self) -> int:
        """Queries that have a place."""
        return self._running.total()

    async def enter(self, client: str) -> None:
        """Wait for a place; canceling the wait leaves the line at once.

        Raises:
            QueueFullError: Too many wait already.
        """
        place = asyncio.get_running_loop().create_future()
        if self.waiting >= self._length and not (self._free and not self._lines):
            self._make_room(client)
        self._lines.setdefault(client, deque()).append(place)
        self._let_in()
        try:
            await asyncio.shield(place)  # so that whether it was given is known when the wait is canceled
        except asyncio.CancelledError:
            if not place.done():
                self._remove(client, place)
            elif place.exception() is None:  # the place was given at this very moment
                self.leave(client)
            raise

    def leave(self, client: str) -> None:
        """Give a place back."""
        self._running[client] -= 1
        if not self._running[client]:
            del self._running[client]
        self._forget(client)
        self._free += 1
        self._release()
        self._let_in()

    def _let_in(self) -> None:
        while self._free and self._lines and self._reserve():
            client = min(self._lines, key=lambda one: (self._running[one], self._served.get(one, 0)))
            place = self._lines[client][0]
            self._remove(client, place)
            place.set_result(None)
            self._entries += 1
            self._served[client] = self._entries
            self._running[client] += 1
            self._free -= 1

    def _make_room(self, client: str) -> None:
        longest = max(self._lines, key=lambda one: len(self._lines[one]), default=client)
        if len(self._lines.get(longest, ())) <= len(self._lines.get(client, ())) + 1:
            raise QueueFullError(self._length)
        place = self._lines[longest][-1]
        self._remove(longest, place)
        place.set_exception(QueueFullError(self._length))

    def _remove(self, client: str, place: "asyncio.Future[None]") -> None:
        line = self._lines[client]
        line.remove(place)
        if not line:
            del self._lines[client]
        self._forget(client)

    def _forget(self, client: str) -> None:
        if client not in self._lines and client not in self._running:
            self._served.pop(client, None)
