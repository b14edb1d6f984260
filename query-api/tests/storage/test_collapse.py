"""Duplicates collapse by the rule, whatever the order in which they come."""

import itertools
import math

import numpy as np
import pytest

from waferscope_query.promql.source import STALE_BITS
from waferscope_query.storage.collapse import collapse
from waferscope_query.storage.copied import Points

STALE = np.array([STALE_BITS], np.uint64).view(np.float64)[0]


def points(*rows: tuple[int, int, float]) -> Points:
    series, ts, values = zip(*rows, strict=True) if rows else ((), (), ())
    bits = np.concatenate([np.zeros(0, np.uint64), *(np.array([value]).view(np.uint64) for value in values)])
    return Points(np.array(series, np.int64), np.array(ts, np.int64), bits.astype(np.uint64).view(np.float64))


def bits(value: float) -> int:
    return int(np.array([value]).view(np.uint64)[0])


@pytest.mark.parametrize(
    ("duplicates", "winner"),
    [
        ([1.0, 2.0, -3.0], 2.0),
        ([math.nan, -math.inf], -math.inf),
        ([STALE, math.nan], math.nan),
        ([STALE, math.nan, 0.0], 0.0),
        ([-0.0, 0.0], 0.0),
        ([STALE, STALE], STALE),
        ([-1.0, -2.0, STALE], -1.0),
    ],
)
def test_the_highest_value_wins_any_number_before_nan_before_a_stale_marker(
    duplicates: list[float], winner: float
) -> None:
    for order in itertools.permutations(duplicates):
        kept = collapse(points((7, 1000, 5.0), *((3, 1000, value) for value in order), (3, 500, 1.0)))
        assert kept.series.tolist() == [3, 3, 7]
        assert kept.ts.tolist() == [500, 1000, 1000]
        assert [bits(value) for value in kept.values] == [bits(1.0), bits(winner), bits(5.0)]


def test_random_points_collapse_as_a_dictionary_of_maxima_does() -> None:
    random = np.random.default_rng(7)
    given = Points(
        random.integers(0, 20, 5000) << 40, random.integers(-50, 50, 5000), random.integers(0, 9, 5000).astype(float)
    )
    expected: dict[tuple[int, int], float] = {}
    for series, ts, value in zip(given.series.tolist(), given.ts.tolist(), given.values.tolist(), strict=True):
        expected[series, ts] = max(value, expected.get((series, ts), -1.0))
    kept = collapse(given)
    assert list(zip(kept.series.tolist(), kept.ts.tolist(), strict=True)) == sorted(expected)
    assert kept.values.tolist() == [expected[key] for key in sorted(expected)]


def test_far_apart_series_and_times_are_ordered_too() -> None:
    kept = collapse(points((1 << 62, 5, 1.0), (0, 1 << 60, 2.0), (0, -5, 3.0)))
    assert kept.values.tolist() == [3.0, 2.0, 1.0]


def test_nothing_collapses_to_nothing() -> None:
    assert len(collapse(points())) == 0
