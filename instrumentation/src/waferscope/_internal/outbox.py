"""What waits to be exported: bounded, for the receiver may be away for hours, and exact in what it had to drop."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable
from typing import Any


def _nothing(_: Any) -> None:
    """Do nothing about an item that gave way."""


class Outbox:
    """A queue that any thread fills and the exporting thread empties; when it is full, the oldest gives way."""

    def __init__(self, limit: int, gave_way: Callable[[Any], None] = _nothing) -> None:
        """Begin empty.

        Args:
            limit: Items that may wait.
            gave_way: Is told of an item that will never be sent.
        """
        self.limit = limit
        self._gave_way = gave_way
        self._items: deque[Any] = deque()
        self._overrun = itertools.count()
        self._asked = self._told = 0

    def put(self, item: Any) -> None:
        """Let an item wait."""
        self._items.append(item)
        if len(self._items) > self.limit:
            try:
                oldest = self._items.popleft()
            except IndexError:  # the exporting thread took them all in between
                return
            next(self._overrun)  # atomic, unlike +=
            self._gave_way(oldest)

    def take(self, most: int) -> list[Any]:
        """Take the oldest items away, `most` at the most."""
        taken: list[Any] = []
        try:
            while len(taken) < most:
                taken.append(self._items.popleft())
        except IndexError:
            pass
        return taken

    def overrun(self) -> int:
        """Tell how many items gave way since the last call."""
        ever = next(self._overrun) - self._asked  # each question counts one as well
        self._asked += 1
        dropped, self._told = ever - self._told, ever
        return dropped

    def clear(self) -> None:
        """Forget all: in the child of a fork they are the parent's to send, and to count."""
        self._items = deque()
        self._overrun = itertools.count()
        self._asked = self._told = 0

    def __len__(self) -> int:
        return len(self._items)
