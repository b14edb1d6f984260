"""The cache, and one query's view of it."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import groupby
from typing import Any, TypeVar

import numpy as np
from asyncpg.pool import PoolConnectionProxy
from numpy.typing import NDArray

from waferscope_query.promql import usage
from waferscope_query.promql.errors import ExecutionError, MemoryExhaustedError, MemoryLimitError, TooManySamplesError
from waferscope_query.results.cache import ResultCache
from waferscope_query.storage.cache.block import WIDTH_MS, Block, gather
from waferscope_query.storage.cache.changes import poll_touched
from waferscope_query.storage.cache.contents import Content
from waferscope_query.storage.cache.splicing import Range
from waferscope_query.storage.reader import Span

_MOST_BLOCKS = 10_000  # of a query: a range that nobody fills
_TOO_MUCH = (TooManySamplesError, MemoryLimitError, MemoryExhaustedError)
_FORGET_S = 600.0  # without a query
_MOST_ROWS = 20_000_000  # of a block
_EDGE_ROWS = 1_000_000  # that reading whole blocks may take beside what was asked for

Data = TypeVar("Data")
Key = tuple[str, int]
"""A block: the name of its content, and its number."""


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
        self._blocks: OrderedDict[Key, Block[Any]] = OrderedDict()
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

    def __contains__(self, key: Key) -> bool:
        """Whether there is a block."""
        return key in self._blocks

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
        return Session(self, None, dict(self._blocks), (self._life, self._newest))

    @asynccontextmanager
    async def session(self, connection: PoolConnectionProxy) -> AsyncIterator["Session"]:
        """View the database's state as a transaction sees it.

        Args:
            connection: In a transaction of REPEATABLE READ that has asked nothing yet.
        """
        async with self.polling:
            if self.max_bytes:
                self.follow(*await poll_touched(connection, self.since()))
            began = self._newest
            self._open.append(began)
            session = Session(self, connection, dict(self._blocks), (self._life, began))
        try:
            yield session
        finally:
            self._open.remove(began)
            oldest = min(self._open, default=self._newest)
            self._log = [entry for entry in self._log if entry[0] > oldest]

    def used(self, keys: Iterable[Key]) -> None:
        """Take note that blocks were of use."""
        for key in keys:
            if key in self._blocks:
                self._blocks.move_to_end(key)

    def install(self, key: Key, old: Block[Any] | None, new: Block[Any], began: tuple[int, int]) -> None:
        """Keep a block that a session has made of an older one, unless another session was faster.

        Args:
            key: Which block.
            old: What the session began with.
            new: What it has read.
            began: The life of the cache, and how far its log of changes was then.
        """
        current = self._blocks.get(key)
        if began[0] != self._life or (current and current.data) is not (old and old.data):
            return
        since = [touched for number, touched in self._log if number > began[1]]
        self._blocks[key] = new.touched(since)
        self._blocks.move_to_end(key)
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
        for key, block in self._blocks.items():
            self._blocks[key] = block.touched(touched)
        for one in touched:
            self._newest += 1
            self._log.append((self._newest, one))


class Session:
    """One state of the database, read through the cache.

    Args:
        cache: Where blocks are kept.
        connection: In the transaction that has the state; None: nothing can be read.
        blocks: What was kept when it began.
        began: The life of the cache, and how far its log of changes was then.
    """

    def __init__(
        self,
        cache: SampleCache,
        connection: PoolConnectionProxy | None,
        blocks: dict[Key, Block[Any]],
        began: tuple[int, int],
    ) -> None:
        self._cache = cache
        self._connection = connection
        self._blocks = blocks
        self._began = began

    def remembered(self, wanted: Content[Data], span: Span) -> Data | None:
        """Return samples that need not be read; may be called in any thread.

        Args:
            wanted: Of which series.
            span: What is wanted of them.

        Returns:
            The samples; None where some have to be read.

        Raises:
            TooManySamplesError: There are more samples than allowed.
        """
        keys = _keys(wanted, span) if self._fits(wanted, span) else []
        blocks: list[Block[Data]] = [block for key in keys if (block := self._blocks.get(key)) is not None]
        if not blocks or len(blocks) < len(keys):
            return None
        data = gather(blocks, wanted, (span.start_ms, span.end_ms))
        if data is None:
            return None
        usage.current().from_memory(wanted.samples(data), wanted.sample_bytes(data))
        return _limited(wanted, data, span)

    def holds(self, number: int, wanted: Content[Any]) -> bool:
        """Whether a block has all that it should have; may be called in any thread."""
        block = self._blocks.get((wanted.name, number))
        return block is not None and not block.changed and not len(block.missing(wanted.series))

    async def fill(self, number: int, wanted: Content[Any]) -> int:
        """Read what a block lacks, as far as it may be kept; return how many samples were read."""
        if wanted.usual_bytes > self._cache.max_bytes // 2:
            return 0
        try:
            return (await self._completed([number], wanted, _MOST_ROWS))[1]
        except ExecutionError:  # of too many samples, or bounds: the query that wants them tells its client
            return 0

    def use(self, wanted: Content[Data], span: Span, data: Data) -> None:
        """Count what was remembered."""
        self._cache.used(_keys(wanted, span))
        self._cache.hits += wanted.samples(data)

    async def read(self, wanted: Content[Data], span: Span) -> Data:
        """Read samples; errors as `reader.read_samples`.

        Args:
            wanted: Of which series.
            span: What to read of them.
        """
        if not self._fits(wanted, span):
            return await self._direct(wanted, span)
        try:
            blocks, read = await self._completed(_numbers(span), wanted, span.max_samples + _EDGE_ROWS)
        except _TOO_MUCH:  # in whole blocks; perhaps not within the span
            usage.current().settle()
            return await self._direct(wanted, span)
        data = await asyncio.to_thread(gather, blocks, wanted, (span.start_ms, span.end_ms))
        assert data is not None, "all was read"
        _limited(wanted, data, span)
        samples = wanted.samples(data)
        hits = max(0, samples - read)
        self._cache.used(_keys(wanted, span))
        self._cache.misses += samples - hits
        self._cache.hits += hits
        usage.current().from_memory(hits, wanted.sample_bytes(data) * hits // max(1, samples))
        return data

    async def _direct(self, wanted: Content[Data], span: Span) -> Data:
        """Read past the cache."""
        assert self._connection is not None
        data = await wanted.read(self._connection, wanted.series, span)
        return _limited(wanted, await asyncio.to_thread(wanted.narrowed, data), span)

    def _fits(self, wanted: Content[Any], span: Span) -> bool:
        """Whether so much can be kept at all."""
        count = len(_numbers(span))
        return count <= _MOST_BLOCKS and wanted.usual_bytes * count <= self._cache.max_bytes // 2

    async def _completed(
        self, numbers: Sequence[int], wanted: Content[Data], max_rows: int
    ) -> tuple[list[Block[Data]], int]:
        """Return blocks with all that they should have, and how many samples were read for it."""
        blocks = [self._blocks.get((wanted.name, number)) or Block.empty(number, wanted) for number in numbers]
        fresh, read = list(blocks), 0
        for places, known, within in _changed(blocks):
            data = await self._read(wanted, known, Span(*within, max_rows))
            read += wanted.samples(data)
            for place in places:
                fresh[place] = await asyncio.to_thread(
                    blocks[place].with_read, wanted, blocks[place].series, within, data
                )
        for places, absent, within in await asyncio.to_thread(lambda: [*_missing(blocks, wanted.series)]):
            data = await self._read(wanted, absent, Span(*within, max_rows))
            read += wanted.samples(data)
            for place in places:
                fresh[place] = await asyncio.to_thread(fresh[place].with_read, wanted, absent, within, data)
        if sum(block.nbytes for block in fresh) > self._cache.max_bytes // 2:
            return fresh, read  # more than usual: they would push out one another
        for old, new in zip(blocks, fresh, strict=True):
            if new is not old:
                key = (wanted.name, new.number)
                self._cache.install(key, self._blocks.get(key), new, self._began)
                self._blocks[key] = new
        return fresh, read

    async def _read(self, wanted: Content[Data], series_ids: NDArray[np.int64], span: Span) -> Data:
        assert self._connection is not None
        return await wanted.read(self._connection, series_ids, span)


Reading = tuple[list[int], NDArray[np.int64], Range]
"""What to read at once: for which blocks, of which series, within which time."""


def _numbers(span: Span) -> range:
    return range(span.start_ms // WIDTH_MS, span.end_ms // WIDTH_MS + 1)


def _keys(wanted: Content[Any], span: Span) -> list[Key]:
    return [(wanted.name, number) for number in _numbers(span)]


def _limited(wanted: Content[Data], data: Data, span: Span) -> Data:
    if wanted.load(data) > span.max_samples:
        raise TooManySamplesError
    return data


def _changed(blocks: Sequence[Block[Any]]) -> Iterator[Reading]:
    """Tell what has to be read again: all that neighbouring blocks with changes know."""
    for changed, run in groupby(range(len(blocks)), key=lambda place: bool(blocks[place].changed)):
        if changed:
            places = list(run)
            ranges = [one for place in places for one in blocks[place].changed]
            known = np.unique(np.concatenate([blocks[place].series for place in places]))
            yield places, known, (min(begin for begin, _ in ranges), max(end for _, end in ranges))


def _missing(blocks: Sequence[Block[Any]], series_ids: NDArray[np.int64]) -> Iterator[Reading]:
    """Tell what has to be read first: of neighbouring blocks that miss the same series at once."""
    absent = [block.missing(series_ids) for block in blocks]
    begin = 0
    for end in range(1, len(blocks) + 1):
        if end == len(blocks) or not np.array_equal(absent[begin], absent[end]):
            if len(absent[begin]):
                yield list(range(begin, end)), absent[begin], (blocks[begin].span[0], blocks[end - 1].span[1])
            begin = end
