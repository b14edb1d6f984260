"""Reading plain samples the fastest way: all series at once where most are wanted, and much by two connections."""

import asyncio
from dataclasses import replace

import numpy as np
from asyncpg.pool import PoolConnectionProxy
from numpy.typing import NDArray

from waferscope_query.promql.errors import TooManySamplesError
from waferscope_query.promql.source import USUAL_INTERVAL_MS
from waferscope_query.storage.cache.splicing import gathered
from waferscope_query.storage.database import Database
from waferscope_query.storage.reader import Span, read_samples, same_snapshot
from waferscope_query.storage.runs import Runs
from waferscope_schemas import queries

_SQL = queries.load("waferscope_query")
_ALL_FROM = 2  # the part of all series from which on reading those of all is faster
_MUCH = 50_000  # samples: worth a second connection


class SampleReader:
    """Reads samples in a transaction, and beside it where another connection is to spare.

    Args:
        database: Lends the second connection.
    """

    def __init__(self, database: Database) -> None:
        self.stored = 0  # series that may have samples
        self._database = database

    async def read(self, connection: PoolConnectionProxy, series_ids: NDArray[np.int64], span: Span) -> Runs:
        """Read plain samples (see `reader.read_samples`).

        Args:
            connection: In a transaction of REPEATABLE READ.
            series_ids: int64[n], stored series, ascending.
            span: What to read of them.
        """
        if _ALL_FROM * len(series_ids) >= self.stored:
            try:
                return await self._read(connection, series_ids, span, most=True)
            except TooManySamplesError:  # of all; perhaps not of these
                pass
        return await self._read(connection, series_ids, span, most=False)

    async def _read(
        self, connection: PoolConnectionProxy, series_ids: NDArray[np.int64], span: Span, *, most: bool
    ) -> Runs:
        middle = (span.start_ms + span.end_ms) // 2
        if (
            len(series_ids) * (span.end_ms - span.start_ms) // USUAL_INTERVAL_MS < _MUCH
            or not self._database.to_spare()
        ):
            return await read_samples(connection, series_ids, span, most=most)
        snapshot = await connection.fetchval(_SQL["export_snapshot"])
        async with self._database.connection() as other, same_snapshot(other, snapshot):
            parts = await asyncio.gather(
                read_samples(connection, series_ids, replace(span, end_ms=middle), most=most),
                read_samples(other, series_ids, replace(span, start_ms=middle + 1), most=most),
                return_exceptions=True,  # a COPY has to be read to its end
            )
        earlier, later = (_raised(part) for part in parts)
        if len(earlier) + len(later) > span.max_samples:
            raise TooManySamplesError
        return await asyncio.to_thread(gathered, [earlier, later], series_ids, (span.start_ms, span.end_ms))


def _raised(part: Runs | BaseException) -> Runs:
    if isinstance(part, BaseException):
        raise part
    return part
