"""The cache of results, and one query's attempt to stand on it."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from weakref import WeakValueDictionary

from waferscope_query.promql.grid import Grid
from waferscope_query.results.matrix import Matrix
from waferscope_query.results.reach import Reach

Range = tuple[int, int]
_SHARE = 8  # an entry takes at most this part of all


@dataclass(frozen=True, slots=True)
class Key:
    """What answers must have in common to share steps.

    Attributes:
        query: The expression.
        step_ms: Between steps.
        phase_ms: The rest that every step leaves when it is divided by `step_ms`.
        lookback_ms: How old a sample may be.
    """

    query: str
    step_ms: int
    phase_ms: int
    lookback_ms: int


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """Steps of an answer.

    Attributes:
        grid: The steps of `matrix`.
        matrix: Their points.
        reach: What each stands on.
        infos: What was said of them.
        valid: The first and last step whose samples have not changed since.
    """

    grid: Grid
    matrix: Matrix
    reach: Reach
    infos: tuple[str, ...]
    valid: Range

    def after(self, touched: Sequence[Range]) -> Entry | None:
        """What is left of it when samples have changed: the longer of two parts."""
        first, last = self.valid
        for one in touched:
            begin, end = self.reach.steps(one)
            if begin > last or end < first:
                continue
            step = self.grid.step_ms
            before = first + (begin - 1 - first) // step * step  # the last step before `begin`
            beyond = last - (last - end - 1) // step * step  # the first one after `end`
            first, last = (first, before) if before - first >= last - beyond else (beyond, last)
            if first > last:
                return None
        return self if (first, last) == self.valid else replace(self, valid=(first, last))

    def part(self, grid: Grid) -> Matrix:
        """The points of some of its steps."""
        first = (grid.start_ms - self.grid.start_ms) // self.grid.step_ms
        return self.matrix.steps(first, first + grid.count)


@dataclass(slots=True, eq=False)
class Attempt:
    """What a query finds in the cache, and what happens while it computes the rest.

    Attributes:
        key: What it is kept by.
        grid: The steps it wants.
        entry: What was there; None: nothing of use.
        known: Those of its steps that are there.
        missing: Those that are not.
        touched: Times that changed since.
    """

    key: Key
    grid: Grid
    entry: Entry | None
    known: Grid | None
    missing: Grid | None
    touched: list[Range] = field(default_factory=list)

    @classmethod
    def of(cls, key: Key, grid: Grid, entry: Entry | None) -> Attempt:
        """Compare what is wanted with what is there; steps in the midst of what is wanted are of no use."""
        step = grid.step_ms
        last_wanted = grid.last_ms
        first, last = (0, -1) if entry is None else entry.valid
        first, last = max(first, grid.start_ms), min(last, last_wanted)
        if entry is None or first > last or (first > grid.start_ms and last < last_wanted):
            return cls(key, grid, None, None, grid)
        if first > grid.start_ms:
            missing = Grid(grid.start_ms, first - step, step)
        else:
            missing = Grid(last + step, last_wanted, step)
        return cls(key, grid, entry, Grid(first, last, step), missing if missing.count else None)

    def holds(self) -> bool:
        """Whether what was there still is what would be computed."""
        assert self.entry is not None
        assert self.known is not None
        reached = map(self.entry.reach.steps, self.touched)
        return not any(begin <= self.known.end_ms and end >= self.known.start_ms for begin, end in reached)

    def joined(self, matrix: Matrix | None) -> tuple[Grid, Matrix]:
        """Put the missing steps to those that were there, earlier ones included: whoever wants these may ask again.

        Returns:
            The steps, all that are wanted among them and at most as many as were kept or are wanted; their points.
        """
        if self.entry is None or self.known is None:
            assert matrix is not None
            return self.grid, matrix
        if matrix is None or self.missing is None:
            return self.known, self.entry.part(self.known)
        if self.missing.start_ms < self.known.start_ms:
            return self.grid, matrix.followed_by(self.entry.part(self.known))
        step, last = self.grid.step_ms, self.missing.end_ms
        most = max(self.entry.grid.count, self.grid.count)
        first = min(self.grid.start_ms, max(self.entry.valid[0], last - (most - 1) * step))
        earlier = self.entry.part(Grid(first, self.known.end_ms, step))
        return Grid(first, last, step), earlier.followed_by(matrix)


class ResultCache:
    """Entries by key, the least recently used ones given up first.

    Args:
        max_bytes: Of all entries, about; 0 keeps none.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.bytes = 0
        self.hits = 0  # steps that were there
        self.misses = 0  # steps that were computed
        self._entries: OrderedDict[Key, Entry] = OrderedDict()
        self._attempts: list[Attempt] = []
        self._turns: WeakValueDictionary[Key, asyncio.Lock] = WeakValueDictionary()

    def __len__(self) -> int:
        """Number of entries."""
        return len(self._entries)

    def __contains__(self, key: Key) -> bool:
        """Whether there is an entry."""
        return key in self._entries

    def turn(self, key: Key) -> asyncio.Lock:
        """Give what a query holds while it computes: others who ask the same wait for its result."""
        turn = self._turns.get(key)
        if turn is None:
            turn = self._turns[key] = asyncio.Lock()
        return turn

    def touch(self, touched: Sequence[Range]) -> None:
        """Take note of times whose samples have changed."""
        if not touched:
            return
        for attempt in self._attempts:
            attempt.touched.extend(touched)
        for key, entry in list(self._entries.items()):
            left = entry.after(touched)
            if left is None:
                self._drop(key)
            else:
                self._entries[key] = left

    def forget(self) -> None:
        """Forget everything: what has changed since is not known."""
        self._entries.clear()
        self.bytes = 0
        for attempt in self._attempts:
            attempt.touched.append((-(2**62), 2**62))

    @contextmanager
    def attempt(self, key: Key, grid: Grid) -> Iterator[Attempt]:
        """Look up what is there, and hear of changes as long as the attempt is made."""
        attempt = Attempt.of(key, grid, self._entries.get(key))
        if attempt.entry is not None:
            self._entries.move_to_end(key)
        self._attempts.append(attempt)
        try:
            yield attempt
        finally:
            self._attempts.remove(attempt)

    def keep(self, attempt: Attempt, entry: Entry) -> None:
        """Keep an answer, but for the steps whose samples have changed since the attempt began."""
        left = entry.after(attempt.touched)
        if left is None or entry.matrix.nbytes > self.max_bytes // _SHARE:
            return
        self._drop(attempt.key)
        self._entries[attempt.key] = left
        self.bytes += left.matrix.nbytes
        while self.bytes > self.max_bytes:
            self._drop(next(iter(self._entries)))

    def _drop(self, key: Key) -> None:
        entry = self._entries.pop(key, None)
        self.bytes -= entry.matrix.nbytes if entry is not None else 0
