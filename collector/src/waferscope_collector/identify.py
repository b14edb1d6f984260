"""Identify: from the keys of points to the ids of their series, by a table in memory.

Missing series are created before the commit, in short transactions of their own and in the order of their fingerprints:
two writers can't deadlock over them, and the ids that enter the table belong to committed rows.
"""

import os
import struct
import threading
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass

import numpy as np
from asyncpg.pool import PoolConnectionProxy
from numpy.typing import NDArray

from waferscope_collector.cardinality import Cardinality
from waferscope_collector.decode.points import Series
from waferscope_collector.decode.records import instant_ms
from waferscope_collector.wire import table
from waferscope_schemas import queries

_SQL = queries.load("waferscope_collector")

UNKNOWN, UNUSABLE = 0, -1  # stand for ids that are not there yet, and for points that were refused before
_REFUSED = -2  # and below: the series can't be stored, for the reason of this number
_FIRST_SIZE = 1 << 12  # slots

Keys = NDArray[np.uint64]
Ids = NDArray[np.int64]


class SeriesTable:
    """Ids and starts by key."""

    def __init__(self, size: int = _FIRST_SIZE) -> None:
        self.used = 0
        self._slots = np.zeros((size, 2), np.uint64)
        self._ids = np.zeros(size, np.int64)
        self._starts = np.zeros(size, np.int64)  # Unix time, ms; 0: none was told

    def ids(self, keys: Keys) -> Ids:
        """Return the id of each key; `UNKNOWN` where there is none."""
        found = table.find(self._slots, keys)
        return np.where(found < 0, UNKNOWN, self._ids[found])

    def starts(self, keys: Keys) -> Ids:
        """Return the start that was told last of each key; 0 where there is none."""
        found = table.find(self._slots, keys)
        return np.where(found < 0, 0, self._starts[found])

    def put(self, keys: Keys, ids: Ids) -> None:
        """Enter ids."""
        while 2 * (self.used + len(keys)) > len(self._slots):
            self._rebuild(np.flatnonzero(self._slots[:, 0]), 2 * len(self._slots))
        found, new = table.insert(self._slots, keys)
        self.used += new
        self._ids[found] = ids

    def tell_starts(self, keys: Keys, starts: Ids) -> None:
        """Enter starts of keys that are there."""
        found = table.find(self._slots, keys)
        known = found >= 0
        self._starts[found[known]] = starts[known]

    def forget_refusals(self) -> None:
        """Keep the keys that have an id only."""
        self._rebuild(np.flatnonzero(self._ids > UNKNOWN), len(self._slots))

    def _rebuild(self, kept: NDArray[np.intp], size: int) -> None:
        """Move some slots into a table of another size."""
        keys, ids, starts = self._slots[kept], self._ids[kept], self._starts[kept]
        self._slots = np.zeros((size, 2), np.uint64)
        self._ids, self._starts = np.zeros(size, np.int64), np.zeros(size, np.int64)
        found, self.used = table.insert(self._slots, keys)
        self._ids[found], self._starts[found] = ids, starts


class SeriesCache:
    """Knows the ids of the series that were seen lately; used from several threads."""

    def __init__(self, capacity: int) -> None:
        self.seed: tuple[int, int] = struct.unpack("<QQ", os.urandom(16))
        self._capacity = capacity
        self._lock = threading.Lock()
        self._table = SeriesTable()
        self._reasons: list[str] = []

    def __len__(self) -> int:
        return self._table.used

    def ids(self, keys: Keys) -> Ids:
        """Return the id of each key; `UNKNOWN` where there is none, a number for `reason` where it can't be stored."""
        with self._lock:
            return self._table.ids(keys)

    def starts(self, keys: Keys) -> Ids:
        """Return the start that was told last of each key, Unix time in ms; 0 where there is none."""
        with self._lock:
            return self._table.starts(keys)

    def put(self, keys: Keys, ids: Ids) -> None:
        """Remember ids. A full table is emptied: what is alive comes back with the next requests."""
        with self._lock:
            if self._table.used + len(keys) > self._capacity:
                self._table = SeriesTable()
            self._table.put(keys, ids)

    def tell_starts(self, keys: Keys, starts: Ids) -> None:
        """Remember which starts are stored."""
        with self._lock:
            self._table.tell_starts(keys, starts)

    def forget_refusals(self) -> None:
        """Forget what could not be stored, so that it is asked for again."""
        with self._lock:
            self._table.forget_refusals()

    def refusal(self, reason: str) -> int:
        """Return the number that stands for a reason."""
        with self._lock:
            if reason not in self._reasons:
                self._reasons.append(reason)
            return _REFUSED - self._reasons.index(reason)

    def reason(self, number: int) -> str:
        """Return the reason that a number stands for."""
        return self._reasons[_REFUSED - number]


def distinct(keys: Keys) -> NDArray[np.intp]:
    """Return the position of the first of each key."""
    _, first = np.unique(np.ascontiguousarray(keys).view("V16").ravel(), return_index=True)
    return first


@dataclass(frozen=True, slots=True)
class Created:
    """What `create` found or made."""

    ids: dict[bytes, int]  # by fingerprint
    refused: dict[bytes, str]  # the reason by fingerprint
    new: int  # series that were not there


async def create(conn: PoolConnectionProxy, series: Sequence[Series], guard: Cardinality) -> Created:
    """Create the series that are not there, as far as they may be.

    Args:
        conn: A connection outside of a transaction.
        series: In any order, repeated or not.
        guard: Knows which may be.

    Returns:
        The id of each.
    """
    wanted = {item.fingerprint: item for item in sorted(series, key=lambda item: item.classic)}
    ids = await _select(conn, wanted)
    absent = [wanted[key] for key in sorted(wanted.keys() - ids.keys())]
    refused = await guard.refuse(conn, absent) if absent else {}
    absent = [item for item in absent if item.fingerprint not in refused]
    created = await conn.fetch(_SQL["insert_series"], *_columns(absent)) if absent else []
    ids |= {row["fingerprint"]: row["series_id"] for row in created}
    if len(ids) + len(refused) < len(wanted):  # another writer was faster
        ids |= await _select(conn, {key: wanted[key] for key in wanted.keys() - ids.keys() - refused.keys()})
    return Created(ids, refused, len(created))


async def enter_starts(conn: PoolConnectionProxy, ids: Ids, times: Ids, starts: Ids) -> None:
    """Store start timestamps that changed.

    Args:
        conn: A connection outside of a transaction.
        ids: Series.
        times: Of the first sample with the start, Unix time, ms.
        starts: Unix time, ms; 0 where nobody tells any more.
    """
    order = np.lexsort((starts, times, ids))
    ids, times, starts = ids[order], times[order], starts[order]
    changed = np.ones(len(ids), np.bool_)
    changed[1:] = (np.diff(ids) != 0) | (np.diff(starts) != 0)
    rows = zip(ids[changed].tolist(), times[changed].tolist(), starts[changed].tolist(), strict=True)
    columns = [(series_id, instant_ms(time), instant_ms(start)) for series_id, time, start in rows]
    if columns:
        await conn.execute(_SQL["insert_start_times"], *map(list, zip(*columns, strict=True)))


def _columns(series: list[Series]) -> tuple[list[bytes | str | bool], ...]:
    rows = [astuple(item) for item in series]
    return tuple(map(list, zip(*rows, strict=True)))


async def _select(conn: PoolConnectionProxy, wanted: Mapping[bytes, Series]) -> dict[bytes, int]:
    """Find the series that are there, and see to it that they are shown as they came now."""
    rows = await conn.fetch(_SQL["select_series"], list(wanted))
    classic = [row["series_id"] for row in rows if wanted[row["fingerprint"]].classic and not row["classic"]]
    if classic:
        await conn.execute(_SQL["show_classic"], sorted(classic))
    return {row["fingerprint"]: row["series_id"] for row in rows}
