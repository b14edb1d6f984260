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
from waferscope_query.results.cache import ResultCache
from waferscope_query.storage.cache.block import WIDTH_MS, Block, Range, gather
from waferscope_query.storage.cache.changes import poll_touched
from waferscope_query.storage.reader import Span
from waferscope_query.storage.runs import Runs
from waferscope_query.storage.sample_reader import SampleReader

_USUAL_BYTES = WIDTH_MS // 15_000 * 16  # of a series in a block, at a sample each 15 s
_MOST_BLOCKS = 10_000  # of a query: a range that nobody fills
_SAMPLE_BYTES = 16  # its time and value
_TOO_MUCH = (TooManySamplesError, MemoryLimitError, MemoryExhaustedError)
_FORGET_S = 600.0  # without a query
_MOST_ROWS = 20_000_000  # of a block
_EDGE_ROWS = 1_000_000  # that reading whole blocks may take beside what was asked for


class SampleCache:
    """Blocks of samples, the least recently used ones given up first.

    A query begins by asking the change feed what was committed since the last one; blocks keep a note of times that
    changed, and whoever needs these reads them anew. So what a query gets from the cache is what it would have read.
    A query that finds all it needs reads nothing at all; the others begin a transaction and ask the feed in it, so that
    what they read and what they remember is of one state. They read outside of any lock; what changes meanwhile is
    logged and noted on what they bring back.

    Args:
        max_bytes: Of all blocks; 0 keeps none.
        results: What is to be told of changes as well.
    """

    def __init__(self, max_bytes: int, results: ResultCache | None = None) -> None:
        self.max_bytes = max_bytes
        self.results = ResultCache(0) if results is None else results
        self.bytes = 0
        self.hits = 0  # samples that were there
        self.misses = 0  # samples that were read
        self.polling = asyncio.Lock()  # so that the states that are noted follow one another
        self._snapshot: str | None = None  # of the last poll
        self._blocks: OrderedDict[int, Block] = OrderedDict()
        self._log: list[tuple[int, Range]] = []  # changes, numbered, since the oldest open session began
        self._newest = 0
        self._open: list[int] = []  # how far the log was when each open session began
        self._polled_at = 0.0  # by time.monotonic
        self._life = 0  # grows when all is forgotten

    def __len__(self) -> int:
        """Number of blocks."""
        return len(self._blocks)

    def since(self) -> str | None:
        """Tell from where on changes have to be followed; None: nothing is remembered that could change."""
        if self._snapshot is not None and time.monotonic() - self._polled_at > _FORGET_S:
            self._forget()  # what was committed meanwhile is too much to follow
        return self._snapshot

    def __contains__(self, number: int) -> bool:
        """Whether there is a block."""
        return number in self._blocks

    def follow(self, snapshot: str, touched: Sequence[Range]) -> None:
        """Take note of what was committed since the last poll; `polling` is held since before it.

        Args:
            snapshot: The state now.
            touched: Which times changed.
        """
        self._snapshot, self._polled_at = snapshot, time.monotonic()
        self._note(touched)
        self.results.touch(touched)

    def view(self) -> "Session":
        """View the state of the last poll; what isn't there can't be read."""
        return Session(self, None, None, dict(self._blocks), (self._life, self._newest))

    @asynccontextmanager
    async def session(self, connection: PoolConnectionProxy, reader: SampleReader) -> AsyncIterator["Session"]:
        """View the database's state as a transaction sees it.

        Args:
            connection: In a transaction of REPEATABLE READ that has asked nothing yet.
            reader: Reads in it.
        """
        async with self.polling:
            if self.max_bytes:
                self.follow(*await poll_touched(connection, self.since()))
            began = self._newest
            self._open.append(began)
            session = Session(self, connection, reader, dict(self._blocks), (self._life, began))
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
        self._blocks.clear()
        self.results.forget()
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
        connection: In the transaction that has the state; None: nothing can be read.
        reader: Reads in it.
        blocks: What was kept when it began.
        began: The life of the cache, and how far its log of changes was then.
    """

    def __init__(
        self,
        cache: SampleCache,
        connection: PoolConnectionProxy | None,
        reader: SampleReader | None,
        blocks: dict[int, Block],
        began: tuple[int, int],
    ) -> None:
        self._cache = cache
        self._connection = connection
        self._reader = reader
        self._blocks = blocks
        self._began = began

    def remembered(self, series_ids: NDArray[np.int64], span: Span) -> Runs | None:
        """Return plain samples that need not be read; may be called in any thread.

        Args:
            series_ids: int64[n], stored series, ascending.
            span: What is wanted of them.

        Returns:
            The samples; None where some have to be read.

        Raises:
            TooManySamplesError: There are more samples than allowed.
        """
        blocks = [self._blocks.get(number) for number in _numbers(span)] if self._fits(series_ids, span) else [None]
        present = [block for block in blocks if block is not None]
        if len(present) < len(blocks):
            return None
        runs = gather(present, series_ids, (span.start_ms, span.end_ms))
        if runs is None:
            return None
        usage.current().from_memory(len(runs), len(runs) * _SAMPLE_BYTES)
        return _limited(runs, span)

    def holds(self, number: int, series_ids: NDArray[np.int64]) -> bool:
        """Whether a block has all that it should have of some series; may be called in any thread."""
        block = self._blocks.get(number)
        return block is not None and not block.changed and not len(block.missing(series_ids))

    async def fill(self, number: int, series_ids: NDArray[np.int64]) -> int:
        """Read what a block lacks of some series, as far as it may be kept; return how many samples were read."""
        if len(series_ids) * _USUAL_BYTES > self._cache.max_bytes // 2:
            return 0
        try:
            return (await self._completed([number], series_ids, _MOST_ROWS))[1]
        except TooManySamplesError:
            return 0

    def use(self, span: Span, samples: int) -> None:
        """Count what was remembered."""
        self._cache.used(_numbers(span))
        self._cache.hits += samples

    async def read(self, series_ids: NDArray[np.int64], span: Span) -> Runs:
        """Read plain samples (see `reader.read_samples`).

        Args:
            series_ids: int64[n], stored series, ascending.
            span: What to read of them.
        """
        assert self._connection is not None
        if not self._fits(series_ids, span):
            return await self._read(series_ids, span)
        numbers = _numbers(span)
        try:
            blocks, read = await self._completed(numbers, series_ids, span.max_samples + _EDGE_ROWS)
        except _TOO_MUCH:  # in whole blocks; perhaps not within the span
            usage.current().settle()
            return await self._read(series_ids, span)
        runs = await asyncio.to_thread(gather, blocks, series_ids, (span.start_ms, span.end_ms))
        assert runs is not None, "all was read"
        _limited(runs, span)
        self._cache.used(numbers)
        self._cache.misses += min(read, len(runs))
        self._cache.hits += (hits := len(runs) - min(read, len(runs)))
        usage.current().from_memory(hits, hits * _SAMPLE_BYTES)
        return runs

    def _fits(self, series_ids: NDArray[np.int64], span: Span) -> bool:
        """Whether so much can be kept at all."""
        count = len(_numbers(span))
        return count <= _MOST_BLOCKS and len(series_ids) * count * _USUAL_BYTES <= self._cache.max_bytes // 2

    async def _completed(
        self, numbers: Sequence[int], series_ids: NDArray[np.int64], max_rows: int
    ) -> tuple[list[Block], int]:
        """Return blocks with all that they should have of some series, and how many samples were read for it."""
        assert self._connection is not None
        blocks = [self._blocks.get(number) or Block.empty(number) for number in numbers]
        fresh, read = list(blocks), 0
        for places, wanted, within in _changed(blocks):
            runs = await self._read(wanted, Span(*within, max_rows))
            read += len(runs)
            for place in places:
                fresh[place] = await asyncio.to_thread(blocks[place].with_read, blocks[place].series, within, runs)
        for places, wanted, within in await asyncio.to_thread(lambda: [*_missing(blocks, series_ids)]):
            runs = await self._read(wanted, Span(*within, max_rows))
            read += len(runs)
            for place in places:
                fresh[place] = await asyncio.to_thread(fresh[place].with_read, wanted, within, runs)
        for old, new in zip(blocks, fresh, strict=True):
            if new is not old:
                self._cache.install(self._blocks.get(new.number), new, self._began)
                self._blocks[new.number] = new
        return fresh, read

    async def _read(self, series_ids: NDArray[np.int64], span: Span) -> Runs:
        assert self._connection is not None
        assert self._reader is not None
        return await self._reader.read(self._connection, series_ids, span)


Reading = tuple[list[int], NDArray[np.int64], Range]
"""What to read at once: for which blocks, of which series, within which time."""


def _numbers(span: Span) -> range:
    return range(span.start_ms // WIDTH_MS, span.end_ms // WIDTH_MS + 1)


def _limited(runs: Runs, span: Span) -> Runs:
    if len(runs) > span.max_samples:
        raise TooManySamplesError
    return runs


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
