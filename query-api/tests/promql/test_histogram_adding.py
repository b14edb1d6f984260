"""Histograms are added as a naive reference adds them, whatever their schemas, zero buckets and bounds."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import reduce
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from waferscope_query.promql.evaluation.kernels.native import adding, cells
from waferscope_query.promql.evaluation.kernels.native.layout import upper_bound
from waferscope_query.promql.histograms import CUSTOM_BUCKETS, Histogram, histogram_table

Buckets = dict[int, float]
FIRST, LAST = -6, 8
NONE = np.zeros(0)


def upper(index: int, schema: int) -> float:
    return 2.0 ** (index * 2.0**-schema)


def sides(one: Histogram) -> tuple[Buckets, Buckets]:
    positive = {one.positive_first + k: count for k, count in enumerate(one.positive) if count}
    negative = {one.negative_first + k: count for k, count in enumerate(one.negative) if count}
    return positive, negative


def dense(buckets: Buckets) -> tuple[int, tuple[float, ...]]:
    kept = {index: count for index, count in buckets.items() if count}
    if not kept:
        return 0, ()
    return min(kept), tuple(kept.get(index, 0.0) for index in range(min(kept), max(kept) + 1))


def added(a: Histogram, b: Histogram, sign: int = 1) -> Histogram:
    """The reference: one bucket at a time."""
    total = Histogram(count=a.count + sign * b.count, sum=a.sum + sign * b.sum, schema=min(a.schema, b.schema))
    if a.schema == CUSTOM_BUCKETS:
        return with_common_bounds(total, a, b, sign)
    threshold = common_threshold(a, b)
    zeros = [one.zero_count + sum(held_below(one, threshold)) for one in (a, b)]
    both: list[Buckets] = [{}, {}]
    for one, factor in ((a, 1), (b, sign)):
        for buckets, into in zip(sides(one), both, strict=True):
            for index, count in buckets.items():
                if upper(index, one.schema) > threshold:
                    coarse = math.ceil(index / 2 ** (one.schema - total.schema))
                    into[coarse] = into.get(coarse, 0) + factor * count
    (positive_first, positive), (negative_first, negative) = map(dense, both)
    return replace(
        total,
        zero_threshold=threshold,
        zero_count=zeros[0] + sign * zeros[1],
        positive=positive,
        positive_first=positive_first,
        negative=negative,
        negative_first=negative_first,
    )


def held_below(one: Histogram, threshold: float) -> list[float]:
    return [n for buckets in sides(one) for index, n in buckets.items() if upper(index, one.schema) <= threshold]


def common_threshold(a: Histogram, b: Histogram) -> float:
    """The least width of the zero bucket that cuts through no bucket."""
    threshold = max(a.zero_threshold, b.zero_threshold)
    cut = [
        upper(index, one.schema)
        for one in (a, b)
        for buckets in sides(one)
        for index in buckets
        if upper(index - 1, one.schema) < threshold < upper(index, one.schema)
    ]
    return common_threshold(replace(a, zero_threshold=max(cut)), b) if cut else threshold


def with_common_bounds(total: Histogram, a: Histogram, b: Histogram, sign: int) -> Histogram:
    bounds = tuple(sorted(set(a.bounds) & set(b.bounds)))
    into: Buckets = {}
    for one, factor in ((a, 1), (b, sign)):
        ends = (*one.bounds, math.inf)
        for index, count in sides(one)[0].items():
            target = sum(bound < ends[index] for bound in bounds)
            into[target] = into.get(target, 0) + factor * count
    first, positive = dense(into)
    return replace(total, bounds=bounds, positive=positive, positive_first=first)


COUNTS = st.lists(st.integers(0, 9).map(float), max_size=6)


@st.composite
def exponential(draw: st.DrawFn) -> Histogram:
    schema = draw(st.integers(-1, 3))
    threshold = draw(st.sampled_from([0.0, 0.25, 1.0, 4.0] + [0.5, 2.0] * (schema >= 0)))
    parts = []
    for _ in range(2):
        first = draw(st.integers(FIRST, LAST))
        counts = [count if upper(first + k - 1, schema) >= threshold else 0.0 for k, count in enumerate(draw(COUNTS))]
        parts.append((tuple(counts), first))
    (positive, positive_first), (negative, negative_first) = parts
    zero_count = float(draw(st.integers(0, 5)))
    return Histogram(
        count=sum(positive) + sum(negative) + zero_count,
        sum=float(draw(st.integers(-50, 50))),
        schema=schema,
        zero_threshold=threshold,
        zero_count=zero_count,
        positive=positive,
        positive_first=positive_first,
        negative=negative,
        negative_first=negative_first,
    )


@st.composite
def custom(draw: st.DrawFn) -> Histogram:
    bounds = tuple(sorted(draw(st.sets(st.sampled_from([-1.0, 0.0, 1.0, 2.5, 5.0, 10.0]), max_size=5))))
    counts = tuple(float(draw(st.integers(0, 9))) for _ in range(len(bounds) + 1))
    return Histogram(count=sum(counts), sum=1.0, schema=CUSTOM_BUCKETS, bounds=bounds, positive=counts)


def zero_buckets_fit(group: list[Histogram]) -> bool:
    """Whether no zero bucket ends within a bucket of the coarsest schema: Prometheus counts what lies there twice."""
    return min(one.schema for one in group) >= 0 or not any(one.zero_threshold in (0.5, 2.0) for one in group)


PAIRS = st.one_of(st.tuples(exponential(), exponential()), st.tuples(custom(), custom()))
GROUPS = st.one_of(
    st.lists(exponential(), min_size=1, max_size=4).filter(zero_buckets_fit),
    st.lists(custom(), min_size=1, max_size=4),
)


def compact(one: Histogram) -> Histogram:
    (positive_first, positive), (negative_first, negative) = map(dense, sides(one))
    fields = {"positive_first": positive_first, "negative_first": negative_first}
    return replace(one, positive=positive, negative=negative, hint=Histogram().hint, **fields)


@settings(deadline=None)
@given(PAIRS, st.sampled_from([1, -1]))
def test_two_histograms_are_added_and_subtracted_as_by_the_reference(
    pair: tuple[Histogram, Histogram], sign: int
) -> None:
    a, b = pair
    row, said = np.zeros(1, np.int64), np.zeros(1, np.int64)
    made = cells.combined(histogram_table([a]), row, histogram_table([b]), row, float(sign), said)
    assert compact(made.one(0)) == added(a, b, sign)
    assert bool(said[0] & adding.RECONCILED) == (a.bounds != b.bounds)


@settings(deadline=None)
@given(GROUPS)
def test_a_group_is_added_up_as_by_the_reference(group: list[Histogram]) -> None:
    rows, said = np.arange(len(group)), np.zeros(1, np.int64)
    starts, ends = np.zeros(1, np.int64), np.full(1, len(group))
    made = cells.totals(histogram_table(group), rows, starts, ends, False, said)  # noqa: FBT003, numba takes no keywords
    assert compact(made.one(0)) == compact(reduce(added, group))


def test_bounds_rise_and_double_every_power_of_two() -> None:
    for schema in range(-4, 9):
        bounds = [upper_bound(index, schema, NONE) for index in range(-60, 60)]
        assert all(low < high for low, high in pairwise(bounds))
        assert np.allclose(bounds, [upper(index, schema) for index in range(-60, 60)], rtol=1e-15)
    assert upper_bound(1, 1, NONE) == 1.414213562373095  # a bit below the root of two, as Prometheus has it
    assert upper_bound(1024, 0, NONE) == np.finfo(float).max
    assert upper_bound(1025, 0, NONE) == math.inf
