"""Queries become what Grafana itself would send."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from waferscope_grafana import interpolation
from waferscope_grafana.errors import InterpolationError
from waferscope_grafana.interpolation import ALL_CHOSEN, Moment

MOMENT = Moment(
    start=datetime(2026, 3, 1, 8, 0, tzinfo=UTC),
    end=datetime(2026, 3, 1, 16, 0, tzinfo=timezone(timedelta(hours=1))),
    choices={"all": ALL_CHOSEN, "one": ("ETCH-01",), "many": ("LITHO.1", "O'Brien"), "none": ("",)},
)
FROM, TO = "'2026-03-01T08:00:00Z'", "'2026-03-01T15:00:00Z'"


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ('x{a=~"$all"}', 'x{a=~".*"}'),
        ('x{a=~"$one"}', 'x{a=~"ETCH-01"}'),
        ('x{a=~"${one}"}', 'x{a=~"ETCH-01"}'),
        ('x{a=~"$many"}', r'x{a=~"(LITHO\\.1|O\\' + "'" + r'Brien)"}'),
        ("x{a=~`${many:regex}`}", r"x{a=~`(LITHO\.1|O'Brien)`}"),
        ("rate(x[$__rate_interval])", "rate(x[2m0s])"),
        ("rate(x[${__interval}])", "rate(x[30s])"),
        ('label_replace(x, "a", "$1", "b", "(.*)")', None),
    ],
)
def test_promql_is_interpolated_as_by_a_prometheus_data_source(text: str, sent: str | None) -> None:
    if sent is None:
        with pytest.raises(InterpolationError, match=r"unknown variable \$1"):
            interpolation.promql(text, MOMENT)
    else:
        assert interpolation.promql(text, MOMENT) == sent


@pytest.mark.parametrize(
    ("step_s", "rate_interval"), [(15, "2m0s"), (90, "2m0s"), (300, "5m30s"), (3600, "1h0m30s"), (7200, "2h0m30s")]
)
def test_the_rate_interval_holds_four_scrapes_and_overlaps_the_next(step_s: int, rate_interval: str) -> None:
    moment = replace(MOMENT, step=timedelta(seconds=step_s))
    assert interpolation.promql("$__rate_interval", moment) == rate_interval


@pytest.mark.parametrize(
    ("step", "interval"),
    [
        (timedelta(seconds=20), "20s"),
        (timedelta(minutes=5), "5m"),
        (timedelta(hours=3), "3h"),
        (timedelta(days=7), "7d"),
    ],
)
def test_the_interval_is_written_in_its_largest_unit(step: timedelta, interval: str) -> None:
    assert interpolation.promql("$__interval", replace(MOMENT, step=step)) == interval


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("where $__timeFilter(started_at) and a", f"where started_at BETWEEN {FROM} AND {TO} and a"),
        ("where at > $__timeFrom() and at < $__timeTo()", f"where at > {FROM} and at < {TO}"),
        ("a in (${many:sqlstring})", "a in ('LITHO.1','O''Brien')"),
        ("a in (${none:sqlstring})", "a in ('')"),
        (r"a ~ $$\A(?:${many:regex})\Z$$", r"a ~ $$\A(?:(LITHO\.1|O'Brien))\Z$$"),
        (r"($$${all:regex}$$ = '.*')", r"($$.*$$ = '.*')"),
    ],
)
def test_sql_is_interpolated_as_by_a_postgresql_data_source(text: str, sent: str) -> None:
    assert interpolation.sql(text, MOMENT) == sent


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a = '$one'", "needs one of the formats regex, sqlstring"),
        ("a = '${one}'", "needs one of the formats regex, sqlstring"),
        ("a in (${one:csv})", "needs one of the formats regex, sqlstring"),
        ("a = ${tool:regex}", "unknown variable"),
        ("$__timeGroup(a, '1h')", "unknown macro"),
    ],
)
def test_what_would_go_unquoted_or_unknown_into_sql_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(InterpolationError, match=complaint):
        interpolation.sql(text, MOMENT)


@pytest.mark.parametrize(
    ("span", "points", "least_s", "step"),
    [
        (timedelta(hours=1), 1000, 30, timedelta(seconds=30)),
        (timedelta(hours=24), 1000, 30, timedelta(minutes=1)),
        (timedelta(hours=24), 1000, 300, timedelta(minutes=5)),
        (timedelta(days=30), 1000, 30, timedelta(minutes=30)),
        (timedelta(days=3650), 500, 30, timedelta(days=7)),
        (timedelta(days=3650), 60, 30, timedelta(days=30)),
        (timedelta(days=30), 100_000, 1, timedelta(minutes=5)),
    ],
)
def test_steps_are_round_never_shorter_than_asked_and_never_over_11000_points(
    span: timedelta, points: int, least_s: int, step: timedelta
) -> None:
    assert interpolation.step(span, points, timedelta(seconds=least_s)) == step
