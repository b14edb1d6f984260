# ruff: noqa: PLR0917 - compiled code takes its arrays by position
"""Reductions over series: rows of values[n, s] into groups of out[g, s]; `group` int64[n] is each row's group.

Each call works on the steps `first` to `last` alone, so that several threads can share the work.
"""

from __future__ import annotations

import math

import numpy as np

from waferscope_query.promql.evaluation.kernels.compiling import kernel
from waferscope_query.promql.evaluation.kernels.steps import add, quantile_of_sorted
from waferscope_query.promql.evaluation.kernels.types import Bools, Floats, Ints


@kernel
def sums(
    values: Floats, present: Bools, group: Ints, out: Floats, lost: Floats, seen: Bools, first: int, last: int
) -> None:
    """Fill compensated sums; `lost` float64[g, s] starts at zero."""
    for i in range(len(values)):
        g = group[i]
        for j in range(first, last):
            if not present[i, j]:
                continue
            if seen[g, j]:
                out[g, j], lost[g, j] = add(values[i, j], out[g, j], lost[g, j])
            else:
                out[g, j], seen[g, j] = values[i, j], True
    for g in range(len(out)):
        for j in range(first, last):
            if not math.isinf(out[g, j]):
                out[g, j] += lost[g, j]


@kernel
def means(
    values: Floats, present: Bools, group: Ints, out: Floats, lost: Floats, count: Floats, incremental: Bools,
    first: int, last: int,
) -> None:  # fmt: skip
    """Fill compensated means, incremental from where a sum would overflow; the other arrays start at zero."""
    for i in range(len(values)):
        g = group[i]
        for j in range(first, last):
            if not present[i, j]:
                continue
            count[g, j] += 1
            n = count[g, j]
            if n == 1:
                out[g, j] = values[i, j]
                continue
            if not incremental[g, j]:
                raised, new_lost = add(values[i, j], out[g, j], lost[g, j])
                if not math.isinf(raised):
                    out[g, j], lost[g, j] = raised, new_lost
                    continue
                incremental[g, j] = True
                out[g, j] /= n - 1
                lost[g, j] /= n - 1
            share = (n - 1) / n
            out[g, j], lost[g, j] = add(values[i, j] / n, share * out[g, j], share * lost[g, j])
    for g in range(len(out)):
        for j in range(first, last):
            n = 1.0 if incremental[g, j] else count[g, j]
            out[g, j] = out[g, j] / n + lost[g, j] / n


@kernel
def extremes(
    values: Floats, present: Bools, group: Ints, sign: float, out: Floats, seen: Bools, first: int, last: int
) -> None:
    """Fill maxima (sign 1) or minima (sign -1); NaN only when all are."""
    for i in range(len(values)):
        g = group[i]
        for j in range(first, last):
            value = values[i, j]
            if present[i, j] and (not seen[g, j] or sign * out[g, j] < sign * value or math.isnan(out[g, j])):
                out[g, j], seen[g, j] = value, True


@kernel
def variances(
    values: Floats, present: Bools, group: Ints, out: Floats, mean: Floats, count: Floats, first: int, last: int
) -> None:
    """Fill population variances by Welford's method; the other arrays start at zero."""
    for i in range(len(values)):
        g = group[i]
        for j in range(first, last):
            if not present[i, j]:
                continue
            value = values[i, j]
            count[g, j] += 1
            if count[g, j] == 1:
                mean[g, j] = value
                out[g, j] = 0.0 if math.isfinite(value) else math.nan
                continue
            delta = value - mean[g, j]
            mean[g, j] += delta / count[g, j]
            out[g, j] += delta * (value - mean[g, j])
    for g in range(len(out)):
        for j in range(first, last):
            out[g, j] /= count[g, j]


@kernel
def counts(present: Bools, group: Ints, out: Floats, first: int, last: int) -> None:
    """Fill how many rows of each group are present."""
    for i in range(len(present)):
        for j in range(first, last):
            out[group[i], j] += present[i, j]


@kernel
def quantiles(
    values: Floats, present: Bools, order: Ints, bounds: Ints, q: Floats, out: Floats, seen: Bools,
    first: int, last: int,
) -> None:  # fmt: skip
    """Fill quantiles; `order` lists the rows group by group, group g at bounds[g] to bounds[g + 1]."""
    for g in range(len(out)):
        buffer = np.empty(bounds[g + 1] - bounds[g])
        for j in range(first, last):
            count = 0
            for k in range(bounds[g], bounds[g + 1]):
                if present[order[k], j]:
                    buffer[count] = values[order[k], j]
                    count += 1
            if count:
                out[g, j] = quantile_of_sorted(np.sort(buffer[:count]), count, q[j])
                seen[g, j] = True


@kernel
def weaker(a: float, b: float, sign: float) -> bool:
    """Whether `a` gives way to `b`: NaN does to everything."""
    return math.isnan(a) or sign * a < sign * b


@kernel
def rise(rows: Ints, keys: Floats, at: int, sign: float) -> None:
    """Move an entry of a heap towards its root, where the weakest stands."""
    while at > 0:
        parent = (at - 1) // 2
        if not weaker(keys[at], keys[parent], sign):
            return
        rows[at], rows[parent], keys[at], keys[parent] = rows[parent], rows[at], keys[parent], keys[at]
        at = parent


@kernel
def sink(rows: Ints, keys: Floats, size: int, sign: float) -> None:
    """Move the root of a heap to where it belongs."""
    at = 0
    while 2 * at + 1 < size:
        child = 2 * at + 1
        if child + 1 < size and weaker(keys[child + 1], keys[child], sign):
            child += 1
        if not weaker(keys[child], keys[at], sign):
            return
        rows[at], rows[child], keys[at], keys[child] = rows[child], rows[at], keys[child], keys[at]
        at = child


@kernel
def strongest(
    values: Floats, present: Bools, order: Ints, bounds: Ints, wanted: Ints, sign: float, kept: Bools,
    first: int, last: int,
) -> None:  # fmt: skip
    """Mark the `wanted` int64[s] largest (sign 1) or smallest (sign -1) of each group.

    By the same heap as Prometheus, so that ties and NaN fall as they do there.
    """
    for g in range(len(bounds) - 1):
        size = bounds[g + 1] - bounds[g]
        rows = np.empty(size, np.int64)
        keys = np.empty(size)
        for j in range(first, last):
            count = 0
            for k in range(bounds[g], bounds[g + 1]):
                row = order[k]
                if not present[row, j]:
                    continue
                if count < wanted[j]:
                    rows[count], keys[count] = row, values[row, j]
                    rise(rows, keys, count, sign)
                    count += 1
                elif count > 0:
                    weakest, value = keys[0], values[row, j]
                    if sign * weakest < sign * value or (math.isnan(weakest) and not math.isnan(value)):
                        rows[0], keys[0] = row, value
                        sink(rows, keys, count, sign)
            for k in range(count):
                kept[rows[k], j] = True


@kernel
def foremost(present: Bools, order: Ints, bounds: Ints, wanted: Ints, kept: Bools) -> None:
    """Mark the first `wanted` int64[s] present rows of each group."""
    for g in range(len(bounds) - 1):
        for j in range(present.shape[1]):
            count = 0
            for k in range(bounds[g], bounds[g + 1]):
                if count < wanted[j] and present[order[k], j]:
                    kept[order[k], j] = True
                    count += 1
