"""What comes from memory is what would have been read."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from waferscope_query.promql.errors import TooManySamplesError
from waferscope_query.promql.histograms import CUSTOM_BUCKETS, Histogram
from waferscope_query.promql.matchers import Matcher, MatchOp
from waferscope_query.promql.source import STALE_BITS, Samples, Selection
from waferscope_query.storage.cache.block import WIDTH_MS
from waferscope_query.storage.cache.session import SampleCache, Session
from waferscope_query.storage.database import Database
from waferscope_query.storage.deletion import delete_samples
from waferscope_query.storage.recent import warm
from waferscope_query.storage.source import DatabaseSource

if TYPE_CHECKING:
    from conftest import Writer

T0 = 1_800_000_000_000 // WIDTH_MS * WIDTH_MS
SPAN = 3 * WIDTH_MS
STALE = float(np.array([STALE_BITS], np.uint64).view(np.float64)[0])
ALL = (Matcher("__name__", MatchOp.EQUAL, "x"),)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url, 4)
    await database.open()
    yield database
    await database.close()


def of_tool(tool: int) -> tuple[Matcher, ...]:
    return (*ALL, Matcher("tool", MatchOp.EQUAL, str(tool)))


def shown(samples: Samples) -> dict[str, list[tuple[int, int, Histogram | None]]]:
    """All that samples say, floats by their bits; a histogram's sum is told by the value's bits."""
    table = None if samples.histograms is None else samples.histograms.table
    at = np.full(len(samples.ts), -1) if samples.histograms is None else samples.histograms.at
    histograms = [replace(table.one(row), sum=0.0) if table is not None and row >= 0 else None for row in at.tolist()]
    rows = list(zip(samples.ts.tolist(), samples.values.view(np.int64).tolist(), histograms, strict=True))
    ends = samples.offsets.tolist()
    names = [",".join(f"{name}={value}" for name, value in row.items()) for row in samples.labels.rows()]
    assert len(set(names)) == len(names)
    return {name: rows[ends[i] : ends[i + 1]] for i, name in enumerate(names) if ends[i] < ends[i + 1]}


def listed(samples: Samples) -> dict[str, list[tuple[int, float]]]:
    rows = list(zip(samples.ts.tolist(), samples.values.tolist(), strict=True))
    ends = samples.offsets.tolist()
    names = [row["tool"] for row in samples.labels.rows()]
    return {name: rows[ends[i] : ends[i + 1]] for i, name in enumerate(names)}


async def read(
    source: DatabaseSource, matchers: tuple[Matcher, ...] = ALL, start: int = T0, end: int = T0 + SPAN - 1
) -> dict[str, list[tuple[int, float]]]:
    (samples,) = await source.select([Selection(matchers, start, end)], 1_000_000)
    return listed(samples)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("room", [1 << 26, 3_000])
async def test_whatever_is_written_late_or_deleted_memory_agrees_with_the_database(
    database: Database, writer: Writer, seed: int, room: int
) -> None:
    chance = random.Random(seed)
    source = DatabaseSource(database, SampleCache(room))
    direct = source.uncached()
    ids = [await writer.series("x", tool=str(tool)) for tool in range(3)]
    for step in range(40):
        begin = T0 + chance.randrange(SPAN)
        match chance.randrange(4):
            case 0:
                samples = [(begin + 1000 * n, float(step)) for n in range(chance.randrange(1, 40))]
                await writer.samples(chance.choice(ids), *samples)
            case 1:
                end = begin + chance.randrange(WIDTH_MS)
                await delete_samples(database, np.array([chance.choice(ids)]), begin, end)
            case _:
                end = begin + chance.randrange(SPAN)
                matchers = chance.choice([ALL, of_tool(chance.randrange(3))])
                assert await read(source, matchers, begin, end) == await read(direct, matchers, begin, end)
    assert await read(source) == await read(direct)
    assert source.cache.bytes <= room


BOUNDS = ([0.5, 1.0], [1.0, 2.0], [0.5, 1.0, 2.0], [])
SELECTED = (
    (Matcher("__name__", MatchOp.REGEX, "h.*"),),
    (Matcher("__name__", MatchOp.EQUAL, "h_bucket"),),
    (Matcher("__name__", MatchOp.EQUAL, "h_bucket"), Matcher("le", MatchOp.REGEX, "1|2")),
    (Matcher("__name__", MatchOp.REGEX, "h_(sum|count)"), Matcher("tool", MatchOp.NOT_EQUAL, "0")),
    (Matcher("__name__", MatchOp.EQUAL, "h"), Matcher("tool", MatchOp.EQUAL, "1")),
    (Matcher("__name__", MatchOp.EQUAL, "either"),),
    (Matcher("tool", MatchOp.EQUAL, "0"),),
)


async def write_anything(chance: random.Random, writer: Writer, ids: dict[str, list[int]], begin: int) -> None:
    """Write a few samples, floats or histograms of changing layout, some of them stale."""
    kind = chance.choice(["plain", "histogram", "histogram", "exponential", "either"])
    series_id, spacing = chance.choice(ids[kind]), chance.choice([1000, 120_000])
    bounds, first = chance.choice(BOUNDS), chance.randrange(-3, 3)
    floats = kind == "plain" or (kind == "either" and chance.random() < 0.5)
    if floats:
        await writer.samples(series_id, *((begin + 1000 * n, chance.random()) for n in range(chance.randrange(1, 20))))
        return
    for n in range(chance.randrange(1, 5)):
        at, stale = begin + n * spacing, chance.random() < 0.1
        if kind == "histogram":
            counts = [float(chance.randrange(9)) for _ in range(len(bounds) + 1)]
            await writer.histogram(series_id, at, bounds, counts, STALE if stale else chance.choice([None, 2.5]))
        else:
            counts = [float(chance.randrange(9)) for _ in range(chance.randrange(4))]
            custom = chance.random() < 0.3
            one = Histogram(
                sum=STALE if stale else 1.5,
                count=sum(counts),
                schema=CUSTOM_BUCKETS if custom else 3,
                bounds=(1.0, 2.0, 3.0) if custom else (),
                negative=() if custom else (1.0, 2.0),
            )
            await writer.native(series_id, at, one, [0 if custom else first, len(counts)] if counts else [], counts)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("room", [1 << 26, 400_000, 40_000])
async def test_memory_agrees_with_the_database_about_histograms_too(
    database: Database, writer: Writer, seed: int, room: int
) -> None:
    chance = random.Random(seed)
    source = DatabaseSource(database, SampleCache(room))
    direct = source.uncached()
    ids = {
        "plain": [await writer.series(metric, tool="0") for metric in ("h_count", "h_bucket", "x")],
        "histogram": [await writer.series("h", "histogram", tool=str(tool)) for tool in range(3)]
        + [await writer.series("h", "histogram", tool="2", le="0.5")],
        "exponential": [await writer.series("h", "histogram", classic=False, tool=str(tool)) for tool in range(3, 5)],
        "either": [await writer.series("either", "unknown", tool=str(tool)) for tool in range(3)],
    }
    every = [one for some in ids.values() for one in some]

    async def agree(*selections: Selection) -> None:
        found = await source.select(selections, 1_000_000)
        assert [shown(one) for one in found] == [shown(one) for one in await direct.select(selections, 1_000_000)]

    for _ in range(50):
        begin = T0 + chance.randrange(SPAN)
        match chance.randrange(5):
            case 0 | 1:
                await write_anything(chance, writer, ids, begin)
            case 2:
                end = begin + chance.randrange(WIDTH_MS)
                await delete_samples(database, np.array(chance.sample(every, 3)), begin, end)
            case _:
                wanted = chance.sample(SELECTED, chance.randrange(1, 3))
                ends = [begin + chance.randrange(SPAN) for _ in wanted]
                await agree(*(Selection(one, begin, end) for one, end in zip(wanted, ends, strict=True)))
    await agree(*(Selection(one, T0, T0 + 2 * SPAN) for one in SELECTED))
    assert source.cache.bytes <= room
    if room == 1 << 26:
        read = source.cache.misses
        await agree(*(Selection(one, T0, T0 + 2 * SPAN) for one in SELECTED))
        assert source.cache.misses == read


async def test_what_is_known_is_not_read_again(database: Database, writer: Writer) -> None:
    source = DatabaseSource(database, SampleCache(1 << 26))
    series_id = await writer.gauge("x", *((T0 + 1000 * n, float(n)) for n in range(100)), tool="a")
    await read(source)
    assert (source.cache.misses, source.cache.hits) == (100, 0)
    await read(source)
    assert (source.cache.misses, source.cache.hits) == (100, 100)
    await writer.samples(series_id, (T0 + 100_000, 1.0))
    found = await read(source)
    assert found["a"][-1] == (T0 + 100_000, 1.0)
    assert (source.cache.misses, source.cache.hits) == (101, 200)


async def test_histograms_that_are_known_are_not_read_again(database: Database, writer: Writer) -> None:
    source = DatabaseSource(database, SampleCache(1 << 26))
    series_id = await writer.series("h", "histogram", tool="a")
    for n in range(10):
        await writer.histogram(series_id, T0 + 1000 * n, [0.5], [float(n), 1.0], 1.0)
    by_name = {name: (Matcher("__name__", MatchOp.EQUAL, name),) for name in ("h_bucket", "h_sum", "h_count", "h")}
    await source.select([Selection(by_name["h_bucket"], T0, T0 + SPAN)], 1000)
    assert (source.cache.misses, source.cache.hits) == (20, 0)
    await source.select([Selection(by_name["h_sum"], T0, T0 + SPAN)], 1000)  # beside the buckets it was read
    await source.select([Selection(by_name["h_count"], T0, T0 + SPAN)], 1000)
    assert (source.cache.misses, source.cache.hits) == (20, 20)
    await source.select([Selection(by_name["h"], T0, T0 + SPAN)], 1000)
    assert (source.cache.misses, source.cache.hits) == (30, 20)
    await source.select([Selection(by_name["h"], T0, T0 + SPAN)], 1000)
    assert (source.cache.misses, source.cache.hits) == (30, 30)
    await writer.histogram(series_id, T0 + 10_000, [0.5], [9.0, 9.0], 1.0)
    (samples,) = await source.select([Selection(by_name["h_bucket"], T0, T0 + SPAN)], 1000)
    assert len(samples.ts) == 22
    assert (source.cache.misses, source.cache.hits) == (34, 48)  # a histogram is a sum, a count and two buckets


async def test_a_series_of_unknown_kind_is_answered_from_memory(
    database: Database, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = DatabaseSource(database, SampleCache(1 << 26))
    series_id = await writer.series("x", "unknown", tool="a")
    await writer.samples(series_id, (T0, 1.0))
    assert await read(source) == {"a": [(T0, 1.0)]}
    monkeypatch.setattr(DatabaseSource, "_read", None)  # nothing has to be read
    assert await read(source) == {"a": [(T0, 1.0)]}
    monkeypatch.undo()
    await writer.native(series_id, T0 + 1000, Histogram(count=1.0, sum=2.0), [0, 1], [1.0])
    assert await read(source) == {"a": [(T0, 1.0), (T0 + 1000, 2.0)]}


async def test_what_is_written_again_and_again_takes_no_more_room(database: Database, writer: Writer) -> None:
    source = DatabaseSource(database, SampleCache(1 << 26))
    ids = [await writer.series("h", "histogram", tool=str(tool)) for tool in range(2)]
    sizes = []
    for _ in range(5):
        for bounds, series_id in zip(([0.5, 1.0], [1.0, 2.0]), ids, strict=True):
            await delete_samples(database, np.array([series_id]), T0, T0 + 1)
            await writer.histogram(series_id, T0, bounds, [1.0, 2.0, 3.0], 1.0)
        everything = (Matcher("__name__", MatchOp.REGEX, "h.*"),)
        await source.select([Selection(everything, T0, T0 + SPAN)], 1000)
        sizes.append(source.cache.bytes)
    assert sizes == sizes[:1] * 5


async def test_what_is_committed_while_a_query_reads_is_not_missed_by_the_next(
    database: Database, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = DatabaseSource(database, SampleCache(1 << 26))
    series_id = await writer.gauge("x", (T0, 1.0), tool="a")

    async def overtaken(self: Session, *args: Any) -> Any:
        monkeypatch.undo()
        await writer.samples(series_id, (T0 + 1000, 2.0))
        assert await read(source) == {"a": [(T0, 1.0), (T0 + 1000, 2.0)]}  # another query is faster
        await writer.samples(series_id, (T0 + 2000, 3.0))
        return await self._completed(*args)

    monkeypatch.setattr(Session, "_completed", overtaken)
    assert await read(source) == {"a": [(T0, 1.0)]}  # the state of its beginning
    assert await read(source) == {"a": [(T0, 1.0), (T0 + 1000, 2.0), (T0 + 2000, 3.0)]}


async def test_queries_beside_a_writer_see_what_was_committed_before_each(database: Database, writer: Writer) -> None:
    source = DatabaseSource(database, SampleCache(1 << 26))
    series_id = await writer.gauge("x", (T0, 0.0), tool="a")
    committed = 0

    async def ask() -> None:
        for _ in range(25):
            before = committed
            found = await read(source)
            assert len(found["a"]) > before
            await asyncio.sleep(0)

    async def write() -> None:
        nonlocal committed
        for n in range(1, 40):
            await writer.samples(series_id, (T0 + n * 20_000 % SPAN, float(n)))
            committed = n

    await asyncio.gather(write(), *(ask() for _ in range(4)))
    assert await read(source) == await read(source.uncached())


async def test_the_recent_past_is_read_before_anybody_asks(database: Database, writer: Writer) -> None:
    source = DatabaseSource(database, SampleCache(1 << 26))
    now = time.time_ns() // 1_000_000
    series_id = await writer.gauge("x", *((now - 1000 * n, float(n)) for n in range(2000, 0, -1)), tool="a")
    assert await warm(source, 1200) >= 1200
    found = await read(source, start=now - 1_200_000, end=now)
    assert len(found["a"]) == 1200
    assert (source.cache.misses, source.cache.hits) == (0, 1200)
    await writer.samples(series_id, (now, 0.0))
    other = await writer.gauge("x", (now - 500, 1.0), tool="b")
    assert other > series_id
    await warm(source, 1200)
    assert {name: len(rows) for name, rows in (await read(source, start=now - 1000, end=now)).items()} == {
        "a": 2,
        "b": 1,
    }
    assert source.cache.misses == 0
    assert await warm(source, 1200) == 0


async def test_recent_histograms_are_read_before_anybody_asks(database: Database, writer: Writer) -> None:
    source = DatabaseSource(database, SampleCache(1 << 26))
    now = time.time_ns() // 1_000_000
    series_id = await writer.series("h", "histogram", tool="a")
    for n in range(20, 0, -1):
        await writer.histogram(series_id, now - 1000 * n, [0.5], [1.0, 1.0], 1.0)
    assert await warm(source, 1200) == 20 * (1 + 4)
    for name in ("h", "h_bucket", "h_sum"):
        await source.select([Selection((Matcher("__name__", MatchOp.EQUAL, name),), now - 600_000, now)], 1000)
    assert (source.cache.misses, source.cache.hits) == (0, 20 * (1 + 2 + 1))


async def test_warmth_leaves_half_of_the_room(database: Database, writer: Writer) -> None:
    source = DatabaseSource(database, SampleCache(40_000))
    now = time.time_ns() // 1_000_000
    await writer.gauge("x", *((now - 1000 * n, float(n)) for n in range(7200, 0, -1)), tool="a")
    await warm(source, 7200)
    assert 20_000 < source.cache.bytes < 40_000
    assert await warm(source, 7200) == 0


async def test_limits_count_what_was_asked_for_not_what_was_read(database: Database, writer: Writer) -> None:
    source = DatabaseSource(database, SampleCache(1 << 26))
    await writer.gauge("x", *((T0 + 1000 * n, 1.0) for n in range(500)), tool="a")
    (samples,) = await source.select([Selection(ALL, T0, T0 + 9_000)], 10)
    assert len(samples.ts) == 10
    with pytest.raises(TooManySamplesError):
        await source.select([Selection(ALL, T0, T0 + 10_000)], 10)
