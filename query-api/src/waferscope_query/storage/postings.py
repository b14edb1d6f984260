"""Posting lists of one label name: which series carry which of its values."""

import numpy as np
from numpy.typing import NDArray

from waferscope_query.promql.labels import Codes
from waferscope_query.storage.arrays import GrowingArray, positions, ranges

Rows = NDArray[np.int32]
"""Positions of series in the index, ascending."""

_TAIL_MIN = 4096
_TAIL_SHARE = 8


class Postings:
    """Rows by value, in arrays: a sorted base and an unsorted tail of what came since.

    The tail is scanned, which costs microseconds, and merged once it exceeds an eighth of the base: so a few new series
    per second don't sort a million rows each time.
    """

    __slots__ = ("_base_rows", "_base_starts", "_base_values", "_tail_rows", "_tail_values")

    def __init__(self) -> None:
        self._base_values: Codes = np.zeros(0, np.int32)
        self._base_starts: NDArray[np.int64] = np.zeros(1, np.int64)
        self._base_rows: Rows = np.zeros(0, np.int32)
        self._tail_values = GrowingArray[np.int32](np.int32)
        self._tail_rows = GrowingArray[np.int32](np.int32)

    def add(self, values: Codes, rows: Rows) -> None:
        """Note which value new rows carry; rows ascend within a call and from call to call."""
        self._tail_values.extend(values)
        self._tail_rows.extend(rows)
        if len(self._tail_rows) > max(_TAIL_MIN, len(self._base_rows) // _TAIL_SHARE):
            self._merge()

    def values(self) -> Codes:
        """Distinct values, ascending by code."""
        return np.union1d(self._base_values, self._tail_values.view)

    def rows(self) -> Rows:
        """Rows that carry the label at all."""
        return np.sort(np.concatenate([self._base_rows, self._tail_rows.view]))

    def counts(self) -> tuple[Codes, NDArray[np.int64]]:
        """Distinct values, ascending by code, and how many rows carry each."""
        values = np.concatenate([np.repeat(self._base_values, np.diff(self._base_starts)), self._tail_values.view])
        distinct, counts = np.unique(values, return_counts=True)
        return distinct, counts.astype(np.int64)

    def size_of(self, values: Codes) -> int:
        """How many rows carry one of some distinct values."""
        at, known = positions(values, self._base_values)
        base = (self._base_starts[at[known] + 1] - self._base_starts[at[known]]).sum()
        return int(base + np.isin(self._tail_values.view, values).sum())

    def rows_of(self, values: Codes) -> Rows:
        """Rows that carry one of some distinct values."""
        at, known = positions(values, self._base_values)
        starts = self._base_starts[at[known]]
        counts = self._base_starts[at[known] + 1] - starts
        base = self._base_rows[ranges(starts, counts)]
        if len(starts) > 1:
            base.sort()
        tail = self._tail_rows.view[np.isin(self._tail_values.view, values)]
        return np.concatenate([base, tail])

    def _merge(self) -> None:
        counts = np.diff(self._base_starts)
        values = np.concatenate([np.repeat(self._base_values, counts), self._tail_values.view])
        rows = np.concatenate([self._base_rows, self._tail_rows.view])
        order = np.argsort(values, kind="stable")
        self._base_rows = rows[order]
        self._base_values, first = np.unique(values[order], return_index=True)
        self._base_starts = np.append(first, len(rows)).astype(np.int64)
        self._tail_values.clear()
        self._tail_rows.clear()
