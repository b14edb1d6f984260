"""Deleting samples, in one transaction with what others must know of it."""

import numpy as np
from numpy.typing import NDArray

from waferscope_query.storage.database import Database
from waferscope_query.storage.reader import instant
from waferscope_schemas import queries

_SQL = queries.load("waferscope_query")
_PARTS = (
    *("delete_samples", "delete_histogram_samples", "delete_exemplars"),
    *("keep_start_times", "delete_start_times"),
)


async def delete_samples(database: Database, series_ids: NDArray[np.int64], start_ms: int, end_ms: int) -> None:
    """Delete the samples of series; the series themselves stay.

    Caches and rollups learn of it by the change feed. Requests that overlap the range are forgotten, so that whoever
    sends them again gets his samples back; those with deltas are not, since they would add to their totals twice.

    Args:
        database: The site's.
        series_ids: int64[n], stored series.
        start_ms: First timestamp, inclusive, Unix time.
        end_ms: Last timestamp, inclusive.

    Raises:
        StorageError: Nothing was deleted.
    """
    ids, begin, end = series_ids.tolist(), instant(start_ms), instant(end_ms + 1)
    async with database.connection() as connection, connection.transaction():
        await connection.execute(_SQL["may_decompress"])
        for part in _PARTS:
            await connection.execute(_SQL[part], ids, begin, end)
        await connection.execute(_SQL["tell_deletion"], ids, begin, end)
        await connection.execute(_SQL["forget_requests"], begin, end)
