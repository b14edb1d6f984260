"""Native histograms as arrays: a table of histograms, and cells that point into it.

A histogram has buckets on a positive and a negative side, each stored densely from its first used index on, and either
an exponential layout (schema -4 to 8, with a zero bucket) or bounds of its own (schema -53; "custom buckets"). Bucket i
of schema s reaches from 2^((i-1)·2^-s) to 2^(i·2^-s), as Prometheus counts; of custom buckets, to the bound i.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

CUSTOM_BUCKETS = -53
"""The schema of histograms with bounds of their own."""

SCHEMA, HINT, BOUNDS, POSITIVE_FIRST, POSITIVE_AT, POSITIVE_SIZE, NEGATIVE_FIRST, NEGATIVE_AT, NEGATIVE_SIZE = range(9)
"""Columns of `HistogramTable.shape`."""

COUNT, SUM, ZERO_COUNT, ZERO_THRESHOLD = range(4)
"""Columns of `HistogramTable.head`."""


class Hint(enum.IntEnum):
    """What is known about a counter reset before a histogram (Prometheus, CounterResetHint)."""

    UNKNOWN = 0
    RESET = 1
    NOT_RESET = 2
    GAUGE = 3


@dataclass(frozen=True, slots=True)
class Histogram:
    """One histogram, for reading and writing by hand; `positive` and `negative` start at the index `…_first`."""

    count: float = 0.0
    sum: float = 0.0
    schema: int = 0
    zero_threshold: float = 0.0
    zero_count: float = 0.0
    positive: tuple[float, ...] = ()
    positive_first: int = 0
    negative: tuple[float, ...] = ()
    negative_first: int = 0
    bounds: tuple[float, ...] = ()
    hint: Hint = Hint.UNKNOWN


class HistogramTable(NamedTuple):
    """m histograms; immutable, so that tables share their pools.

    Attributes:
        shape: int64[m, 9], see SCHEMA and its neighbours; a side's buckets are buckets[AT : AT + SIZE].
        head: float64[m, 4], see COUNT and its neighbours.
        buckets: float64[k]: the pool of bucket counts, each for its bucket alone.
        bounds: float64[b]: the pool of custom bounds, upper ones without +Inf.
        bound_ends: int64[u + 1]: set of bounds i is bounds[bound_ends[i] : bound_ends[i + 1]]; set 0 is empty.
    """

    shape: NDArray[np.int64]
    head: NDArray[np.float64]
    buckets: NDArray[np.float64]
    bounds: NDArray[np.float64]
    bound_ends: NDArray[np.int64]

    def take(self, rows: NDArray[np.integer]) -> HistogramTable:
        """Select histograms; the pools stay as they are."""
        return self._replace(shape=self.shape[rows], head=self.head[rows])

    def one(self, row: int) -> Histogram:
        """One histogram as a value."""
        shape = self.shape[row].tolist()
        count, total, zero_count, zero_threshold = self.head[row].tolist()
        first, last = self.bound_ends[shape[BOUNDS]], self.bound_ends[shape[BOUNDS] + 1]
        sides = [
            tuple(self.buckets[shape[at] : shape[at] + shape[size]].tolist())
            for at, size in ((POSITIVE_AT, POSITIVE_SIZE), (NEGATIVE_AT, NEGATIVE_SIZE))
        ]
        return Histogram(
            count=count,
            sum=total,
            schema=shape[SCHEMA],
            zero_threshold=zero_threshold,
            zero_count=zero_count,
            positive=sides[0],
            positive_first=shape[POSITIVE_FIRST],
            negative=sides[1],
            negative_first=shape[NEGATIVE_FIRST],
            bounds=tuple(self.bounds[first:last].tolist()),
            hint=Hint(shape[HINT]),
        )


@dataclass(frozen=True, slots=True, eq=False)
class HistogramCells:
    """Which samples or values are histograms.

    Attributes:
        table: The histograms.
        at: int32 in the shape of the values: the row of `table`, or -1 where the value is a float.
    """

    table: HistogramTable
    at: NDArray[np.int32]

    def take(self, index: NDArray[np.integer] | NDArray[np.bool_] | tuple[NDArray[np.integer], ...]) -> HistogramCells:
        """Select cells."""
        return HistogramCells(self.table, self.at[index])


def histogram_table(histograms: Sequence[Histogram]) -> HistogramTable:
    """Put histograms into a table, in their order."""
    shape = np.zeros((len(histograms), 9), np.int64)
    head = np.zeros((len(histograms), 4))
    buckets: list[float] = []
    known: dict[tuple[float, ...], int] = {(): 0}
    for row, one in enumerate(histograms):
        bounds = known.setdefault(one.bounds, len(known))
        at = len(buckets)
        shape[row] = (
            *(one.schema, one.hint, bounds),
            *(one.positive_first, at, len(one.positive)),
            *(one.negative_first, at + len(one.positive), len(one.negative)),
        )
        head[row] = (one.count, one.sum, one.zero_count, one.zero_threshold)
        buckets += [*one.positive, *one.negative]
    ends = np.cumsum([0, *map(len, known)], dtype=np.int64)
    pool = np.array([bound for bounds in known for bound in bounds], np.float64)
    return HistogramTable(shape, head, np.array(buckets, np.float64), pool, ends)


def stack_cells(pieces: Sequence[tuple[HistogramCells | None, tuple[int, ...]]]) -> HistogramCells | None:
    """Put cells one after the other along their first axis; each piece comes with its shape, None holds floats only."""
    filled = [cells for cells, _ in pieces if cells is not None]
    if not filled:
        return None
    table, firsts = stack_tables([cells.table for cells in filled])
    shifts = iter(firsts)
    at = [
        np.full(shape, -1, np.int32) if cells is None else _shifted(cells.at, next(shifts)) for cells, shape in pieces
    ]
    return HistogramCells(table, np.concatenate(at))


def _shifted(at: NDArray[np.int32], first: int) -> NDArray[np.int32]:
    return np.where(at >= 0, at + np.int32(first), at).astype(np.int32)


def stack_tables(tables: Sequence[HistogramTable]) -> tuple[HistogramTable, list[int]]:
    """Put tables, at least one, one after the other; where the rows of each begin is told as well."""
    if all(table is tables[0] for table in tables):
        return tables[0], [0] * len(tables)
    shapes, firsts, ends = [], [0], [np.zeros(1, np.int64)]
    buckets, bounds, sets = 0, 0, 0
    for table in tables:
        shape = table.shape.copy()
        shape[:, (POSITIVE_AT, NEGATIVE_AT)] += buckets
        shape[:, BOUNDS] += sets
        shapes.append(shape)
        ends.append(table.bound_ends[1:] + bounds)
        firsts.append(firsts[-1] + len(shape))
        buckets, bounds, sets = buckets + len(table.buckets), bounds + len(table.bounds), sets + len(ends[-1])
    stacked = HistogramTable(
        np.concatenate(shapes),
        np.concatenate([table.head for table in tables]),
        np.concatenate([table.buckets for table in tables]),
        np.concatenate([table.bounds for table in tables]),
        np.concatenate(ends),
    )
    return stacked, firsts[:-1]
