"""Tables of histograms that hold nothing but what their rows need."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from waferscope_query.promql.evaluation.kernels.compiling import kernel
from waferscope_query.promql.evaluation.kernels.types import Floats, Ints
from waferscope_query.promql.histograms import (
    BOUNDS,
    NEGATIVE_AT,
    NEGATIVE_SIZE,
    POSITIVE_AT,
    POSITIVE_SIZE,
    HistogramTable,
)


def collected(tables: Sequence[HistogramTable], numbers: NDArray[np.int64]) -> HistogramTable:
    """Take histograms out of several tables.

    Args:
        tables: Any number.
        numbers: int64[n]: rows, counted through all tables.

    Returns:
        The n histograms over pools that have what they need alone: their buckets, and each set of bounds once.
    """
    firsts = np.cumsum([0, *(len(table.shape) for table in tables)]).tolist()
    used = sum(measure_buckets(table.shape, numbers, first) for table, first in zip(tables, firsts, strict=False))
    shape, head, buckets = np.empty((len(numbers), 9), np.int64), np.empty((len(numbers), 4)), np.empty(used)
    bounds, ends, at = [np.zeros(0)], [np.zeros(1, np.int64)], 0
    sets = size = 0
    for table, first in zip(tables, firsts, strict=False):
        rows = (table.shape, table.head.view(np.int64), table.buckets, numbers, first, sets)
        at = copy_rows(*rows, shape, head.view(np.int64), buckets, at)
        bounds.append(table.bounds)
        ends.append(table.bound_ends[1:] + size)
        sets, size = sets + len(ends[-1]), size + len(table.bounds)
    return _with_distinct_bounds(shape, head, buckets, np.concatenate(bounds), np.concatenate(ends))


def _with_distinct_bounds(
    shape: NDArray[np.int64],
    head: NDArray[np.float64],
    buckets: NDArray[np.float64],
    bounds: NDArray[np.float64],
    ends: NDArray[np.int64],
) -> HistogramTable:
    """Make a table of arrays of its own, of which `shape` may still be written."""
    out, out_ends = np.empty(len(bounds)), np.zeros(len(ends) + 1, np.int64)
    slots = np.full(1 << (2 * len(ends)).bit_length(), -1, np.int64)
    sets = unite_bounds(shape, bounds, bounds.view(np.int64), ends, slots, out, out_ends)
    return HistogramTable(shape, head, buckets, out[: out_ends[sets]].copy(), out_ends[: sets + 1].copy())


@kernel
def measure_buckets(shape: NDArray[np.int64], numbers: Ints, first: int) -> int:
    """How many buckets those of some rows have that are of a table, whose own rows count from `first`."""
    total = 0
    for i in range(len(numbers)):
        row = numbers[i] - first
        if 0 <= row < len(shape):
            total += shape[row, POSITIVE_SIZE] + shape[row, NEGATIVE_SIZE]
    return total


@kernel
def copy_rows(  # noqa: PLR0917 - compiled
    shape: NDArray[np.int64],
    head: NDArray[np.int64],
    buckets: Floats,
    numbers: Ints,
    first: int,
    sets: int,
    out_shape: NDArray[np.int64],
    out_head: NDArray[np.int64],
    out_buckets: Floats,
    used: int,
) -> int:
    """Copy those of some rows that are of a table.

    Args:
        shape: The table's.
        head: The table's, as bits, so that no NaN changes.
        buckets: The table's.
        numbers: int64[n]: rows of several tables.
        first: The number of this table's first row.
        sets: How many sets of bounds the tables before it have.
        out_shape: int64[n, 9], filled where a row is of this table.
        out_head: int64[n, 4], filled likewise.
        out_buckets: Filled from `used` on.
        used: How many buckets there are already.

    Returns:
        How many there are then.
    """
    for i in range(len(numbers)):
        row = numbers[i] - first
        if not 0 <= row < len(shape):
            continue
        out_shape[i] = shape[row]
        out_shape[i, BOUNDS] += sets
        out_head[i] = head[row]
        for at in (POSITIVE_AT, NEGATIVE_AT):
            begin, size = shape[row, at], shape[row, at + 1]
            for k in range(size):
                out_buckets[used + k] = buckets[begin + k]
            out_shape[i, at] = used
            used += size
    return used


@kernel
def unite_bounds(  # noqa: PLR0917 - compiled
    shape: NDArray[np.int64], bounds: Floats, bits: Ints, ends: Ints, slots: Ints, out: Floats, out_ends: Ints
) -> int:
    """Number sets of bounds anew, those that rows have and each once.

    Args:
        shape: Its numbers of sets are replaced.
        bounds: float64[b].
        bits: int64[b], the same.
        ends: int64[u + 1]; set i is bounds[ends[i] : ends[i + 1]], set 0 is empty.
        slots: int64, a power of two of them, all -1: a hash table of the new sets.
        out: float64[b], filled.
        out_ends: int64[u + 2], zeros, filled.

    Returns:
        How many sets there are.
    """
    numbers = np.full(len(ends), -1)
    sets, mask = 1, len(slots) - 1
    for row in range(len(shape)):
        old = shape[row, BOUNDS]
        begin, size = ends[old], ends[old + 1] - ends[old]
        if not size:
            numbers[old] = 0
        if numbers[old] < 0:
            digest = size
            for k in range(begin, begin + size):
                digest = (digest ^ bits[k]) * 1099511628211
                digest ^= (digest >> 29) & 0x7FFFFFFF
            at = digest & mask
            while slots[at] >= 0:
                first = out_ends[slots[at]]
                same = out_ends[slots[at] + 1] - first == size
                for k in range(size if same else 0):
                    same = same and out[first + k] == bounds[begin + k]
                if same:
                    break
                at = (at + 1) & mask
            if slots[at] < 0:
                slots[at] = sets
                for k in range(size):
                    out[out_ends[sets] + k] = bounds[begin + k]
                out_ends[sets + 1] = out_ends[sets] + size
                sets += 1
            numbers[old] = slots[at]
        shape[row, BOUNDS] = numbers[old]
    return sets
