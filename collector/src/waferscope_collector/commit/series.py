"""Series first: every point of a group gets the id of its series, and changed starts are stored, before the commit."""

import asyncio
from collections.abc import Sequence

import numpy as np
from asyncpg.pool import PoolConnectionProxy
from numpy.typing import NDArray

from waferscope_collector import identify
from waferscope_collector.batch import Batch, Identified
from waferscope_collector.cardinality import Cardinality
from waferscope_collector.decode.limits import Limits
from waferscope_collector.decode.points import Histograms, Numbers, Series
from waferscope_collector.families import Families, tell
from waferscope_collector.identify import Created, Ids, Keys, SeriesCache, SeriesTable

_Absent = Sequence[tuple[Identified[Numbers] | Identified[Histograms], NDArray[np.intp]]]


class SeriesProvider:
    """Gives points their series.

    Args:
        cache: Knows series already, and learns of those that are created.
        limits: How many there may be.
    """

    def __init__(self, cache: SeriesCache, limits: Limits) -> None:
        self._cache = cache
        self._families = Families()
        self.guard = Cardinality(limits)

    async def provide(self, conn: PoolConnectionProxy, batches: Sequence[Batch]) -> int:
        """Give every point of a group the id of its series, creating those that are missing; store changed starts.

        Args:
            conn: A connection outside of a transaction.
            batches: The group.

        Returns:
            How many series were created.
        """
        points = [batch.points for batch in batches if batch.points]
        new = self._families.learn(family for item in points for family in item.families)
        absent = [(kind, positions) for item in points for kind in item.all if len(positions := kind.missing())]
        try:
            created = await self._create(conn, absent) if absent else 0
            if new:
                await tell(conn, new)
        except BaseException:
            self._families.forget(new)
            raise
        await self._tell_starts(conn, [kind for item in points for kind in item.numbers])
        return created

    async def _create(self, conn: PoolConnectionProxy, absent: _Absent) -> int:
        described = await asyncio.to_thread(
            lambda: [series for kind, positions in absent for series in kind.describe(positions)]
        )
        complete = [self._families.complete(series) for series in described if isinstance(series, Series)]
        if self.guard.due:
            self._cache.forget_refusals()
        created = await identify.create(conn, complete, self.guard)
        keys: Keys = np.concatenate([kind.points.keys[positions] for kind, positions in absent])
        ids: Ids = np.array([self._id(series, created) for series in described], np.int64)
        found = SeriesTable()
        found.put(keys, ids)
        self._cache.put(keys, ids)
        for kind, _ in absent:
            kind.fill(found)
        return created.new

    def _id(self, series: Series | str, created: Created) -> int:
        """Return the id of a series, or what stands for the reason why it has none."""
        if isinstance(series, str):
            return self._cache.refusal(series)
        refused = created.refused.get(series.fingerprint)
        return created.ids[series.fingerprint] if refused is None else self._cache.refusal(refused)

    async def _tell_starts(self, conn: PoolConnectionProxy, kinds: Sequence[Identified[Numbers]]) -> None:
        """Store the starts of cumulative counters that are others than the last ones."""
        told: list[tuple[Keys, Ids, Ids, Ids]] = []
        others: list[Ids] = []
        for kind in kinds:
            points = kind.points
            positions = np.flatnonzero(points.starting & (kind.ids > 0))
            if len(positions):
                keys, ids, starts = points.keys[positions], kind.ids[positions], points.starts[positions]
                others.append(ids[self._cache.starts(keys) != starts])
                told.append((keys, ids, points.times[positions], starts))
        if not sum(map(len, others)):
            return
        keys, ids, times, starts = (np.concatenate(column) for column in zip(*told, strict=True))
        changing = np.isin(ids, np.concatenate(others))  # all their points: a start may change, and change back
        keys, ids, times, starts = keys[changing], ids[changing], times[changing], starts[changing]
        await identify.enter_starts(conn, ids, times, starts)
        order = np.argsort(times, kind="stable")
        self._cache.tell_starts(keys[order], starts[order])
