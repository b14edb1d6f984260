"""One histogram out of a table and back into another."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from waferscope_query.promql.evaluation.kernels.compiling import kernel
from waferscope_query.promql.evaluation.kernels.types import Floats, Ints
from waferscope_query.promql.histograms import (
    BOUNDS,
    NEGATIVE_AT,
    NEGATIVE_FIRST,
    NEGATIVE_SIZE,
    POSITIVE_AT,
    POSITIVE_FIRST,
    POSITIVE_SIZE,
    HistogramTable,
)


class Work(NamedTuple):
    """A histogram, and beside every number what rounding has lost of it.

    Attributes:
        shape: int64[9] as in `HistogramTable`; where the buckets stand has no meaning here.
        head: float64[4] as in `HistogramTable`.
        head_lost: float64[4].
        positive: float64[p].
        positive_lost: float64[p].
        negative: float64[n].
        negative_lost: float64[n].
        bounds: float64[b].
    """

    shape: Ints
    head: Floats
    head_lost: Floats
    positive: Floats
    positive_lost: Floats
    negative: Floats
    negative_lost: Floats
    bounds: Floats


@kernel
def view(table: HistogramTable, row: int) -> Work:
    """A histogram to look at: nothing is copied, and the parts of rounding mean nothing."""
    shape, head = table.shape[row], table.head[row]
    positive = table.buckets[shape[POSITIVE_AT] : shape[POSITIVE_AT] + shape[POSITIVE_SIZE]]
    negative = table.buckets[shape[NEGATIVE_AT] : shape[NEGATIVE_AT] + shape[NEGATIVE_SIZE]]
    bounds = table.bounds[table.bound_ends[shape[BOUNDS]] : table.bound_ends[shape[BOUNDS] + 1]]
    return Work(shape, head, head, positive, positive, negative, negative, bounds)


@kernel
def copied(one: Work) -> Work:
    """A histogram to change, nothing lost so far."""
    return Work(
        one.shape.copy(), one.head.copy(), np.zeros_like(one.head), one.positive.copy(), np.zeros_like(one.positive),
        one.negative.copy(), np.zeros_like(one.negative), one.bounds,
    )  # fmt: skip


@kernel
def folded(one: Work) -> Work:
    """The same histogram, what rounding had lost given back."""
    return Work(
        one.shape, one.head + one.head_lost, np.zeros_like(one.head), one.positive + one.positive_lost,
        np.zeros_like(one.positive), one.negative + one.negative_lost, np.zeros_like(one.negative), one.bounds,
    )  # fmt: skip


@kernel
def scale(one: Work, factor: float) -> None:
    """Multiply a histogram in place."""
    one.head[:3] *= factor
    one.head_lost[:3] *= factor
    one.positive[:] *= factor
    one.positive_lost[:] *= factor
    one.negative[:] *= factor
    one.negative_lost[:] *= factor


@kernel
def divide(one: Work, divisor: float) -> None:
    """Divide a histogram in place."""
    one.head[:3] /= divisor
    one.head_lost[:3] /= divisor
    one.positive[:] /= divisor
    one.positive_lost[:] /= divisor
    one.negative[:] /= divisor
    one.negative_lost[:] /= divisor


@kernel
def used_range(counts: Floats, lost: Floats) -> tuple[int, int]:
    """The first bucket that isn't empty, and one past the last."""
    first, last = 0, len(counts)
    while first < last and counts[first] == 0 and lost[first] == 0:
        first += 1
    while last > first and counts[last - 1] == 0 and lost[last - 1] == 0:
        last -= 1
    return first, last


@kernel
def compacted(one: Work) -> Work:
    """The same histogram without empty buckets at the ends of its sides; changes its shape in place."""
    first, last = used_range(one.positive, one.positive_lost)
    lower, upper = used_range(one.negative, one.negative_lost)
    one.shape[POSITIVE_FIRST] += first
    one.shape[NEGATIVE_FIRST] += lower
    return Work(
        one.shape, one.head, one.head_lost, one.positive[first:last], one.positive_lost[first:last],
        one.negative[lower:upper], one.negative_lost[lower:upper], one.bounds,
    )  # fmt: skip


class Builder(NamedTuple):
    """A table that grows; of every array, `used` int64[4] (rows, buckets, bounds, sets of bounds) is filled."""

    shape: Ints
    head: Floats
    buckets: Floats
    bounds: Floats
    bound_ends: Ints
    used: Ints


@kernel
def new_builder(rows: int) -> Builder:
    """An empty table with room for some rows."""
    used = np.zeros(4, np.int64)
    used[3] = 1
    size = max(rows, 1)
    return Builder(
        np.empty((size, 9), np.int64),
        np.empty((size, 4)),
        np.empty(8 * size),
        np.empty(16),
        np.zeros(8, np.int64),
        used,
    )


@kernel
def roomy(array: Floats, needed: int) -> Floats:
    """An array with the same beginning and room for `needed`."""
    if needed <= len(array):
        return array
    grown = np.empty(max(needed, 2 * len(array)))
    grown[: len(array)] = array
    return grown


@kernel
def same_floats(a: Floats, b: Floats) -> bool:
    """Whether two arrays hold the same numbers."""
    if len(a) != len(b):
        return False
    different = 0
    for k in range(len(a)):
        different += a[k] != b[k]
    return different == 0


@kernel
def append(builder: Builder, one: Work) -> Builder:
    """Add a histogram to a table; its row is the number of rows before."""
    row, at, end, sets = builder.used
    shape, head, ends = builder.shape, builder.head, builder.bound_ends
    if row == len(shape):
        shape = np.empty((2 * row, 9), np.int64)
        shape[:row] = builder.shape
        head = np.empty((2 * row, 4))
        head[:row] = builder.head
    p, n, b = len(one.positive), len(one.negative), len(one.bounds)
    buckets, bounds = roomy(builder.buckets, at + p + n), builder.bounds
    buckets[at : at + p] = one.positive
    buckets[at + p : at + p + n] = one.negative
    chosen = 0
    if b:
        chosen = sets - 1
        if not same_floats(bounds[ends[chosen] : ends[chosen + 1]], one.bounds):
            if sets + 1 == len(ends):
                ends = np.zeros(2 * len(ends), np.int64)
                ends[: sets + 1] = builder.bound_ends
            bounds = roomy(bounds, end + b)
            bounds[end : end + b] = one.bounds
            chosen = sets
            ends[sets + 1] = end + b
            builder.used[2] += b
            builder.used[3] += 1
    shape[row] = one.shape
    shape[row, BOUNDS] = chosen
    shape[row, POSITIVE_AT], shape[row, POSITIVE_SIZE] = at, p
    shape[row, NEGATIVE_AT], shape[row, NEGATIVE_SIZE] = at + p, n
    head[row] = one.head
    builder.used[0] += 1
    builder.used[1] += p + n
    return Builder(shape, head, buckets, bounds, ends, builder.used)


@kernel
def built(builder: Builder) -> HistogramTable:
    """The table."""
    rows, buckets, bounds, sets = builder.used
    return HistogramTable(
        builder.shape[:rows], builder.head[:rows], builder.buckets[:buckets], builder.bounds[:bounds],
        builder.bound_ends[: sets + 1],
    )  # fmt: skip
