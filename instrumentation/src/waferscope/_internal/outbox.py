"""What waits to be exported: bounded, for the receiver may be away for hours, and exact in what it had to drop."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable
from typing import Any

_PLACE = 2048  # bytes of long texts in one place


def _nothing(_: Any) -> None:
    """Do nothing about an item that gave way."""


def _light(_: Any) -> int:
    """Count an item as any other."""
    return 0


class Outbox:
    """A queue that any thread fills and the exporting thread empties; when it is full, the oldest gives way.

    Items with long texts take several places: `None` stands behind them, once for each 2 KiB. So one number bounds
    count and memory, and one operation of a deque, atomic in every thread and amid itself, keeps it.
    """

    def __init__(
        self, limit: int, gave_way: Callable[[Any], None] = _nothing, weigh: Callable[[Any], int] = _light
    ) -> None:
        """Begin empty.

        Args:
            limit: Places: items that may wait, fewer where they are long.
            gave_way: Is told of an item that will never be sent.
            weigh: Tells the bytes of an item's long texts.
        """
        self.limit = limit
        self._weigh = weigh
        self._gave_way = gave_way
        self._items: deque[Any] = deque()
        self._overrun = itertools.count()
        self._asked = self._told = 0

    def put(self, item: Any) -> None:
        """Let an item wait."""
        more = self._weigh(item) // _PLACE
        if more:
            self._items.extend([item, *itertools.repeat(None, more)])
        else:
            self._items.append(item)
        if len(self._items) > self.limit:
            self._make_room()

    def _make_room(self) -> None:
        try:
            while len(self._items) > self.limit:
                oldest = self._items.popleft()
                if oldest is not None:
                    next(self._overrun)  # atomic, unlike +=
                    self._gave_way(oldest)
        except IndexError:  # the exporting thread took them all in between
            return

    def take(self, most: int) -> list[Any]:
        """Take the oldest items away, one at least and from `most` places at the most."""
        taken: list[Any] = []
        places = 0
        try:
            while places < most:
                item = self._items.popleft()
                if item is not None:
                    taken.append(item)
                if taken:  # else it is what an earlier item has left behind
                    places += 1
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
        return sum(item is not None for item in list(self._items))

    def __bool__(self) -> bool:
        return bool(self._items)
