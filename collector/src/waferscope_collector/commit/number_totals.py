"""Running totals of sums: blocks of neighbouring series, read and held in their order, added to, written back."""

from operator import itemgetter

import numpy as np
from asyncpg.pool import PoolConnectionProxy
from numpy.typing import NDArray

from waferscope_collector.copy import Samples
from waferscope_collector.decode.records import instant_ms
from waferscope_collector.fold.delta import NumberDeltas, NumberTotals, add_numbers
from waferscope_schemas import queries

_SQL = queries.load("waferscope_collector")
_BLOCK = 64  # series of a row: it fills a fifth of a page, so it is neither compressed nor moved out of the table
_TOTAL = np.dtype([("start", ">i8"), ("time", ">i8"), ("value", ">f8")])
_NEVER = np.iinfo(np.int64).min
_NONE_BEGUN = np.array([(_NEVER, _NEVER, 0.0)] * _BLOCK, _TOTAL).tobytes()


async def add(conn: PoolConnectionProxy, deltas: NumberDeltas) -> Samples:
    """Add a group's steps.

    Args:
        conn: A connection in the ledger's transaction.
        deltas: The steps.

    Returns:
        The samples to store.
    """
    series_ids, begins = np.unique(deltas.series_ids, return_index=True)
    blocks, rows = np.unique(series_ids // _BLOCK, return_inverse=True)
    keys = blocks.tolist()
    stored = await _locked(conn, keys)
    places = rows * _BLOCK + series_ids % _BLOCK
    known = stored[places]
    new = known["start"] == _NEVER
    starts = np.where(new, np.minimum.reduceat(deltas.starts, begins), known["start"])
    times = np.where(new, starts - 1, known["time"])  # before the start, where the zero then goes
    totals, samples = add_numbers(deltas, NumberTotals(series_ids, starts, times, known["value"].astype(np.float64)))
    await _tell_starts(conn, series_ids[new], starts[new])
    stored["start"][places], stored["time"][places], stored["value"][places] = starts, totals.times, totals.values
    contents = stored.tobytes()
    size = _BLOCK * _TOTAL.itemsize
    parts = [contents[begin : begin + size] for begin in range(0, len(contents), size)]
    await conn.execute(_SQL["update_number_totals"], keys, parts)
    return samples


async def _locked(conn: PoolConnectionProxy, blocks: list[int]) -> NDArray[np.void]:
    """Read blocks and hold them, beginning those that are not there.

    Returns:
        The totals of all series of each block, in the order given.
    """
    rows = await conn.fetch(_SQL["lock_number_totals"], blocks)
    if len(rows) < len(blocks):
        absent = sorted(set(blocks) - {row["block"] for row in rows})
        await conn.execute(_SQL["insert_number_totals"], absent, _NONE_BEGUN)
        found = await conn.fetch(_SQL["lock_number_totals"], absent)
        rows = sorted([*rows, *found], key=itemgetter("block"))
    return np.frombuffer(bytearray().join([row["totals"] for row in rows]), _TOTAL)


async def _tell_starts(conn: PoolConnectionProxy, series_ids: NDArray[np.int64], starts: NDArray[np.int64]) -> None:
    if len(series_ids):
        times = [instant_ms(start) for start in starts.tolist()]
        await conn.execute(_SQL["insert_start_times"], series_ids.tolist(), times, times)
