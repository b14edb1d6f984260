"""What waits to be exported: bounded, for the receiver may be away for hours, and exact in what it had to drop."""

from __future__ import annotations

import itertools
from collections import deque
from typing import Any


class Outbox:
    """A queue that any thread fills and the exporting thread empties; when it is full, the oldest gives way."""

    def __init__(self, limit: int) -> None:
        """Begin empty.

        Args:
            limit: Items that may wait.
        """
        self.limit = limit
        self._items: deque[Any] = deque()
        self._overrun = itertools.count()
        self._asked = self._told = 0

    def put(self, item: Any) -> None:
        """Let an item wait."""
        self._items.append(item)
        if len(self._items) > self.limit:
            try:
                self._items.popleft()
            except IndexError:  # the exporting thread took them all in between
                return
            next(self._overrun)  # atomic, unlike +=

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
        """Forget all: in the child of a fork they are the parent's to send."""
        self._items.clear()

    def __len__(self) -> int:
        return len(self._items)
