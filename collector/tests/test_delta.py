"""Deltas add up to what point by point would have stored, whatever shares a group."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from waferscope_collector.decode.points import HistogramPoint
from waferscope_collector.fold.delta import (
    HistogramTotal,
    NumberTotals,
    add_histograms,
    add_numbers,
    gather_histograms,
    gather_numbers,
)

LARGE = 1e308
Rows = list[tuple[int, int, float]]  # series, time, value
Points = list[tuple[int, int, int, float]]  # series, start, time, value


def totals_of(*rows: tuple[int, int, int, float]) -> NumberTotals:
    """Totals by series, start, time of the last sample, value."""
    ids, starts, times, values = zip(*rows, strict=True)
    return NumberTotals(np.array(ids), np.array(starts), np.array(times), np.array(values, np.float64))


def added(points: Points, totals: NumberTotals) -> tuple[NumberTotals, Rows]:
    ids, starts, times, values = (np.array(column) for column in zip(*points, strict=True))
    new, samples = add_numbers(gather_numbers(ids, times, starts, values.astype(np.float64)), totals)
    return new, sorted(zip(samples.series_ids.tolist(), samples.times.tolist(), samples.values.tolist(), strict=True))


def test_a_backlog_of_one_series_leaves_a_sample_for_each_time() -> None:
    points = [(1, minute * 60_000, (minute + 1) * 60_000, 1.0) for minute in range(1, 61)]
    _, rows = added(points[::-1], totals_of((1, 60_000, 59_999, 0.0)))
    assert rows == [(1, (minute + 1) * 60_000, float(minute)) for minute in range(61)]


def test_points_of_one_time_make_one_step() -> None:
    _, rows = added([(1, 10, 20, 1.0), (1, 15, 20, 2.0)], totals_of((1, 10, 9, 0.0)))
    assert rows == [(1, 10, 0.0), (1, 20, 3.0)]


def test_a_new_total_begins_with_a_zero_at_the_first_start_of_all_processes_that_overlap() -> None:
    _, rows = added([(1, 50, 60, 1.0), (1, 10, 100, 2.0)], totals_of((1, 10, 9, 0.0)))
    assert rows == [(1, 10, 0.0), (1, 50, 0.0), (1, 60, 1.0), (1, 100, 3.0)]


def test_the_old_total_stands_where_a_step_begins_after_the_last_sample() -> None:
    _, rows = added([(1, 20, 30, 1.0), (1, 30, 40, 1.0), (1, 70, 80, 1.0)], totals_of((1, 0, 10, 5.0)))
    assert rows == [(1, 20, 5.0), (1, 30, 6.0), (1, 40, 7.0), (1, 70, 7.0), (1, 80, 8.0)]


def test_late_steps_follow_the_last_sample_at_1_ms_each() -> None:
    _, rows = added([(1, 10, 20, 1.0), (1, 20, 30, 1.0), (1, 30, 103, 1.0)], totals_of((1, 0, 100, 5.0)))
    assert rows == [(1, 101, 6.0), (1, 102, 7.0), (1, 103, 8.0)]


def test_rounding_of_one_series_does_not_reach_the_next() -> None:
    points = [(1, 10, 20, 1e17), (1, 20, 30, 1.0), (2, 10, 20, 0.1), (2, 20, 30, 0.1)]
    _, rows = added(points, totals_of((1, 10, 10, 0.0), (2, 10, 10, 0.0)))
    assert rows[-1] == (2, 30, 0.2)


def test_a_total_that_would_overflow_begins_anew_with_the_step() -> None:
    new, rows = added([(1, 10, 20, LARGE), (1, 20, 30, 1.0)], totals_of((1, 0, 10, LARGE)))
    assert rows == [(1, 20, LARGE), (1, 30, LARGE)]
    several = [(1, 10 * step, 10 * step + 10, LARGE) for step in range(1, 4)]
    assert [value for _, _, value in added(several, new)[1]] == [LARGE] * 3
    assert [value for _, _, value in added([(1, 30, 40, LARGE)] * 2, new)[1]] == [np.finfo(np.float64).max]


@st.composite
def _points(draw: st.DrawFn) -> Points:
    """Points of a few series, each time of a series once, in order of time."""
    keys = draw(st.sets(st.tuples(st.integers(1, 3), st.integers(100, 160)), min_size=1, max_size=20))
    return [
        (series, time - draw(st.integers(1, 40)), time, float(draw(st.integers(0, 9))))
        for series, time in sorted(keys, key=lambda key: key[1])
    ]


@given(_points())
def test_a_group_stores_what_its_points_would_have_stored_one_by_one(points: Points) -> None:
    series = sorted({series for series, *_ in points})
    totals = totals_of(*((key, 50, 120, 7.0) for key in series))
    at_once, rows = added(points, totals)
    one_by_one: Rows = []
    known = {key: (key, 50, 120, 7.0) for key in series}
    for point in points:
        new, stored = added([point], totals_of(known[point[0]]))
        known[point[0]] = (point[0], 50, int(new.times[0]), float(new.values[0]))
        one_by_one += stored
    assert rows == sorted(one_by_one)
    assert at_once.times.tolist() == [known[key][2] for key in series]
    assert at_once.values.tolist() == [known[key][3] for key in series]


def _histogram(total: float) -> HistogramPoint:
    return HistogramPoint(2.0, total, bounds=(1.0,), positive_spans=(0, 2), positive_counts=(1.0, 1.0))


def test_a_backlog_of_a_histogram_leaves_a_sample_for_each_time() -> None:
    times = np.array([30, 20, 20, 60])
    deltas = gather_histograms(np.ones(4, np.int64), times, np.array([20, 10, 12, 50]), [_histogram(1.0)] * 4)
    totals, samples = add_histograms(deltas, {1: HistogramTotal(9)}, {1: 10})
    assert samples.times.tolist() == [10, 20, 30, 50, 60]
    assert samples.buckets.scalars[:, 0].tolist() == [0, 4, 6, 6, 8]
    assert samples.buckets.scalars[:, 1].tolist() == [0, 2, 3, 3, 4]
    point = HistogramPoint(8.0, 4.0, bounds=(1.0,), positive_spans=(0, 2), positive_counts=(4.0, 4.0))
    assert totals[1] == HistogramTotal(60, point)


def test_a_histogram_whose_sum_would_overflow_begins_anew_by_a_zero() -> None:
    deltas = gather_histograms(np.ones(2, np.int64), np.array([20, 30]), np.array([10, 20]), [_histogram(LARGE)] * 2)
    _, samples = add_histograms(deltas, {1: HistogramTotal(9)}, {1: 10})
    assert samples.times.tolist() == [10, 20, 21, 30]
    assert [(point.count, point.sum, point.reset_hint) for point in map(samples.buckets.point, range(4))] == [
        *((0, 0, 0), (2, LARGE, 0)),
        *((0, 0, 1), (2, LARGE, 0)),
    ]
