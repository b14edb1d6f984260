"""The database as the engine's source: fresh, collapsed, with histograms as classic series and native ones."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import TYPE_CHECKING

import asyncpg
import numpy as np
import pytest

from waferscope_query.promql import evaluate
from waferscope_query.promql.errors import TooManySamplesError
from waferscope_query.promql.evaluation.values import Vector
from waferscope_query.promql.histograms import CUSTOM_BUCKETS, Hint, Histogram
from waferscope_query.promql.matchers import Matcher, MatchOp
from waferscope_query.promql.source import STALE_BITS, Samples, Selection
from waferscope_query.storage import sample_reader
from waferscope_query.storage.cache.session import SampleCache
from waferscope_query.storage.database import Database
from waferscope_query.storage.errors import StorageUnavailableError
from waferscope_query.storage.reader import instant
from waferscope_query.storage.source import DatabaseSource

if TYPE_CHECKING:
    from conftest import Writer

T0 = 1_800_000_000_000
STALE = float(np.array([STALE_BITS], np.uint64).view(np.float64)[0])
FAR = 1 << 60


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url, 4)
    await database.open()
    yield database
    await database.close()


@pytest.fixture
def source(database: Database) -> DatabaseSource:
    return DatabaseSource(database, SampleCache(1 << 26))


def named(metric: str, **labels: str) -> tuple[Matcher, ...]:
    return tuple(Matcher(name, MatchOp.EQUAL, value) for name, value in {"__name__": metric, **labels}.items())


async def select(source: DatabaseSource, *matchers: Matcher, limit: int = 1000) -> dict[str, list[tuple[int, float]]]:
    (samples,) = await source.select([Selection(matchers, T0, T0 + 60_000)], limit)
    return as_text(samples)


def as_text(samples: Samples) -> dict[str, list[tuple[int, float]]]:
    """Samples as {sorted labels: [(seconds after T0, value)]}; a stale marker shows as -1."""
    values = np.where(samples.values.view(np.uint64) == STALE_BITS, -1.0, samples.values).tolist()
    rows = list(zip(((samples.ts - T0) / 1000).tolist(), values, strict=True))
    starts = samples.offsets.tolist()
    labels = [",".join(f"{name}={value}" for name, value in row.items()) for row in samples.labels.rows()]
    assert len(set(labels)) == len(labels)
    return {text: rows[starts[i] : starts[i + 1]] for i, text in enumerate(labels)}


async def test_a_query_sees_what_was_committed_before_it(source: DatabaseSource, writer: Writer) -> None:
    assert await select(source, *named("overlay_nm")) == {}
    series_id = await writer.gauge("overlay_nm", (T0, 1.5), tool="a")
    assert await select(source, *named("overlay_nm")) == {"__name__=overlay_nm,tool=a": [(0, 1.5)]}
    await writer.samples(series_id, (T0 + 1, 2.5))
    assert await select(source, *named("overlay_nm")) == {"__name__=overlay_nm,tool=a": [(0, 1.5), (0.001, 2.5)]}


async def test_a_series_of_a_transaction_that_began_early_and_ends_late_is_seen(
    source: DatabaseSource, writer: Writer
) -> None:
    async with writer.connection.transaction():
        late = await writer.series("overlay_nm", tool="late")
        await writer.samples(late, (T0, 1.0))
        assert await select(source, *named("overlay_nm")) == {}
    assert await select(source, *named("overlay_nm")) == {"__name__=overlay_nm,tool=late": [(0, 1.0)]}


async def test_concurrent_queries_share_a_poll(source: DatabaseSource, writer: Writer) -> None:
    await writer.gauge("overlay_nm", (T0, 1.5))
    await source.follower.refresh()
    before = source.follower.polls
    answers = await asyncio.gather(*(select(source, *named("overlay_nm")) for _ in range(50)))
    assert all(answer == {"__name__=overlay_nm": [(0, 1.5)]} for answer in answers)
    assert source.follower.polls - before <= 2


async def test_duplicates_collapse(source: DatabaseSource, writer: Writer) -> None:
    await writer.gauge("x", (T0, 1.0), (T0 + 1000, STALE), (T0, 3.0), (T0, math.nan), (T0 + 1000, STALE), (T0, 2.0))
    assert await select(source, *named("x")) == {"__name__=x": [(0, 3.0), (1, -1.0)]}


async def test_only_the_range_is_read_both_ends_included(source: DatabaseSource, writer: Writer) -> None:
    await writer.gauge("x", (T0 - 1, 1.0), (T0, 2.0), (T0 + 60_000, 3.0), (T0 + 60_001, 4.0))
    assert await select(source, *named("x")) == {"__name__=x": [(0, 2.0), (60, 3.0)]}


async def test_times_beyond_the_calendar_are_held_at_its_ends(source: DatabaseSource, writer: Writer) -> None:
    await writer.gauge("x", (T0, 2.0))
    (samples,) = await source.select([Selection(named("x"), -FAR, FAR)], 10)
    assert samples.values.tolist() == [2.0]


async def test_several_selections_come_in_their_order(source: DatabaseSource, writer: Writer) -> None:
    await writer.gauge("a", (T0, 1.0))
    await writer.gauge("b", (T0, 2.0))
    selections = [Selection(named(metric), T0, T0) for metric in ("b", "none", "a", "b")]
    answers = await source.select(selections, 10)
    assert [samples.values.tolist() for samples in answers] == [[2.0], [], [1.0], [2.0]]


async def test_too_many_samples_are_refused_and_the_connection_lives_on(source: DatabaseSource, writer: Writer) -> None:
    await writer.gauge("x", *((T0 + ms, 1.0) for ms in range(20_000)))
    for _ in range(6):  # more often than there are connections
        with pytest.raises(TooManySamplesError):
            await select(source, *named("x"), limit=1000)
    assert len((await select(source, *named("x"), limit=20_000))["__name__=x"]) == 20_000


async def test_a_query_canceled_while_it_reads_leaves_its_connection_usable(database_url: str, writer: Writer) -> None:
    database = Database(database_url, 1)
    await database.open()
    source = DatabaseSource(database, SampleCache(1 << 26))
    await writer.gauge("x", *((T0 + ms, 1.0) for ms in range(20_000)))
    for wait in (0.0, 0.001, 0.003, 0.005, 0.008, 0.012):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await source.select([Selection(named("x"), 0, FAR), Selection(named("x"), 1, FAR)], 40_000)
    assert len((await select(source, *named("x"), limit=20_000))["__name__=x"]) == 20_000
    await database.close()


async def test_a_histogram_is_selected_as_classic_series(source: DatabaseSource, writer: Writer) -> None:
    duration = await writer.series("d_seconds", "histogram", tool="a")
    await writer.histogram(duration, T0, [0.5, 10.0], [1, 2, 3], 44.0)
    await writer.histogram(duration, T0 + 1000, [0.5, 10.0], [2, 2, 3], None)
    assert await select(source, *named("d_seconds_bucket")) == {
        "__name__=d_seconds_bucket,le=0.5,tool=a": [(0, 1), (1, 2)],
        "__name__=d_seconds_bucket,le=10,tool=a": [(0, 3), (1, 4)],
        "__name__=d_seconds_bucket,le=+Inf,tool=a": [(0, 6), (1, 7)],
    }
    assert await select(source, *named("d_seconds_sum")) == {"__name__=d_seconds_sum,tool=a": [(0, 44)]}
    assert await select(source, *named("d_seconds_count")) == {"__name__=d_seconds_count,tool=a": [(0, 6), (1, 7)]}
    assert await select(source, *named("d_seconds_bucket", le="10")) == {
        "__name__=d_seconds_bucket,le=10,tool=a": [(0, 3), (1, 4)]
    }


async def test_a_bucket_stays_one_series_when_the_other_bounds_change(source: DatabaseSource, writer: Writer) -> None:
    duration = await writer.series("d", "histogram")
    await writer.histogram(duration, T0 + 1000, [1.0, 2.0], [1, 1, 1], 1.0)
    await writer.histogram(duration, T0, [1.0], [1, 0], 1.0)
    await writer.histogram(duration, T0 + 2000, [], [5], 1.0)
    assert await select(source, *named("d_bucket")) == {
        "__name__=d_bucket,le=1": [(0, 1), (1, 1)],
        "__name__=d_bucket,le=2": [(1, 2)],
        "__name__=d_bucket,le=+Inf": [(0, 1), (1, 3), (2, 5)],
    }


async def test_of_duplicate_histograms_the_highest_count_then_sum_wins(source: DatabaseSource, writer: Writer) -> None:
    duration = await writer.series("d", "histogram")
    for counts, total in (([1, 1], 9.0), ([2, 1], 5.0), ([1, 2], 6.0), ([3, 0], 6.0), ([0, 3], 1.0)):
        await writer.histogram(duration, T0, [1.0], counts, total)
    assert await select(source, *named("d_bucket", le="1")) == {"__name__=d_bucket,le=1": [(0, 3)]}
    assert await select(source, *named("d_sum")) == {"__name__=d_sum": [(0, 6)]}


async def test_a_stale_histogram_ends_all_its_series(source: DatabaseSource, writer: Writer) -> None:
    duration = await writer.series("d", "histogram")
    await writer.histogram(duration, T0, [1.0], [1, 1], STALE)
    assert set(map(str, (await select(source, Matcher("__name__", MatchOp.REGEX, "d_.*"))).values())) == {
        "[(0.0, -1.0)]"
    }


async def natives(source: DatabaseSource, *matchers: Matcher) -> list[float | Histogram]:
    """The samples of the only series found."""
    (samples,) = await source.select([Selection(matchers, T0, T0 + 60_000)], 1000)
    assert len(samples.labels) == 1
    assert samples.histograms is not None
    pairs = zip(samples.values.tolist(), samples.histograms.at.tolist(), strict=True)
    return [samples.histograms.table.one(at) if at >= 0 else value for value, at in pairs]


EXPONENTIAL = Histogram(
    count=12,
    sum=18.5,
    schema=3,
    zero_threshold=0.001,
    zero_count=2,
    positive=(1, 2, 0, 0, 4),
    positive_first=-2,
    negative=(3,),
    negative_first=7,
)


async def test_an_exponential_histogram_is_a_native_one(source: DatabaseSource, writer: Writer) -> None:
    latency = await writer.series("latency", "histogram", tool="a")
    await writer.native(latency, T0, EXPONENTIAL, [-2, 2, 2, 1], [1, 2, 4])
    grown = replace(EXPONENTIAL, count=13, positive=(1, 2, 0, 0, 5))
    await writer.native(latency, T0 + 1000, grown, [-2, 2, 2, 1], [1, 2, 5])
    assert await natives(source, *named("latency")) == [EXPONENTIAL, replace(grown, hint=Hint.NOT_RESET)]


async def test_explicit_bounds_are_custom_buckets(source: DatabaseSource, writer: Writer) -> None:
    duration = await writer.series("d_seconds", "histogram", tool="a")
    await writer.histogram(duration, T0, [0.5, 10.0], [1, 2, 3], 44.0)
    await writer.histogram(duration, T0 + 1000, [0.5], [4, 3], None)
    first, second = await natives(source, *named("d_seconds"))
    assert first == Histogram(count=6, sum=44.0, schema=CUSTOM_BUCKETS, bounds=(0.5, 10.0), positive=(1, 2, 3))
    assert isinstance(second, Histogram)
    assert (second.bounds, second.positive, math.isnan(second.sum)) == ((0.5,), (4, 3), True)


async def test_only_histograms_that_came_so_are_classic_series(source: DatabaseSource, writer: Writer) -> None:
    duration = await writer.series("d_seconds", "histogram", classic=False)
    await writer.histogram(duration, T0, [0.5], [1, 2], 3.0)
    assert await natives(source, *named("d_seconds"))
    for suffix in ("bucket", "sum", "count"):
        assert await select(source, *named(f"d_seconds_{suffix}")) == {}
    await writer.connection.execute("update wafer.series set classic = true, xid = pg_current_xact_id()")
    assert await select(source, *named("d_seconds_count")) == {"__name__=d_seconds_count": [(0, 3.0)]}
    assert await natives(source, *named("d_seconds"))


async def starts(source: DatabaseSource, *matchers: Matcher, wanted: bool = True) -> list[list[float]] | None:
    """Of each series, the starts of its samples in seconds after T0; where nobody told it, T0 before 1970."""
    (samples,) = await source.select([Selection(matchers, T0, T0 + 60_000, starts=wanted)], FAR)
    if samples.starts is None:
        return None
    told = np.split((samples.starts - T0) / 1000, samples.offsets[1:-1])
    return [one.tolist() for one in told]


UNTOLD = -T0 / 1000


async def test_samples_tell_since_when_they_count(source: DatabaseSource, writer: Writer) -> None:
    series = await writer.gauge("x_total", *((T0 + 1000 * second, second) for second in range(5)), tool="a")
    await writer.gauge("x_total", (T0, 1.0), tool="b")
    assert await starts(source, *named("x_total")) is None
    await writer.starts(series, (T0 - 5000, T0 - 9000), (T0 - 1000, T0 - 3000), (T0 + 2000, T0 + 1500), (T0 + 4000, 0))
    assert await starts(source, *named("x_total", tool="a")) == [[-3, -3, 1.5, 1.5, UNTOLD]]
    assert await starts(source, *named("x_total")) == [[-3, -3, 1.5, 1.5, UNTOLD], [UNTOLD]]
    assert await starts(source, *named("x_total"), wanted=False) is None


async def test_histograms_tell_since_when_they_count_in_all_their_forms(source: DatabaseSource, writer: Writer) -> None:
    duration = await writer.series("d", "histogram")
    for second in range(3):
        await writer.histogram(duration, T0 + 1000 * second, [0.5], [1, 2], 3.0)
    await writer.connection.execute(
        "update wafer.histogram_sample set start = ts - interval '2 s' where ts > $1", instant(T0)
    )
    plain = await writer.gauge("d_count", (T0, 1.0), tool="b")
    await writer.starts(plain, (T0, T0 - 4000))
    for metric in ("d", "d_sum"):
        assert await starts(source, *named(metric)) == [[UNTOLD, -1, 0]]
    assert sorted(await starts(source, *named("d_count")) or []) == [[UNTOLD, -1, 0], [-4]]
    assert await starts(source, *named("d_bucket")) == [[UNTOLD, -1, 0]] * 2


async def test_a_series_may_hold_floats_and_histograms(source: DatabaseSource, writer: Writer) -> None:
    for kind in ("unknown", "histogram"):
        series = await writer.series("mixed", kind, of=kind)
        await writer.samples(series, (T0, 1.5), (T0 + 2000, 2.5), (T0 + 3000, 3.5))
        await writer.native(series, T0 + 1000, EXPONENTIAL, [-2, 2, 2, 1], [1, 2, 4])
        await writer.native(series, T0 + 2000, EXPONENTIAL, [-2, 2, 2, 1], [1, 2, 4])
        found = await natives(source, *named("mixed", of=kind))
        assert found == [1.5, EXPONENTIAL, replace(EXPONENTIAL, hint=Hint.NOT_RESET), 3.5]


async def test_of_duplicate_native_histograms_the_highest_count_then_sum_wins(
    source: DatabaseSource, writer: Writer
) -> None:
    latency = await writer.series("latency", "histogram")
    for count, total in ((12, 18.5), (13, 1.0), (13, 2.0), (13, math.nan)):
        one = replace(EXPONENTIAL, count=count, sum=total)
        await writer.native(latency, T0, one, [-2, 2, 2, 1], [1, 2, 4])
    assert await natives(source, *named("latency")) == [replace(EXPONENTIAL, count=13, sum=2.0)]


async def test_a_stale_native_histogram_ends_its_series(source: DatabaseSource, writer: Writer) -> None:
    latency = await writer.series("latency", "histogram")
    await writer.native(latency, T0, EXPONENTIAL, [-2, 2, 2, 1], [1, 2, 4])
    await writer.native(latency, T0 + 1000, Histogram(sum=STALE), [], [])
    (samples,) = await source.select([Selection(named("latency"), T0, T0 + 60_000)], 1000)
    assert (samples.values.view(np.uint64) == STALE_BITS).tolist() == [False, True]
    answer = await evaluate("latency", source, T0 / 1000, T0 / 1000 + 1, 1)
    assert isinstance(answer.value, Vector)
    assert answer.value.present.tolist() == [[True, False]]


async def test_the_histogram_before_the_range_tells_what_the_first_one_within_continues(
    source: DatabaseSource, writer: Writer
) -> None:
    latency = await writer.series("latency", "histogram")
    await writer.native(latency, T0 - 1000, EXPONENTIAL, [-2, 2, 2, 1], [1, 2, 4])
    await writer.native(latency, T0, EXPONENTIAL, [-2, 2, 2, 1], [1, 2, 4])
    assert await natives(source, *named("latency")) == [replace(EXPONENTIAL, hint=Hint.NOT_RESET)]


async def test_histograms_count_against_the_limit_with_their_buckets(source: DatabaseSource, writer: Writer) -> None:
    latency = await writer.series("latency", "histogram")
    await writer.native(latency, T0, Histogram(schema=3), [0, 1, 50_000, 1], [1, 1])
    with pytest.raises(TooManySamplesError):
        await select(source, *named("latency"))


async def test_labels_know_the_series_of_histograms(source: DatabaseSource, writer: Writer) -> None:
    duration = await writer.series("d_seconds", "histogram", tool="a")
    await writer.histogram(duration, T0, [0.5], [1, 2], 3.0)
    await writer.gauge("overlay_nm", (T0, 1.0), tool="b", lot="l1")
    everything = (-FAR, FAR)
    assert await source.label_names([], *everything) == ["__name__", "le", "lot", "tool"]
    assert await source.label_names([named("overlay_nm")], *everything) == ["__name__", "lot", "tool"]
    assert await source.label_values("le", [], *everything) == ["+Inf", "0.5"]
    assert await source.label_values("le", [], T0 + 1, FAR) == []
    assert await source.label_values("le", [named("d_seconds_bucket")], *everything) == ["+Inf", "0.5"]
    assert await source.label_values("tool", [named("d_seconds_count")], *everything) == ["a"]
    assert await source.label_values("__name__", [], *everything) == [
        "d_seconds",
        "d_seconds_bucket",
        "d_seconds_count",
        "d_seconds_sum",
        "overlay_nm",
    ]
    union = [named("d_seconds_bucket", le="0.5"), named("overlay_nm"), (Matcher("tool", MatchOp.EQUAL, "b"),)]
    rows = (await source.series(union, *everything)).rows()
    assert sorted(rows, key=lambda row: row["__name__"]) == [
        {"__name__": "d_seconds_bucket", "le": "0.5", "tool": "a"},
        {"__name__": "overlay_nm", "lot": "l1", "tool": "b"},
    ]


async def test_a_database_that_goes_away_is_unavailable_and_recovers(
    database_url: str, source: DatabaseSource, writer: Writer
) -> None:
    await writer.gauge("x", (T0, 1.0))
    await source.follower.refresh()
    name = database_url.rsplit("/", 1)[1].partition("?")[0]
    server = await asyncpg.connect(database_url.replace(f"/{name}", "/postgres"))
    try:
        await server.execute(f'alter database "{name}" allow_connections false')
        await server.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", name)
        with pytest.raises(StorageUnavailableError):
            await select(source, *named("x"))
        await server.execute(f'alter database "{name}" allow_connections true')
        async with asyncio.timeout(30):  # a connection whose end is not yet known may still be lent
            while (answer := await select_or_none(source)) is None:  # noqa: ASYNC110 - the server tells nobody
                await asyncio.sleep(0.05)
        assert answer == {"__name__=x": [(0, 1.0)]}
    finally:
        await server.close()


async def select_or_none(source: DatabaseSource) -> dict[str, list[tuple[int, float]]] | None:
    try:
        return await select(source, *named("x"))
    except StorageUnavailableError:
        return None


async def test_before_the_database_answers_a_query_is_unavailable(database_url: str) -> None:
    with pytest.raises(StorageUnavailableError):
        await DatabaseSource(Database(database_url, 2), SampleCache(0)).follower.refresh()


async def test_much_is_read_by_two_connections_from_one_state(
    database_url: str, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample_reader, "_MUCH", 1)
    database = Database(database_url, 3)
    await database.open()
    for tool in range(3):
        await writer.gauge("x", *((T0 + 1000 * n, float(n)) for n in range(100)), (T0, 7.0), tool=str(tool))
    source = DatabaseSource(database, SampleCache(0))
    matchers = (Matcher("__name__", MatchOp.EQUAL, "x"),)
    (whole,) = await source.select([Selection(matchers, T0, T0 + 99_000)], 301)
    assert whole.offsets.tolist() == [0, 100, 200, 300]
    assert whole.ts.tolist() == [T0 + 1000 * n for n in range(100)] * 3
    assert whole.values.tolist() == [7.0, *map(float, range(1, 100))] * 3
    with pytest.raises(TooManySamplesError):
        await source.select([Selection(matchers, T0, T0 + 99_000)], 299)
    (again,) = await source.select([Selection((*matchers, Matcher("tool", MatchOp.EQUAL, "1")), T0, T0 + 99_000)], 300)
    assert len(again.ts) == 100
    await database.close()
