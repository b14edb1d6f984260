"""The cache, and one query's view of it."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import groupby

import numpy as np
from asyncpg.pool import PoolConnectionProxy
from numpy.typing import NDArray

from waferscope_query.promql import usage
from waferscope_query.promql.errors import MemoryExhaustedError, MemoryLimitError, TooManySamplesError
from waferscope_query.storage.cache import changes
from waferscope_query.storage.cache.block import WIDTH_MS, Block, Range, gather
from waferscope_query.storage.copied import Points
from waferscope_query.storage.reader import Span, read_samples

_USUAL_BYTES = WIDTH_MS // 15_000 * 16  # of a series in a block, at a sample each 15 s
_MOST_BLOCKS = 10_000  # of a query: a range that nobody fills
_SAMPLE_BYTES = 16  # its time and value
_FORGET_S = 600.0  # without a query
_EDGE_ROWS = 1_000_000  # that reading whole blocks may take beside what was asked for


class SampleCache:
    """Blocks of samples, the least recently used ones given up first.

    A query begins by asking the change feed, in its own transaction, what was committed since the last one; blocks keep
    a note of times that changed, and whoever needs these reads them anew. So what a query gets from the cache is what
    it would have read. Queries read outside of any lock; while one reads, further changes are logged and noted on what
    it brings back.

    Args:
        max_bytes: Of all blocks; 0 keeps none.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.bytes = 0
        self.hits = 0  # samples that were there
        self.misses = 0  # samples that were read
        self._blocks: OrderedDict[int, Block] = OrderedDict()
        self._snapshot: str | None = None
        self._polling = asyncio.Lock()
        self._log: list[tuple[int, Range]] = []  # changes, numbered, since the oldest open session began
        self._newest = 0
        self._open: list[int] = []  # how far the log was when each open session began
        self._polled_at = -_FORGET_S  # by time.monotonic
        self._life = 0  # grows when all is forgotten

    def __len__(self) -> int:
        """Number of blocks."""
        return len(self._blocks)

    @asynccontextmanager
    async def session(self, connection: PoolConnectionProxy) -> AsyncIterator["Session"]:
        """View the database's state as a transaction sees it.

        Args:
            connection: In a transaction of REPEATABLE READ that has asked nothing yet.
        """
        async with self._polling:  # so that states follow one another
            if time.monotonic() - self._polled_at > _FORGET_S:
                self._forget()
            self._snapshot, touched = await changes.poll(connection, self._snapshot)
            self._polled_at = time.monotonic()
            self._note(touched)
            began = self._newest
            self._open.append(began)
            session = Session(self, connection, dict(self._blocks), (self._life, began))
        try:
            yield session
        finally:
            self._open.remove(began)
            oldest = min(self._open, default=self._newest)
            self._log = [entry for entry in self._log if entry[0] > oldest]

    def used(self, numbers: Sequence[int]) -> None:
        """Take note that blocks were of use."""
        for number in numbers:
            if number in self._blocks:
                self._blocks.move_to_end(number)

    def install(self, old: Block | None, new: Block, began: tuple[int, int]) -> None:
        """Keep a block that a session has made of an older one, unless another session was faster.

        Args:
            old: What the session began with.
            new: What it has read.
            began: The life of the cache, and how far its log of changes was then.
        """
        current = self._blocks.get(new.number)
        if began[0] != self._life or (current and current.ts) is not (old and old.ts):
            return
        since = [touched for number, touched in self._log if number > began[1]]
        self._blocks[new.number] = new.touched(since)
        self._blocks.move_to_end(new.number)
        self.bytes += new.nbytes - (current.nbytes if current else 0)
        while self.bytes > self.max_bytes:
            self.bytes -= self._blocks.popitem(last=False)[1].nbytes

    def _forget(self) -> None:
        """Begin anew: what has been committed in a long time without queries is too much to follow."""
        self._blocks.clear()
        self.bytes = 0
        self._snapshot = None
        self._life += 1

    def _note(self, touched: Sequence[Range]) -> None:
        if not touched:
            return
        for number, block in self._blocks.items():
            self._blocks[number] = block.touched(touched)
        for one in touched:
            self._newest += 1
            self._log.append((self._newest, one))


class Session:
    """One state of the database, read through the cache.

    Args:
        cache: Where blocks are kept.
        connection: In the transaction that has the state.
        blocks: What was kept when it began.
        began: The life of the cache, and how far its log of changes was then.
    """

    def __init__(
        self, cache: SampleCache, connection: PoolConnectionProxy, blocks: dict[int, Block], began: tuple[int, int]
    ) -> None:
        self._cache = cache
        self._connection = connection
        self._blocks = blocks
        self._began = began

    async def read(self, series_ids: NDArray[np.int64], span: Span) -> Points:
        """Read plain samples (see `reader.read_samples`).

        Args:
            series_ids: int64[n], stored series, ascending.
            span: What to read of them.
        """
        first, last = span.start_ms // WIDTH_MS, span.end_ms // WIDTH_MS
        count = last - first + 1
        if count > _MOST_BLOCKS or len(series_ids) * count * _USUAL_BYTES > self._cache.max_bytes // 2:
            return await read_samples(self._connection, series_ids, span)
        numbers = range(first, last + 1)
        try:
            blocks, read = await self._completed(numbers, series_ids, span.max_samples + _EDGE_ROWS)
        except (
            TooManySamplesError,
            MemoryLimitError,
            MemoryExhaustedError,
        ):  # of whole blocks: not of the span?
            usage.current().settle()
            return await read_samples(self._connection, series_ids, span)
        points = await asyncio.to_thread(gather, blocks, series_ids, (span.start_ms, span.end_ms))
        if len(points) > span.max_samples:
            raise TooManySamplesError
        self._cache.used(numbers)
        self._cache.misses += min(read, len(points))
        self._cache.hits += (hits := len(points) - min(read, len(points)))
        usage.current().from_memory(hits, hits * _SAMPLE_BYTES)
        return points

    async def _completed(
        self, numbers: Sequence[int], series_ids: NDArray[np.int64], max_rows: int
    ) -> tuple[list[Block], int]:
        """Return blocks with all that they should have of some series, and how many samples were read for it."""
        blocks = [self._blocks.get(number) or Block.empty(number) for number in numbers]
        fresh, read = list(blocks), 0
        for places, wanted, within in (*_changed(blocks), *_missing(blocks, series_ids)):
            points = await read_samples(self._connection, wanted, Span(*within, max_rows))
            read += len(points)
            for place in places:
                # What changed in a block was read together with that of its neighbours, of the series of them all.
                own = blocks[place].series if blocks[place].changed and fresh[place] is blocks[place] else wanted
                fresh[place] = await asyncio.to_thread(fresh[place].with_read, own, within, points)
        for old, new in zip(blocks, fresh, strict=True):
            if new is not old:
                self._cache.install(self._blocks.get(new.number), new, self._began)
                self._blocks[new.number] = new
        return fresh, read


Reading = tuple[list[int], NDArray[np.int64], Range]
"""What to read at once: for which blocks, of which series, within which time."""


def _changed(blocks: Sequence[Block]) -> Iterator[Reading]:
    """Tell what has to be read again: all that neighbouring blocks with changes know."""
    for changed, run in groupby(range(len(blocks)), key=lambda place: bool(blocks[place].changed)):
        if changed:
            places = list(run)
            ranges = [one for place in places for one in blocks[place].changed]
            known = np.unique(np.concatenate([blocks[place].series for place in places]))
            yield places, known, (min(begin for begin, _ in ranges), max(end for _, end in ranges))


def _missing(blocks: Sequence[Block], series_ids: NDArray[np.int64]) -> Iterator[Reading]:
    """Tell what has to be read first: of neighbouring blocks that miss the same series at once."""
    absent = [block.missing(series_ids) for block in blocks]
    begin = 0
    for end in range(1, len(blocks) + 1):
        if end == len(blocks) or not np.array_equal(absent[begin], absent[end]):
            if len(absent[begin]):
                yield list(range(begin, end)), absent[begin], (blocks[begin].span[0], blocks[end - 1].span[1])
            begin = end
