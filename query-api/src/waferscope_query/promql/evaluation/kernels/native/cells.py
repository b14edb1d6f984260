# ruff: noqa: FBT001, PLR0917 - compiled code takes its arrays and flags by position
"""Columns of histograms: `rows` int64[k] name histograms of a table, and every result has k entries."""

from __future__ import annotations

import math

import numpy as np

from waferscope_query.promql.evaluation.kernels.compiling import kernel
from waferscope_query.promql.evaluation.kernels.native.adding import COLLISION, INCOMPATIBLE, added
from waferscope_query.promql.evaluation.kernels.native.comparing import equal
from waferscope_query.promql.evaluation.kernels.native.estimating import (
    bucket,
    bucket_number,
    fraction,
    quantile,
    variance,
)
from waferscope_query.promql.evaluation.kernels.native.trimming import trimmed
from waferscope_query.promql.evaluation.kernels.native.work import (
    Work,
    append,
    built,
    compacted,
    copied,
    divide,
    folded,
    new_builder,
    scale,
    view,
)
from waferscope_query.promql.evaluation.kernels.types import Bools, Floats, Ints
from waferscope_query.promql.histograms import CUSTOM_BUCKETS, HINT, SCHEMA, ZERO_COUNT, HistogramTable

_BOTH, _GAUGE = 3, 3  # of `Hint`, which compiled code can't read


@kernel
def scaled(table: HistogramTable, rows: Ints, factors: Floats, divides: bool) -> HistogramTable:
    """Histograms times a factor each, or by a divisor: a negative one makes gauges, division by zero loses buckets."""
    builder = new_builder(len(rows))
    for k in range(len(rows)):
        one, factor = copied(view(table, rows[k])), factors[k]
        if divides:
            divide(one, factor)
        else:
            scale(one, factor)
        if divides and factor == 0:
            none = one.positive[:0]
            one = Work(one.shape, one.head, one.head_lost, none, none, none, none, one.bounds)
        elif factor < 0:
            one.shape[HINT] = _GAUGE
        builder = append(builder, compacted(one))
    return built(builder)


@kernel
def combined(
    left: HistogramTable, left_rows: Ints, right: HistogramTable, right_rows: Ints, sign: float, said: Ints
) -> HistogramTable:
    """Sums of pairs (sign 1), or differences (-1), which are gauges; `said` int64[k] is filled, see INCOMPATIBLE."""
    builder = new_builder(len(left_rows))
    for k in range(len(left_rows)):
        one, said[k] = added(copied(view(left, left_rows[k])), view(right, right_rows[k]), sign)
        if sign < 0:
            one.shape[HINT] = _GAUGE
        builder = append(builder, compacted(without_lost(one)))
    return built(builder)


@kernel
def without_lost(one: Work) -> Work:
    """Forget what rounding lost: operators between two histograms add plainly."""
    one.positive_lost[:] = 0.0
    one.negative_lost[:] = 0.0
    return one


@kernel
def trimmed_all(table: HistogramTable, rows: Ints, values: Floats, below: bool) -> HistogramTable:
    """Histograms without what lies above a value each, or below."""
    builder = new_builder(len(rows))
    for k in range(len(rows)):
        builder = append(builder, trimmed(copied(view(table, rows[k])), values[k], below))
    return built(builder)


@kernel
def equals(left: HistogramTable, left_rows: Ints, right: HistogramTable, right_rows: Ints, out: Bools) -> None:
    """Fill whether the two of each pair are the same."""
    for k in range(len(left_rows)):
        out[k] = equal(view(left, left_rows[k]), view(right, right_rows[k]))


@kernel
def variances(table: HistogramTable, rows: Ints, out: Floats) -> None:
    """Fill variances."""
    for k in range(len(rows)):
        out[k] = variance(view(table, rows[k]))


@kernel
def quantiles(table: HistogramTable, rows: Ints, q: Floats, out: Floats, said: Ints) -> None:
    """Fill quantiles, each of its own histogram, and what is to be said of them."""
    for k in range(len(rows)):
        out[k], said[k] = quantile(view(table, rows[k]), q[k])


@kernel
def fractions(table: HistogramTable, rows: Ints, low: Floats, high: Floats, out: Floats, said: Ints) -> None:
    """Fill fractions of the observations between two values each, and what is to be said of them."""
    for k in range(len(rows)):
        out[k], said[k] = fraction(view(table, rows[k]), low[k], high[k])


@kernel
def bucket_numbers(table: HistogramTable, rows: Ints, out: Ints) -> None:
    """Fill how many buckets that aren't empty each histogram has."""
    for k in range(len(rows)):
        one = view(table, rows[k])
        for number in range(bucket_number(one)):
            out[k] += bucket(one, number)[2] != 0


@kernel
def buckets_of(table: HistogramTable, rows: Ints, out: Floats, rules: Ints) -> None:
    """Fill lower bound, upper bound and count of all buckets that aren't empty, float64[b, 3], from the lowest on.

    `rules` int64[b] says which bounds belong to a bucket (Prometheus's HTTP API): 0 the upper, 1 the lower, 3 both.
    """
    at = 0
    for k in range(len(rows)):
        one = view(table, rows[k])
        custom = one.shape[SCHEMA] == CUSTOM_BUCKETS
        for number in range(bucket_number(one)):
            lower, upper, held = bucket(one, number)
            if held == 0:
                continue
            out[at, 0], out[at, 1], out[at, 2] = lower, upper, held
            if custom:
                rules[at] = 3 if lower == -math.inf else 0
            elif number < len(one.negative):
                rules[at] = 1
            else:
                rules[at] = 3 if number == len(one.negative) and one.head[ZERO_COUNT] > 0 else 0
            at += 1


@kernel
def overflows(one: Work) -> bool:
    """Whether a sum has grown beyond all numbers."""
    infinite = np.isinf(one.head[:3]).any() or np.isinf(one.positive).any() or np.isinf(one.negative).any()
    return bool(infinite)


@kernel
def total_of(table: HistogramTable, rows: Ints) -> tuple[Work, int, int]:
    """The compensated sum of histograms, what is to be said of it, and how many were added before it overflowed."""
    one, said, resets = copied(view(table, rows[0])), 0, 0
    done = len(rows)
    for k in range(len(rows)):
        other = view(table, rows[k])
        if other.shape[HINT] < _GAUGE:
            resets |= other.shape[HINT]  # RESET and NOT_RESET are bits
        if k == 0:
            continue
        one, more = added(one, other, 1.0)
        said |= more & ~COLLISION
        if more & INCOMPATIBLE:
            break
        if done == len(rows) and overflows(one):
            done = k
    return one, said | (COLLISION if resets == _BOTH else 0), done


@kernel
def mean_of(table: HistogramTable, rows: Ints) -> tuple[Work, int]:
    """The compensated mean of histograms; incremental from where their sum would overflow."""
    one, said, done = total_of(table, rows)
    if said & INCOMPATIBLE:
        return one, said
    if done == len(rows):
        divide(one, float(done))
        return folded(one), said
    one, _, _ = total_of(table, rows[:done])
    divide(one, float(done))
    for k in range(done, len(rows)):
        share = copied(view(table, rows[k]))
        divide(share, k + 1.0)
        scale(one, k / (k + 1.0))
        one, _ = added(one, share, 1.0)
    return folded(one), said


@kernel
def totals(table: HistogramTable, rows: Ints, starts: Ints, ends: Ints, means: bool, said: Ints) -> HistogramTable:
    """Sums, or means, of groups of histograms: group g adds rows[starts[g] : ends[g]], at least one.

    `said` int64[g] is filled, see INCOMPATIBLE; COLLISION stands for contradicting hints anywhere in the group.
    """
    builder = new_builder(len(starts))
    for g in range(len(starts)):
        chosen = rows[starts[g] : ends[g]]
        if means:
            one, said[g] = mean_of(table, chosen)
        else:
            one, said[g], _ = total_of(table, chosen)
            one = folded(one)
        builder = append(builder, compacted(one))
    return built(builder)
