"""The index and the cache follow the change feed: one poll at each query, shared by all queries that wait for one."""

import asyncio
import time

import asyncpg
import msgspec
from asyncpg.pool import PoolConnectionProxy

from waferscope_query.storage.cache.changes import poll_news
from waferscope_query.storage.cache.session import SampleCache
from waferscope_query.storage.database import Database
from waferscope_query.storage.index import SeriesIndex, StoredSeries
from waferscope_query.storage.reader import one_snapshot
from waferscope_schemas import queries
from waferscope_schemas.feed import current_snapshot

_SQL = queries.load("waferscope_query")
_AT_ONCE = 20_000  # series


class Follower:
    """Keeps an index and a cache current.

    Args:
        database: Where the feed is.
        index: What to fill.
        cache: What to tell of changes.
    """

    def __init__(self, database: Database, index: SeriesIndex, cache: SampleCache) -> None:
        self._database = database
        self._index = index
        self._cache = cache
        self._snapshot: str | None = None
        self._running: asyncio.Task[None] | None = None
        self._waiting: asyncio.Task[None] | None = None
        self.polls = 0
        self.polled_at: float | None = None  # by time.monotonic, when the newest successful poll began

    async def refresh(self) -> None:
        """Return once index and cache know of all that was committed before this call.

        A poll under way may have looked too early for that, so the caller waits for the next one, together with all
        others who came meanwhile.

        Raises:
            StorageError: The poll failed.
        """
        if self._waiting is None:
            self._waiting = asyncio.create_task(self._poll_after(self._running))
            self._waiting.add_done_callback(_seen)
        await asyncio.shield(self._waiting)

    async def _poll_after(self, previous: asyncio.Task[None] | None) -> None:
        if previous is not None:
            await asyncio.wait([previous])
        self._running, self._waiting = self._waiting, None
        began = time.monotonic()
        async with self._database.connection() as connection:
            snapshot, rows = await self._poll(connection)
        if rows:
            await asyncio.to_thread(self._fill, rows)
        self._snapshot, self.polled_at = snapshot, began
        self.polls += 1

    async def _poll(self, connection: PoolConnectionProxy) -> tuple[str, list[asyncpg.Record]]:
        if self._snapshot is None:
            return await self._read_all(connection), []
        async with self._cache.polling:
            news = await poll_news(connection, self._snapshot, self._cache.since())
            self._cache.follow(news.snapshot, news.touched)
        return news.snapshot, news.series

    async def _read_all(self, connection: PoolConnectionProxy) -> str:
        """Read every series, some at a time: as records they take several times the room they have in the index."""
        async with one_snapshot(connection):
            snapshot = await current_snapshot(connection)
            cursor = await connection.cursor(_SQL["all_series"])
            while rows := await cursor.fetch(_AT_ONCE):
                await asyncio.to_thread(self._fill, rows)
        return snapshot

    def _fill(self, rows: list[asyncpg.Record]) -> None:
        self._index.add([_stored(row) for row in rows])
        self._cache.stored = self._index.stored


def _stored(row: asyncpg.Record) -> StoredSeries:
    labels = msgspec.json.decode(row["labels"])
    told = (row["kind"], row["unit"], row["help"], row["classic"])
    return StoredSeries(row["series_id"], row["metric"], labels, *told)


def _seen(task: asyncio.Task[None]) -> None:
    """Take note of a failure that nobody waited for: the next query polls again and meets it itself."""
    if not task.cancelled():
        task.exception()
