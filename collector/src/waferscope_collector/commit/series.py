"""Series first: every point of a group gets the id of its series, and changed starts are stored, before the commit."""

import asyncio
from collections.abc import Sequence

import numpy as np
from asyncpg.pool import PoolConnectionProxy

from waferscope_collector import identify
from waferscope_collector.batch import Batch, Identified
from waferscope_collector.decode.points import Histograms, Numbers, Series
from waferscope_collector.families import Families, tell
from waferscope_collector.identify import Ids, Keys, SeriesCache, SeriesTable

Kinds = Sequence[Identified[Numbers] | Identified[Histograms]]


async def provide(conn: PoolConnectionProxy, batches: Sequence[Batch], cache: SeriesCache, families: Families) -> int:
    """Give every point the id of its series, creating those that are missing; store the starts that changed.

    Args:
        conn: A connection outside of a transaction.
        batches: The group.
        cache: Knows series already, and learns of those that are created.
        families: What is known of metrics beside their series.

    Returns:
        How many series were created.
    """
    told = [family for batch in batches if batch.points for family in batch.points.families]
    new = families.learn(told)
    kinds = [kind for batch in batches if batch.points for kind in batch.points.all]
    absent = [(kind, positions) for kind in kinds if len(positions := kind.missing())]
    try:
        created = await _create(conn, absent, cache, families) if absent else 0
        if new:
            await tell(conn, new)
    except BaseException:
        families.forget(new)
        raise
    await _tell_starts(conn, batches, cache)
    return created


async def _create(
    conn: PoolConnectionProxy,
    absent: Sequence[tuple[Identified[Numbers] | Identified[Histograms], np.ndarray]],
    cache: SeriesCache,
    families: Families,
) -> int:
    described = await asyncio.to_thread(
        lambda: [series for kind, positions in absent for series in kind.describe(positions)]
    )
    known = [families.complete(series) for series in described if isinstance(series, Series)]
    created = await identify.create(conn, known)
    keys: Keys = np.concatenate([kind.points.keys[positions] for kind, positions in absent])
    ids: Ids = np.array(
        [
            created.ids[series.fingerprint] if isinstance(series, Series) else cache.refusal(series)
            for series in described
        ],
        np.int64,
    )
    found = SeriesTable()
    found.put(keys, ids)
    cache.put(keys, ids)
    for kind, _ in absent:
        kind.fill(found)
    return created.new


async def _tell_starts(conn: PoolConnectionProxy, batches: Sequence[Batch], cache: SeriesCache) -> None:
    """Store the starts of cumulative counters that are others than the last ones."""
    changed: list[tuple[Keys, Ids, Ids, Ids]] = []
    for batch in batches:
        for kind in batch.points.numbers if batch.points else ():
            points = kind.points
            positions = np.flatnonzero(points.starting & (kind.ids > 0))
            if len(positions):
                starts = points.starts[positions]
                positions = positions[cache.starts(points.keys[positions]) != starts]
            if len(positions):
                ids, times, starts = kind.ids[positions], points.times[positions], points.starts[positions]
                changed.append((points.keys[positions], ids, times, starts))
    if changed:
        keys, ids, times, starts = (np.concatenate(column) for column in zip(*changed, strict=True))
        await identify.enter_starts(conn, ids, times, starts)
        order = np.argsort(times, kind="stable")
        cache.tell_starts(keys[order], starts[order])
