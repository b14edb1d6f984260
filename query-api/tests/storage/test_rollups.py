"""Where samples are gone, rollups answer what the samples would have."""

from __future__ import annotations

import json
import math
import os
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.testing import assert_allclose

from waferscope_collector.maintenance import retention, rollups
from waferscope_collector.retention import Retention
from waferscope_query import explained
from waferscope_query.http.activity import Activity
from waferscope_query.http.admission import Admission
from waferscope_query.http.explain import ExplainApi
from waferscope_query.http.observe import Metrics
from waferscope_query.http.parameters import Parameters
from waferscope_query.promql.control import Control
from waferscope_query.promql.engine import evaluate, evaluate_instant
from waferscope_query.promql.errors import ExecutionError, TooManySamplesError
from waferscope_query.promql.evaluation.run import Answer
from waferscope_query.promql.evaluation.values import Scalar, Vector
from waferscope_query.promql.grid import DEFAULT_LIMITS
from waferscope_query.promql.history import Borders
from waferscope_query.promql.parsing import parse
from waferscope_query.promql.plan import plan_range
from waferscope_query.promql.planning_history import beyond_raw
from waferscope_query.settings import QuerySettings
from waferscope_query.storage.cache.session import SampleCache
from waferscope_query.storage.database import Database
from waferscope_query.storage.rollups import borders
from waferscope_query.storage.source import DatabaseSource
from waferscope_schemas.partitioning import ensure

if TYPE_CHECKING:
    from conftest import Service, Writer

SECOND, MINUTE, HOUR = 1000, 60_000, 3_600_000
DAY = timedelta(days=1)
TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
BORDER = int((TODAY - 4 * DAY).timestamp()) * 1000
BEGIN, END = BORDER - 5 * HOUR, BORDER + 4 * HOUR
BEFORE_DROPPING = retention._NOTICE
SETTINGS, NOTING = QuerySettings(database_url="postgresql://of/none"), Activity(1e9, None, 1)
TOLD = f"{TODAY - 4 * DAY:%Y-%m-%dT%H:%M:%SZ}"


@pytest.fixture
async def database(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Database]:
    monkeypatch.setattr(retention, "_NOTICE", 0.0)
    database = Database(database_url, 4)
    await database.open()
    yield database
    await database.close()


def source_of(database: Database) -> DatabaseSource:
    return DatabaseSource(database, SampleCache(1 << 26))


async def roll_up(writer: Writer) -> None:
    await rollups.catch_up(writer.connection, budget=60)


async def drop(writer: Writer, *tables: str, border: int = BORDER) -> None:
    """Let all samples before the border leave as retention has it."""
    period = datetime.now(UTC) - datetime.fromtimestamp(border / 1000, UTC) - timedelta(minutes=11)
    await retention.apply(
        writer.connection, Retention(**dict.fromkeys(tables or ("sample", "histogram_sample"), period))
    )


def instant(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


Table = dict[str, list[float]]


def table_of(answer: Answer) -> Table:
    """Values by series, NaN where there is none."""
    value = answer.value
    if isinstance(value, Scalar):
        return {"": value.values.tolist()}
    assert isinstance(value, Vector)
    names = [",".join(f"{k}={v}" for k, v in sorted(row.items())) for row in value.labels.rows()]
    return dict(zip(names, np.where(value.present, value.values, math.nan).tolist(), strict=True))


async def ask(source: DatabaseSource, expr: str, start: int, end: int, step: int) -> Table:
    return table_of(await evaluate(expr, source, start / 1000, end / 1000, step / 1000))


def assert_same(found: Table, expected: Table) -> None:
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        assert_allclose(found[name], values, rtol=1e-9, atol=1e-9, err_msg=name)


def counter(dice: random.Random, begin: int = BEGIN, end: int = END) -> list[tuple[int, float]]:
    """A counter's samples, with resets, pauses, duplicates and times right at an edge."""
    samples, value, ts = [], float(dice.randrange(50)), begin + dice.randrange(1, HOUR)
    while ts < end:
        value = float(dice.randrange(5)) if dice.random() < 0.02 else value + dice.randrange(10)
        samples.append((ts, value))
        if dice.random() < 0.05:
            samples.append((ts, value - 1))
        ts += dice.choice([15_000] * 8 + [MINUTE, 7 * MINUTE, 40 * MINUTE]) + dice.randrange(-2, 3)
        if dice.random() < 0.05:
            ts = -(-ts // (5 * MINUTE)) * 5 * MINUTE  # right at an edge
    return samples


BATCH = """
    with batch as (
        insert into wafer.ingest_batch (digest, signal, points, repeatable) values ($1, 'metrics', 1, true)
        returning batch_id
    )
    insert into wafer.ingest_hour (batch_id, hour, min_ts, max_ts, points)
    select batch_id, date_trunc('hour', t, 'UTC'), min(t), max(t), count(*)
    from batch, unnest($2::timestamptz[]) t
    group by 1, 2
"""
FUNCTIONS = ("count", "sum", "avg", "min", "max", "first", "last")
ALIGNED = (
    "x",
    "x offset 10m",
    "timestamp(x)",
    *(f"{name}_over_time(x[{window}])" for name in FUNCTIONS for window in ("10m", "1h")),
    *(f"{name}(x[{window}])" for name in ("rate", "increase") for window in ("5m", "15m", "1h", "2h")),
    "sum by (tool) (rate(x[1h])) / count by (tool) (last_over_time(x[1h]))",
    "topk(1, increase(x[1h] offset 1h)) or absent(y)",
)


@pytest.mark.parametrize("seed", range(3))
async def test_at_edges_rollups_answer_what_the_samples_before_them_did(
    database: Database, writer: Writer, seed: int
) -> None:
    dice = random.Random(seed)
    for tool, kind in (("a", "counter"), ("b", "gauge"), ("c", "unknown")):
        samples = counter(dice)
        dice.shuffle(samples)
        await writer.samples(await writer.series("x", kind, tool=tool), *samples)
    source = source_of(database)
    before = {expr: await ask(source, expr, BEGIN - 1, BORDER - 1, step_of(expr)) for expr in ALIGNED}
    await roll_up(writer)
    await drop(writer)
    for expr, expected in before.items():
        assert np.isfinite([*expected.values()]).any(), expr
        assert_same(await ask(source_of(database), expr, BEGIN, BORDER, step_of(expr)), expected)


def step_of(expr: str) -> int:
    """Whole buckets of what answers."""
    return HOUR if "h]" in expr else 20 * MINUTE


async def test_late_samples_reach_the_answer_from_rollups(database: Database, writer: Writer) -> None:
    x = await writer.series("x", "counter")
    await writer.samples(x, *((BORDER - HOUR + n * MINUTE, float(n)) for n in range(1, 60)))
    await roll_up(writer)
    await writer.samples(x, (BORDER - 30 * MINUTE - 1, 1000.0))
    await roll_up(writer)
    await drop(writer)
    assert await ask(source_of(database), "max_over_time(x[1h])", BORDER, BORDER, HOUR) == {"": [1000.0]}
    # What comes after the others were dropped doesn't replace what was computed from all.
    await writer.samples(x, (BORDER - 20 * MINUTE - 1, 5000.0))
    await roll_up(writer)
    assert await ask(source_of(database), "max_over_time(x[1h])", BORDER, BORDER, HOUR) == {"": [1000.0]}


def bounds_of(kind: str) -> list[float]:
    return [1.0, 2.0, 5.0] if kind == "explicit" else []


async def histograms(writer: Writer, kind: str, increases: list[list[float]], begin: int, interval: int) -> None:
    """Store a cumulative histogram of four buckets that rises by an increase at each sample."""
    series_id = await writer.series("h", "histogram", of=kind)
    totals, rows, times = np.zeros(4), [], []
    for number, increase in enumerate(increases):
        totals = totals + increase
        times.append(instant(begin + number * interval))
        explicit = kind == "explicit"
        count, total = float(totals.sum()), float(totals @ [1, 2, 3, 4])
        layout = (-53, [1.0, 2.0, 5.0], [0, 4]) if explicit else (1, [], [3, 4])
        rows.append((series_id, times[-1], count, total, *layout, totals.tolist()))
    await ensure(writer.connection, "histogram_sample", times)
    columns = ["series_id", "ts", "count", "sum", "schema", "custom_bounds", "positive_spans", "positive_counts"]
    async with writer.connection.transaction():
        await writer.connection.copy_records_to_table(
            "histogram_sample", schema_name="wafer", columns=columns, records=rows
        )
        await writer.connection.execute(BATCH, os.urandom(16), times)


OF_HISTOGRAMS = (
    "histogram_quantile(0.9, rate(h[1h]))",
    "histogram_quantile(0.5, sum by (of) (increase(h[10m])))",
    "histogram_avg(rate(h[15m]))",
    "histogram_count(increase(h[1h]))",
    "histogram_quantile(0.9, rate(h_bucket[1h]))",
    "rate(h_count[10m])",
    "increase(h_sum[1h])",
    'rate(h_bucket{le="2"}[10m])',
    "histogram_sum(h)",
    "histogram_quantile(0.9, h)",
    "h_bucket",
    "histogram_sum(last_over_time(h[1h]))",
    "count_over_time(h[1h])",
    "count_over_time(h_count[10m])",
)


async def test_at_edges_rollups_answer_what_histograms_did_that_rise_steadily(
    database: Database, writer: Writer
) -> None:
    begin = BEGIN - HOUR + 7 * SECOND
    for kind in ("explicit", "exponential"):
        await histograms(writer, kind, [[3.0, 1.0, 4.0, 2.0]] * (9 * 120), begin, 30 * SECOND)
    source = source_of(database)
    before = {expr: await ask(source, expr, BEGIN + HOUR - 1, BORDER - 1, step_of(expr)) for expr in OF_HISTOGRAMS}
    await roll_up(writer)
    await drop(writer)
    for expr, expected in before.items():
        assert expected, expr
        found = await ask(source_of(database), expr, BEGIN + HOUR, BORDER, step_of(expr))
        assert found.keys() == expected.keys(), expr
        for name, values in expected.items():
            assert_allclose(found[name], values, rtol=1e-6, err_msg=f"{expr}: {name}")


@pytest.mark.parametrize("kind", ["explicit", "exponential"])
async def test_the_increase_of_a_histogram_begins_at_the_last_one_before_the_window(
    database: Database, writer: Writer, kind: str
) -> None:
    dice = random.Random(kind)
    increases = [[float(dice.randrange(9)) for _ in range(4)] for _ in range(240)]
    await histograms(writer, kind, increases, BORDER - 2 * HOUR + 7 * SECOND, 30 * SECOND)
    await roll_up(writer)
    await drop(writer)
    hour, before = (
        np.array(increases[120:]).sum(axis=0),
        [f"histogram_{of}(increase(h[1h]))" for of in ("count", "sum")],
    )
    found = [await ask(source_of(database), expr, BORDER, BORDER, HOUR) for expr in before]
    assert found == [{f"of={kind}": [hour.sum()]}, {f"of={kind}": [hour @ [1, 2, 3, 4]]}]
    # The second answer from rollups is that of the series as classic ones.
    if kind == "explicit":
        buckets = await ask(source_of(database), "increase(h_bucket[1h])", BORDER, BORDER, HOUR)
        names = [f"le={le},of=explicit" for le in ("1", "2", "5", "+Inf")]
        assert buckets == {name: [value] for name, value in zip(names, np.cumsum(hour).tolist(), strict=True)}


async def test_histograms_answer_whatever_becomes_of_their_layout(database: Database, writer: Writer) -> None:
    h = await writer.series("h", "histogram")
    begin, times = BORDER - HOUR, []
    for number in range(60):  # new bounds and a reset amid the hour, then fewer bounds
        bounds = [[1.0, 2.0, 5.0], [1.0, 5.0], [5.0]][number // 20]
        times.append(begin + number * MINUTE + 1)
        counts = [float(number % 20 + 1)] * (len(bounds) + 1)
        await writer.histogram(h, times[-1], bounds, counts, sum(counts))
    await writer.connection.execute(BATCH, os.urandom(16), [instant(ms) for ms in times])
    await roll_up(writer)
    await drop(writer)
    source = source_of(database)

    async def at_border(expr: str) -> list[list[float]]:
        return sorted((await ask(source, expr, BORDER, BORDER, HOUR)).values())

    risen = 19.0 * 4 + 20 * 3 + 20 * 2
    assert await at_border("increase(h_count[1h])") == [[risen]]
    assert await at_border("histogram_count(increase(h[1h]))") == [[risen]]
    assert await at_border("histogram_count(h)") == [[40.0]]
    assert await at_border("count_over_time(h[1h])") == [[60.0]]
    # Of the bounds, those count that were there all the time.
    assert await at_border("increase(h_bucket[1h])") == [[risen - 19 - 20 - 20], [risen]]
    assert (await at_border("histogram_quantile(0.5, rate(h[1h]))"))[0][0] <= 5.0


async def test_a_range_that_crosses_the_border_reads_both_sides(database: Database, writer: Writer) -> None:
    for tool, begin, end in (("both", BEGIN, END), ("old", BEGIN, BORDER - HOUR), ("new", BORDER + HOUR, END)):
        series_id = await writer.series("x_total", "counter", tool=tool)
        await writer.samples(series_id, *((ts, float(ts - BEGIN)) for ts in range(begin + 1, end, 15 * SECOND)))
    step, exprs = 10 * MINUTE, ("x_total", "rate(x_total[30m])", "sum(x_total) / 2", "last_over_time(x_total[10m])")
    source = source_of(database)
    raw = {expr: await ask(source, expr, BEGIN, END, step) for expr in exprs}
    early = {expr: await ask(source, expr, BEGIN - 1, END - 1, step) for expr in exprs}
    await roll_up(writer)
    await drop(writer)
    times = np.arange(BEGIN, END + 1, step)
    for expr in exprs:
        found, reach = await ask(source_of(database), expr, BEGIN, END, step), 30 if "30m" in expr else 10
        reach = reach if "[" in expr else 5
        old = times - reach * MINUTE < BORDER - 1
        assert 0 < old.sum() < len(times)
        for name, values in found.items():
            expected = np.where(old, early[expr][name], raw[expr][name])
            # A window across the border ends at the last edge before the step, all others at the step.
            assert_allclose(values, expected, rtol=1e-9, err_msg=f"{expr}: {name}")
        assert found.keys() == raw[expr].keys()


async def filled(writer: Writer, *, hours: int = 5) -> None:
    series_id = await writer.series("x_total", "counter", tool="a")
    begin = BORDER - hours * HOUR
    await writer.samples(series_id, *((ts, float(ts - begin)) for ts in range(begin, END, MINUTE)))
    await roll_up(writer)
    await drop(writer)


NOTED = {
    "x_total": "from rollups of 5m over a window of 5m (1:1)",
    "rate(x_total[6m])": "from rollups of 5m over a window of 10m (1:6)",
    "sum(rate(x_total[70m]))": "from rollups of 1h over a window of 2h (1:10)",
}


@pytest.mark.parametrize("expr", NOTED)
async def test_an_answer_from_rollups_says_so(database: Database, writer: Writer, expr: str) -> None:
    await filled(writer)
    source = source_of(database)
    told = f"PromQL info: samples before {TOLD} are gone: answered {NOTED[expr]}"
    assert (await evaluate(expr, source, BEGIN / 1000, END / 1000, 600)).infos == (told,)
    assert (await evaluate_instant(expr, source, BORDER / 1000 - 100)).infos == (told,)
    assert (await evaluate(expr, source, END / 1000 - 600, END / 1000, 600)).infos == ()


async def test_a_step_of_an_hour_or_more_is_answered_from_hours(database: Database, writer: Writer) -> None:
    await filled(writer)
    answer = await evaluate("x_total", source_of(database), BEGIN / 1000, BORDER / 1000, 3600)
    assert "from rollups of 1h over a window of 5m" in answer.infos[0]
    hours = [math.nan, *(float(hour * HOUR - MINUTE) for hour in range(1, 6))]
    assert_same(table_of(answer), {"__name__=x_total,tool=a": hours})


async def test_a_range_is_rounded_up_to_whole_buckets_and_ends_at_an_edge(database: Database, writer: Writer) -> None:
    await filled(writer)
    source, at = source_of(database), BORDER - 2 * HOUR
    found = await ask(source, "count_over_time(x_total[7m])", at + 4 * MINUTE, at + 4 * MINUTE, HOUR)
    assert found == {"tool=a": [10.0]}
    found = await ask(source, "min_over_time(x_total[7m])", at + 4 * MINUTE, at + 4 * MINUTE, HOUR)
    assert found == {"tool=a": [float(3 * HOUR - 10 * MINUTE)]}


REFUSED = {
    "rate(x_total[4m])": "for older ones the range of rate() has to be at least 5m, not 4m",
    "sum(deriv(x_total[1h]))": "rollups don't answer deriv()",
    "absent_over_time(x_total[1h])": "rollups don't answer absent_over_time()",
    "quantile_over_time(0.5, x_total[1h])": "rollups don't answer quantile_over_time()",
    "rate(x_total[1h] smoothed)": "rollups don't answer smoothed ranges",
    "x_total smoothed": "rollups don't answer smoothed selectors",
    "info(x_total)": "rollups don't answer info()",
    "max_over_time(irate(x_total[5m])[1h:5m])": "rollups don't answer irate()",
}


@pytest.mark.parametrize("expr", REFUSED)
async def test_what_rollups_can_not_answer_is_refused_by_name(database: Database, writer: Writer, expr: str) -> None:
    await filled(writer)
    source = source_of(database)
    with pytest.raises(ExecutionError) as caught:
        await ask(source, expr, BEGIN, END, 10 * MINUTE)
    assert str(caught.value).startswith(f"samples before {TOLD} are gone")
    assert REFUSED[expr] in str(caught.value)
    await ask(source, expr, END - 10 * MINUTE, END, 10 * MINUTE)  # where samples are, everything is answered


async def test_a_range_of_samples_is_refused_beyond_the_border(database: Database, writer: Writer) -> None:
    await filled(writer)
    with pytest.raises(ExecutionError, match="rollups don't answer a range of samples"):
        await evaluate_instant("x_total[1h]", source_of(database), BORDER / 1000)


@pytest.mark.parametrize("function", ["sum", "avg", "min", "max", "first"])
@pytest.mark.parametrize("metric", ["h", "h_count"])
async def test_of_histograms_rollups_know_the_last_and_the_increase(
    database: Database, writer: Writer, function: str, metric: str
) -> None:
    await histograms(writer, "explicit", [[1.0] * 4] * 100, BORDER - HOUR, 30 * SECOND)
    await roll_up(writer)
    await drop(writer)
    with pytest.raises(ExecutionError, match="of histograms whose samples are gone, rollups answer"):
        await ask(source_of(database), f"{function}_over_time({metric}[1h])", BORDER, BORDER, HOUR)


async def test_subqueries_are_answered_at_their_own_steps(database: Database, writer: Writer) -> None:
    await filled(writer)
    source, at = source_of(database), BORDER - HOUR
    inner = await ask(source, "rate(x_total[10m])", at - 50 * MINUTE, at, 10 * MINUTE)
    found = await ask(source, "max_over_time(rate(x_total[10m])[1h:10m])", at, at, HOUR)
    assert found == {name: [max(values)] for name, values in inner.items()}
    fixed = await ask(source, f"rate(x_total[10m] @ {at / 1000})", END - HOUR, END, 30 * MINUTE)
    assert fixed == {name: [values[-1]] * 3 for name, values in inner.items()}


async def test_beyond_rollups_of_five_minutes_hours_answer(database: Database, writer: Writer) -> None:
    await filled(writer, hours=30)
    day = BORDER - 24 * HOUR
    await drop(writer, "rollup_5m", border=day)
    source = source_of(database)
    with pytest.raises(
        ExecutionError, match=r"rollups of 5m before .* the range of rate\(\) has to be at least 1h, not 30m"
    ):
        await ask(source, "rate(x_total[30m])", day - 2 * HOUR, day + HOUR, HOUR)
    answer = await evaluate_instant("x_total", source, (day - 2 * HOUR) / 1000)
    assert "from rollups of 1h" in answer.infos[0]
    assert table_of(answer) == {"__name__=x_total,tool=a": [float(4 * HOUR - MINUTE)]}
    # The first bucket that is left knows what was before it by the hour before it.
    found = await ask(source, "increase(x_total[5m])", day + 5 * MINUTE, day + 5 * MINUTE, HOUR)
    assert_allclose(found["tool=a"], [5.0 * MINUTE], rtol=1e-9)


async def test_a_site_that_keeps_everything_plans_as_it_did(database: Database, writer: Writer) -> None:
    await writer.gauge("x", (BORDER, 1.0))
    source = source_of(database)
    assert await source.borders() is None
    plan = plan_range(parse("rate(x[5m])"), BORDER, END, MINUTE)
    assert beyond_raw(plan, None) is plan
    assert beyond_raw(plan, Borders(BORDER - 5 * MINUTE + 1, 0)) is plan
    assert beyond_raw(plan, Borders(BORDER - 5 * MINUTE + 2, 0)).rollups


async def test_a_border_is_asked_for_every_few_seconds_only(
    database: Database, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert borders.POLL_S < BEFORE_DROPPING
    monkeypatch.setattr(borders, "POLL_S", 3600.0)
    source = source_of(database)
    assert await source.borders() is None
    await filled(writer)
    assert await source.borders() is None
    monkeypatch.setattr(borders, "POLL_S", 0.0)
    assert await source.borders() == Borders(BORDER, -(1 << 62))


async def test_buckets_count_against_the_limit_of_samples(database: Database, writer: Writer) -> None:
    await filled(writer)
    for expr in ("x_total", "rate(x_total[10m])"):
        limits = replace(DEFAULT_LIMITS, max_samples=60 if "rate" in expr else 10)
        with pytest.raises(TooManySamplesError):
            await evaluate(expr, source_of(database), BEGIN / 1000, BORDER / 1000, 3000, limits=limits)


async def test_over_http_the_info_stands_beside_the_data(
    service: Service, served: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "_NOTICE", 0.0)
    await filled(served)
    parameters = {"query": "sum(rate(x_total[10m]))", "start": BEGIN / 1000, "end": END / 1000, "step": 600}
    answer = service.http.get("/api/v1/query_range", params=parameters).json()
    assert answer["infos"] == [
        f"PromQL info: samples before {TOLD} are gone: answered from rollups of 5m over a window of 10m (1:10)"
    ]
    assert len(answer["data"]["result"][0]["values"]) > 50
    refused = service.http.get("/api/v1/query_range", params=parameters | {"query": "rate(x_total[1m])"})
    assert (refused.status_code, refused.json()["errorType"]) == (422, "execution")


async def test_what_is_explained_tells_of_rollups_beside_samples(writer: Writer, database: Database) -> None:
    series_id = await writer.series("explained_total", "counter")
    await writer.samples(series_id, *((ts, ts / SECOND) for ts in range(BEGIN, END, MINUTE)))
    await roll_up(writer)
    await drop(writer)
    api = ExplainApi(source_of(database), Admission(SETTINGS, Metrics(source_of(database))), DEFAULT_LIMITS, NOTING)
    fields = {"query": "rate(explained_total[1h])", "start": (BORDER - 2 * HOUR) // SECOND, "end": END // SECOND}
    asked = Parameters([(name, str(value)) for name, value in {**fields, "step": 600}.items()])
    told = json.loads((await api.explain(asked, Control())).data)
    (rollups_read,) = told["rollups"]
    assert (rollups_read["matchers"], rollups_read["bucket"]) == (['__name__="explained_total"'], 3600)
    assert rollups_read["database"]["rows"] > 0
    (samples,) = told["selections"]
    assert samples["samples"] == samples["database"]["samples"]
    assert told["totals"]["samplesFromDatabase"] == samples["samples"] + rollups_read["database"]["rows"]
    assert told["plan"]["values"] > 0
    assert "60 min" in explained.text({"data": told})
