# ruff: noqa: PLR0917 - compiled code takes its arrays by position
"""Rows of a binary COPY put in order, compiled: one pass to count, one to place."""

import numpy as np
from numpy.typing import NDArray

from waferscope_query.promql.evaluation.kernels.compiling import kernel
from waferscope_query.promql.evaluation.kernels.types import Ints

Bytes = NDArray[np.uint8]


@kernel
def big_endian(data: Bytes, at: int) -> int:
    """Read a 64-bit integer."""
    value = np.uint64(0)
    for k in range(8):
        value = (value << np.uint64(8)) | np.uint64(data[at + k])
    return int(np.int64(value))


@kernel
def count(data: Bytes, first: int, width: int, at: int, lowest: int, slots: Ints, counts: Ints) -> None:
    """Count the rows of each slot.

    Args:
        data: Rows of equal width.
        first: Where they begin.
        width: Bytes of a row.
        at: Where a row has its series.
        lowest: The series of the first slot.
        slots: int64[k]: the slot of series lowest + i; -1: its rows are not wanted.
        counts: int64[n], raised.
    """
    for row in range(first, len(data) - width + 1, width):
        i = big_endian(data, row + at) - lowest
        if 0 <= i < len(slots) and slots[i] >= 0:
            counts[slots[i]] += 1


@kernel
def place(
    data: Bytes, first: int, width: int, at: int, lowest: int, slots: Ints, ends: Ints, epoch: int, ts: Ints, bits: Ints
) -> bool:
    """Put each row's time and value where its slot goes on.

    Args:
        data: See `count`.
        first: See `count`.
        width: See `count`.
        at: Where a row has its series; 12 bytes on, its time, and 12 more, its value.
        lowest: See `count`.
        slots: See `count`.
        ends: int64[n]: how far each slot is filled; grows.
        epoch: Milliseconds from 1970 to where times begin.
        ts: int64[m], filled, milliseconds.
        bits: int64[m], filled.

    Returns:
        Whether the times of each slot ascend.
    """
    ascending = True
    newest = np.full(len(ends), np.iinfo(np.int64).min)
    for row in range(first, len(data) - width + 1, width):
        i = big_endian(data, row + at) - lowest
        if 0 <= i < len(slots) and slots[i] >= 0:
            slot = slots[i]
            time = big_endian(data, row + at + 12) // 1000 + epoch
            if time <= newest[slot]:
                ascending = False
            newest[slot] = time
            ts[ends[slot]] = time
            bits[ends[slot]] = big_endian(data, row + at + 24)
            ends[slot] += 1
    return ascending
