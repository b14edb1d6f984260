"""The ledger: a request that comes again is acknowledged and changes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from asyncpg.pool import PoolConnectionProxy
from numpy.typing import NDArray

from waferscope_collector.batch import Batch
from waferscope_collector.decode.records import instant
from waferscope_schemas import queries

_SQL = queries.load("waferscope_collector")
_HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Entry:
    """A request that is in the ledger since this transaction."""

    batch: Batch
    batch_id: int


async def enter(conn: PoolConnectionProxy, batches: Sequence[Batch]) -> list[Entry]:
    """Enter requests in the order of their digests; requests that are there already are left out."""
    by_digest = {batch.digest: batch for batch in batches}
    ordered = [by_digest[digest] for digest in sorted(by_digest)]
    rows = await conn.fetch(
        _SQL["insert_batches"],
        [batch.digest for batch in ordered],
        [batch.signal for batch in ordered],
        [batch.size for batch in ordered],
        [batch.points is not None and batch.points.repeatable for batch in ordered],
    )
    return [Entry(by_digest[row["digest"]], row["batch_id"]) for row in rows]


async def enter_hours(conn: PoolConnectionProxy, batch_ids: NDArray[np.int64], times: NDArray[np.int64]) -> None:
    """Tell readers which hours each request touched.

    Args:
        conn: A connection in the ledger's transaction.
        batch_ids: Of each stored sample.
        times: Of each stored sample, Unix time, ms.
    """
    if not len(times):
        return
    hours = times // _HOUR_MS
    first = int(hours.min())
    span = int(hours.max()) - first + 1
    unique, inverse, counts = np.unique(batch_ids * span + (hours - first), return_inverse=True, return_counts=True)
    lowest = np.full(len(counts), np.iinfo(np.int64).max)
    highest = np.full(len(counts), np.iinfo(np.int64).min)  # times before 1970 are negative
    np.minimum.at(lowest, inverse, times)
    np.maximum.at(highest, inverse, times)
    await conn.execute(
        _SQL["insert_hours"],
        (unique // span).tolist(),
        [instant((first + hour) * _HOUR_MS * 1_000_000) for hour in (unique % span).tolist()],
        [instant(time * 1_000_000) for time in lowest.tolist()],
        [instant(time * 1_000_000) for time in highest.tolist()],
        counts.tolist(),
    )
