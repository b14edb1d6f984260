"""What a query uses: memory and series within its limits, and where its samples came from.

Arrays are counted as long as they live: those that are read, and those that a node evaluates to. What numpy makes in
between and drops again at once comes on top.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from waferscope_query.promql.errors import MemoryExhaustedError, MemoryLimitError, TooManySeriesError

BYTES_OF_SAMPLE = 24  # its series, time and value, while it is read


class MemoryPool:
    """Bytes that all queries share; safe to use from several threads.

    Args:
        limit: Bytes.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._lock = threading.Lock()
        self._taken = 0

    @property
    def taken(self) -> int:
        """Bytes that queries have, or have reserved."""
        return self._taken

    def take(self, size: int) -> bool:
        """Take bytes, or none where they aren't there."""
        with self._lock:
            if self._taken + size > self.limit:
                return False
            self._taken += size
            return True

    def give(self, size: int) -> None:
        """Give bytes back."""
        with self._lock:
            self._taken -= size


@dataclass(slots=True)
class Read:
    """What was read for a selection.

    Attributes:
        series: Of the index, that match.
        cached_samples: Found in memory.
        cached_bytes: Of these.
        read_samples: Rows that the database sent.
        read_bytes: Of these, as sent.
        seconds: From the first question to the arrays.
    """

    series: int = 0
    cached_samples: int = 0
    cached_bytes: int = 0
    read_samples: int = 0
    read_bytes: int = 0
    seconds: float = 0.0


class Usage:
    """Of one query; nothing is limited where nothing is said.

    Args:
        max_bytes: Of arrays at a time.
        pool: Where bytes beyond the reserved ones come from.
        reserved: Bytes of the pool that are the query's already, and that others give back.

    Attributes:
        max_series: That its selections may match, together.
        peak: The most bytes that were used at a time.
        reads: What was read for each selection.
    """

    def __init__(self, max_bytes: int | None = None, pool: MemoryPool | None = None, reserved: int = 0) -> None:
        self.max_bytes = max_bytes
        self.peak = 0
        self.reads: dict[object, Read] = {}
        self.max_series: int | None = None
        self._pool = pool
        self._reserved = self._granted = reserved
        self._used = 0
        self._passing = 0
        self._refused: MemoryLimitError | MemoryExhaustedError | None = None
        self._lock = threading.Lock()
        self._held: set[int] = set()
        self._freed: deque[tuple[int, int]] = deque()  # a collector may add to it at any moment, so without the lock
        self._reading = Read()

    def max_samples(self, limit: int) -> int:
        """How many samples may be read: a limit, or fewer where the memory is for fewer."""
        return limit if self.max_bytes is None else min(limit, self.max_bytes // BYTES_OF_SAMPLE)

    def too_many(self) -> MemoryLimitError:
        """The error of a query that needs more memory than it may have."""
        return MemoryLimitError(self.max_bytes or 0)

    def check_series(self, count: int) -> None:
        """Refuse selections of too many series.

        Raises:
            TooManySeriesError: There are more than the query may have.
        """
        if self.max_series is not None and count > self.max_series:
            raise TooManySeriesError(count, self.max_series)

    def charge(self, size: int) -> None:
        """Count bytes that are about to be used.

        Raises:
            MemoryLimitError: The query would have more than its share.
            MemoryExhaustedError: All queries together would have more than theirs.
        """
        with self._lock:
            self._drain()
            used = self._used + size
            if self.max_bytes is not None and used > self.max_bytes:
                raise self.too_many()
            if self._pool is not None and used > self._granted:
                if not self._pool.take(used - self._granted):
                    raise MemoryExhaustedError(self._pool.limit)
                self._granted = used
            self._used = used
            self.peak = max(self.peak, used)

    def hold(self, *arrays: NDArray[Any] | None) -> None:
        """Count arrays as long as they live, each once; errors as `charge`."""
        with self._lock:
            self._drain()
        roots = {id(root): root for root in (_root(array) for array in arrays if array is not None)}
        new = {key: root for key, root in roots.items() if key not in self._held and root.nbytes}
        self.charge(sum(root.nbytes for root in new.values()))
        for key, root in new.items():
            self._held.add(key)
            weakref.finalize(root, self._freed.append, (key, root.nbytes)).atexit = False

    def fits_passing(self, size: int) -> bool:
        """Count bytes on their way to become arrays; `settle` gives them back. False where they don't fit."""
        try:
            self.charge(size)
        except (MemoryLimitError, MemoryExhaustedError) as error:
            self._refused = error
            return False
        self._passing += size
        return True

    def refuse(self) -> None:
        """Raise what `fits_passing` has answered False for."""
        if self._refused is not None:
            raise self._refused

    def settle(self) -> None:
        """Give back what was on its way."""
        with self._lock:
            self._drain()
            self._release(self._passing)
            self._passing = 0

    def end(self) -> None:
        """Give back what goes beyond the reserved bytes: the query is over."""
        with self._lock:
            if self._pool is not None:
                self._pool.give(self._granted - self._reserved)
            self._pool, self._granted = None, self._reserved

    @contextmanager
    def reading(self, selection: object, series: int) -> Iterator[None]:
        """Note what is read in the meantime for a selection."""
        self._reading = self.reads[selection] = Read(series)
        began = time.perf_counter()
        try:
            yield
        finally:
            self._reading.seconds = time.perf_counter() - began
            self._reading = Read()  # of nothing

    def from_memory(self, samples: int, size: int) -> None:
        """Note samples that were in memory."""
        self._reading.cached_samples += samples
        self._reading.cached_bytes += size

    def from_database(self, rows: int, size: int) -> None:
        """Note rows that were read."""
        self._reading.read_samples += rows
        self._reading.read_bytes += size

    def _drain(self) -> None:
        while self._freed:
            key, size = self._freed.popleft()
            self._held.discard(key)
            self._release(size)

    def _release(self, size: int) -> None:
        self._used -= size
        surplus = self._granted - max(self._used, self._reserved)
        if self._pool is not None and surplus > 0:
            self._pool.give(surplus)
            self._granted -= surplus


def _root(array: NDArray[Any]) -> NDArray[Any]:
    """The array that owns the memory."""
    while isinstance(base := array.base, type(array)):
        array = base
    return array


_CURRENT: ContextVar[Usage | None] = ContextVar("usage", default=None)


def current() -> Usage:
    """The usage of the query that is being answered; outside of one, of nothing."""
    return _CURRENT.get() or Usage()


@contextmanager
def used_by(usage: Usage) -> Iterator[None]:
    """Let `current` be a query's usage, in the threads that are begun within as well."""
    token = _CURRENT.set(usage)
    try:
        yield
    finally:
        _CURRENT.reset(token)
