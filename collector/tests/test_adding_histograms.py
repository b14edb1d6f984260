"""The sum of two histograms is the histogram of all their observations."""

import math
from collections import Counter
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from waferscope_collector.decode.points import HistogramPoint
from waferscope_collector.fold.histogram import add, addable, zero

observations = st.lists(
    st.tuples(st.integers(-600, 600), st.booleans()).map(lambda it: 2.0 ** ((it[0] - 0.5) / 64) * (-1 if it[1] else 1)),
    max_size=30,
)
shapes = st.tuples(st.integers(-4, 5), st.sampled_from([0.0, 2.0**-16, 1.0]))


def spans(numbers: Sequence[int]) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Return spans with gaps, and counts, of the numbers of buckets."""
    counted = Counter(numbers)
    out: list[int] = []
    previous = None
    for number in sorted(counted):
        if previous is not None and number == previous + 1:
            out[-1] += 1
        else:
            out += [number if previous is None else number - previous - 1, 1]
        previous = number
    return tuple(out), tuple(float(counted[number]) for number in sorted(counted))


def of(values: Sequence[float], schema: int, threshold: float) -> HistogramPoint:
    def number(value: float) -> int:
        return math.ceil(math.log2(abs(value)) * 2.0**schema)

    zeros = [value for value in values if abs(value) <= threshold]
    rest = [value for value in values if abs(value) > threshold]
    positive, positive_counts = spans([number(value) for value in rest if value > 0])
    negative, negative_counts = spans([number(value) for value in rest if value < 0])
    return HistogramPoint(
        count=float(len(values)),
        sum=math.fsum(values),
        schema=schema,
        zero_threshold=threshold,
        zero_count=float(len(zeros)),
        positive_spans=positive,
        positive_counts=positive_counts,
        negative_spans=negative,
        negative_counts=negative_counts,
    )


def plain(point: HistogramPoint) -> tuple[object, ...]:
    """Return what a histogram says, however its spans are cut."""

    def side(cut: Sequence[int], counts: Sequence[float]) -> dict[int, float]:
        found: dict[int, float] = {}
        number, given_counts = 0, iter(counts)
        for offset, length in zip(cut[::2], cut[1::2], strict=True):
            number += offset
            for _ in range(length):
                found[number] = next(given_counts)
                number += 1
        return {key: value for key, value in found.items() if value}

    sides = (side(point.positive_spans, point.positive_counts), side(point.negative_spans, point.negative_counts))
    return point.count, round(point.sum or 0, 6), point.schema, point.zero_threshold, point.zero_count, *sides


@settings(max_examples=300, deadline=None)
@given(observations, shapes, observations, shapes)
def test_of_any_schemas_and_zero_buckets(
    one: list[float], one_shape: tuple[int, float], other: list[float], other_shape: tuple[int, float]
) -> None:
    schema, threshold = min(one_shape[0], other_shape[0]), max(one_shape[1], other_shape[1])
    first, second = of(one, *one_shape), of(other, *other_shape)
    assert addable(first, second)
    expected = of(one + other, schema, threshold)
    if threshold == 2.0**-16 and schema < -3:  # inside a bucket of that schema: the zero bucket takes it in whole
        return
    assert plain(add(first, second)) == plain(expected) == plain(add(second, first))


@settings(max_examples=200, deadline=None)
@given(observations, shapes)
def test_zeros_add_nothing(values: list[float], shape: tuple[int, float]) -> None:
    point = of(values, *shape)
    assert plain(add(zero(point, reset=True), point)) == plain(point)
    assert zero(point, reset=True).reset_hint == 1


def test_a_zero_bucket_that_cuts_a_bucket_ends_with_it() -> None:
    wide = HistogramPoint(1, 0.0, schema=0, zero_threshold=3.0, zero_count=1)
    fine = HistogramPoint(2, 5.0, schema=0, positive_spans=(2, 2), positive_counts=(1.0, 1.0))  # to 4, to 8
    total = add(wide, fine)
    assert (total.zero_threshold, total.zero_count, total.positive_spans) == (4.0, 2.0, (3, 1))


def test_custom_bounds_must_be_equal() -> None:
    one = HistogramPoint(2, 3.0, bounds=(1.0,), positive_spans=(0, 2), positive_counts=(1.0, 1.0))
    other = HistogramPoint(2, 3.0, bounds=(2.0,), positive_spans=(0, 2), positive_counts=(1.0, 1.0))
    assert not addable(one, other)
    assert not addable(one, of([1.0], 0, 0.0))
    assert plain(add(one, one))[:2] == (4, 6.0)
