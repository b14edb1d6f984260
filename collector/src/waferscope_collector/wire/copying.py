"""Rows of histogram_sample for COPY BINARY.

Format: PostgreSQL documentation, COPY, "Binary Format", and each type's binary representation.
"""

import numpy as np
from numpy.typing import NDArray

from waferscope_collector.wire.compiling import kernel
from waferscope_collector.wire.histograms import HAS_MAX, HAS_MIN, HAS_SUM

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]

_COLUMNS = 16
_FLOAT8, _INT4 = 701, 23  # OIDs
_EPOCH_MS = 946_684_800_000  # PostgreSQL counts from 2000-01-01
# Of a row: the number of columns and the size of each; all columns that are always there and have a fixed size; the
# empty arrays' heads. Then what varies.
_FIXED = 2 + 4 * _COLUMNS + 5 * 8 + 2 * 2 + 5 * 12
_DIMENSION = 8  # bytes of an array that is not empty, beside its head
_ITEM8, _ITEM4 = 12, 8  # bytes of an item with its size


@kernel
def histogram_rows(
    ids: Int64,
    rows: Int64,
    times: Int64,
    starts: Int64,
    scalars: Float64,
    has: NDArray[np.uint8],
    shapes: Int64,
    zeros: Float64,
    bounds: Float64,
    bounds_at: Int64,
    spans: Int64,
    spans_at: Int64,
    counts: Float64,
    counts_at: Int64,
) -> NDArray[np.uint8]:
    """Build rows.

    Args:
        ids: (points,): series.
        rows: Which points to write.
        times: Unix time, ms.
        starts: Unix time, ms; 0: unknown.
        scalars: (points, 4): count, sum, min, max.
        has: Which of sum, min and max are there.
        shapes: (points, 2): schema and reset hint.
        zeros: (points, 2): threshold and count of the zero bucket.
        bounds: Custom bounds of all points.
        bounds_at: (points + 1,): where those of each begin.
        spans: Offsets and lengths of all points, of each first the positive, then the negative side.
        spans_at: (2 * points + 1,): where those of each side begin.
        counts: Of all buckets, in the same order.
        counts_at: (2 * points + 1,): where those of each side begin.

    Returns:
        Bytes, without header and trailer.
    """
    size = 0
    for point in rows:
        size += _FIXED + 8 * (_bit(has[point], HAS_SUM) + _bit(has[point], HAS_MIN) + _bit(has[point], HAS_MAX))
        size += 8 * (starts[point] != 0)
        size += _array_room(bounds_at[point + 1] - bounds_at[point], _ITEM8)
        for side in (2 * point, 2 * point + 1):
            size += _array_room(spans_at[side + 1] - spans_at[side], _ITEM4)
            size += _array_room(counts_at[side + 1] - counts_at[side], _ITEM8)
    out = np.empty(size, np.uint8)
    at = 0
    for point in rows:
        out[at], out[at + 1] = 0, _COLUMNS
        at = _int8(out, at + 2, ids[point])
        at = _int8(out, at, (times[point] - _EPOCH_MS) * 1000)
        at = _float8(out, at, scalars[point, 0], True)
        at = _float8(out, at, scalars[point, 1], has[point] & HAS_SUM != 0)
        at = _float8(out, at, scalars[point, 2], has[point] & HAS_MIN != 0)
        at = _float8(out, at, scalars[point, 3], has[point] & HAS_MAX != 0)
        at = _int2(out, at, shapes[point, 0])
        at = _float8(out, at, zeros[point, 0], True)
        at = _float8(out, at, zeros[point, 1], True)
        at = _floats(out, at, bounds[bounds_at[point] : bounds_at[point + 1]])
        for side in (2 * point, 2 * point + 1):
            at = _ints(out, at, spans[spans_at[side] : spans_at[side + 1]])
            at = _floats(out, at, counts[counts_at[side] : counts_at[side + 1]])
        at = _int2(out, at, shapes[point, 1])
        at = _int8(out, at, (starts[point] - _EPOCH_MS) * 1000) if starts[point] else _big4(out, at, -1)
    return out


@kernel
def _bit(value, bit):
    return 1 if value & bit else 0


@kernel
def _array_room(items, each):
    return _DIMENSION + items * each if items else 0


@kernel
def _big8(out, at, value):
    bits = np.uint64(value)
    for index in range(8):
        out[at + index] = np.uint8((bits >> np.uint64(56 - 8 * index)) & np.uint64(0xFF))
    return at + 8


@kernel
def _big4(out, at, value):
    for index in range(4):
        out[at + index] = np.uint8((np.int64(value) >> (24 - 8 * index)) & 0xFF)
    return at + 4


@kernel
def _int8(out, at, value):
    return _big8(out, _big4(out, at, 8), np.int64(value))


@kernel
def _int2(out, at, value):
    at = _big4(out, at, 2)
    out[at], out[at + 1] = np.uint8((np.int64(value) >> 8) & 0xFF), np.uint8(np.int64(value) & 0xFF)
    return at + 2


@kernel
def _float8(out, at, value, there):
    if not there:
        return _big4(out, at, -1)
    return _big8(out, _big4(out, at, 8), np.float64(value).view(np.uint64))


@kernel
def _head(out, at, items, each, oid):
    """Write the head of an array of one dimension without nulls; an empty one has no dimension."""
    at = _big4(out, at, 12 + _array_room(items, each))
    at = _big4(out, _big4(out, at, 1 if items else 0), 0)
    at = _big4(out, at, oid)
    return _big4(out, _big4(out, at, items), 1) if items else at


@kernel
def _floats(out, at, values):
    at = _head(out, at, len(values), _ITEM8, _FLOAT8)
    for value in values:
        at = _float8(out, at, value, True)
    return at


@kernel
def _ints(out, at, values):
    at = _head(out, at, len(values), _ITEM4, _INT4)
    for value in values:
        at = _big4(out, _big4(out, at, 4), value)
    return at
