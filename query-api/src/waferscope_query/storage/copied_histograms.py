# ruff: noqa: PLR0917, PLR2004 - compiled code takes its arrays by position, and the numbers are widths of fields
"""Rows of the query `copy_native_histograms` as binary COPY sends them, read by compiled loops."""

import numpy as np
from numpy.typing import NDArray

from waferscope_query.promql.evaluation.kernels.compiling import kernel
from waferscope_query.promql.evaluation.kernels.types import Ints
from waferscope_query.promql.histograms import (
    BOUNDS,
    COUNT,
    HINT,
    NEGATIVE_AT,
    POSITIVE_AT,
    SCHEMA,
    SUM,
    ZERO_COUNT,
    ZERO_THRESHOLD,
    HistogramTable,
)

Bytes = NDArray[np.uint8]


@kernel
def integer(raw: Bytes, at: int, width: int) -> int:
    """A signed big-endian integer."""
    value = np.int64(raw[at])
    if value >= 128:
        value -= 256
    for k in range(1, width):
        value = (value << 8) | np.int64(raw[at + k])
    return int(value)


@kernel
def number(raw: Bytes, at: int, scratch: Ints) -> float:
    """A float; its bits are moved as an integer, so that the NaN that is the stale marker stays what it is."""
    scratch[0] = integer(raw, at, 8)
    return float(scratch.view(np.float64)[0])


@kernel
def array_size(raw: Bytes, at: int) -> int:
    """How many elements the array whose field begins here has."""
    return integer(raw, at + 16, 4) if integer(raw, at + 4, 4) else 0


@kernel
def after(raw: Bytes, at: int) -> int:
    """Where the field after this one begins."""
    return at + 4 + integer(raw, at, 4)


@kernel
def arrays_of(raw: Bytes, at: int) -> int:
    """Where the arrays of a row begin: after its nine scalars."""
    at += 2
    for _ in range(9):
        at = after(raw, at)
    return at


@kernel
def spanned(raw: Bytes, spans: int) -> tuple[int, int]:
    """The first index and the number of buckets that spans reach over; each is an offset and a length."""
    size = array_size(raw, spans)
    if size < 2:
        return 0, 0
    first = index = integer(raw, spans + 28, 4)
    for k in range(0, size, 2):
        if k:
            index += integer(raw, spans + 28 + 8 * k, 4)
        index += integer(raw, spans + 28 + 8 * (k + 1), 4)
    return first, index - first


@kernel
def measure_histograms(raw: Bytes) -> tuple[int, int, int]:
    """How many rows, buckets (those between spans included) and bounds there are."""
    at, rows, buckets, bounds = 0, 0, 0, 0
    while at < len(raw):
        at = arrays_of(raw, at)
        rows += 1
        bounds += array_size(raw, at)
        at = after(raw, at)
        for _ in range(2):
            buckets += spanned(raw, at)[1]
            at = after(raw, after(raw, at))
    return rows, buckets, bounds


@kernel
def fill_side(raw: Bytes, spans: int, table: HistogramTable, row: int, column: int, used: int, scratch: Ints) -> int:
    """Spread the counts of one side over the pool; how much of it is used then."""
    first, size = spanned(raw, spans)
    table.shape[row, column - 1], table.shape[row, column], table.shape[row, column + 1] = first, used, size
    counts = after(raw, spans)
    given, taken, index = array_size(raw, counts), 0, 0
    for k in range(0, array_size(raw, spans), 2):
        if k:
            index += integer(raw, spans + 28 + 8 * k, 4)
        for _ in range(integer(raw, spans + 28 + 8 * (k + 1), 4)):
            if taken < given:
                table.buckets[used + index] = number(raw, counts + 28 + 12 * taken, scratch)
            taken += 1
            index += 1
    return used + size


@kernel
def fill_histograms(raw: Bytes, keys: Ints, starts: Ints, table: HistogramTable) -> int:
    """Fill series, time and start (microseconds), where rows begin, and the table; the number of sets of bounds."""
    at, row, used, sets = 0, 0, 0, 1
    scratch = np.zeros(1, np.int64)
    while at < len(raw):
        starts[row] = at
        keys[row, 0], keys[row, 1] = integer(raw, at + 6, 8), integer(raw, at + 18, 8)
        table.head[row, COUNT], table.head[row, SUM] = number(raw, at + 30, scratch), number(raw, at + 42, scratch)
        table.shape[row, SCHEMA] = integer(raw, at + 54, 2)
        table.head[row, ZERO_THRESHOLD] = number(raw, at + 60, scratch)
        table.head[row, ZERO_COUNT] = number(raw, at + 72, scratch)
        table.shape[row, HINT] = integer(raw, at + 84, 2)
        keys[row, 2] = integer(raw, at + 90, 8)
        at = arrays_of(raw, at)
        size, begin = array_size(raw, at), table.bound_ends[sets - 1]
        filled = table.bound_ends[sets]
        for k in range(size):
            table.bounds[filled + k] = number(raw, at + 28 + 12 * k, scratch)
        if size:
            known = sets > 1 and filled - begin == size
            for k in range(size if known else 0):
                known = known and table.bounds[begin + k] == table.bounds[filled + k]
            if not known:
                sets += 1
                table.bound_ends[sets] = filled + size
            table.shape[row, BOUNDS] = sets - 1
        at = after(raw, at)
        used = fill_side(raw, at, table, row, POSITIVE_AT, used, scratch)
        at = after(raw, after(raw, at))
        used = fill_side(raw, at, table, row, NEGATIVE_AT, used, scratch)
        at = after(raw, after(raw, at))
        row += 1
    starts[row] = at
    return sets
