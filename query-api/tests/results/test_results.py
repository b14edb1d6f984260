"""Steps that are remembered are what would be computed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from waferscope_query.promql.control import Control
from waferscope_query.promql.engine import answer_as
from waferscope_query.promql.grid import DEFAULT_LIMITS, Grid
from waferscope_query.promql.parsing import parse
from waferscope_query.promql.plan import plan_range
from waferscope_query.promql.render import render
from waferscope_query.results.answering import Piece, Question, Result, answer_by_steps
from waferscope_query.results.cache import Entry, Key, ResultCache
from waferscope_query.results.reach import Reach, reach_of
from waferscope_query.storage.cache.session import SampleCache
from waferscope_query.storage.database import Database
from waferscope_query.storage.deletion import delete_samples
from waferscope_query.storage.source import DatabaseSource

if TYPE_CHECKING:
    from conftest import Writer

STEP = 15_000
T0 = 1_800_000_000_000 // STEP * STEP
EXPRESSIONS = (
    "x",
    "sum by (tool) (rate(x[1m]))",
    "x offset 45s",
    "x offset -30s",
    "max_over_time(rate(x[1m])[2m:20s])",
    "count(x) or vector(0)",
    "absent(x)",
    "topk(1, x)",
    "x * on () group_left () max(x)",
)


@pytest.fixture
async def source(database_url: str) -> AsyncIterator[DatabaseSource]:
    database = Database(database_url, 4)
    await database.open()
    yield DatabaseSource(database, SampleCache(1 << 26, ResultCache(1 << 24)))
    await database.close()


async def ask(source: DatabaseSource, expr: str, grid: Grid) -> Result:
    """Answer as the service does, by steps."""
    query = parse(expr)
    plan = plan_range(query, grid.start_ms, grid.end_ms, grid.step_ms)
    reach = reach_of(plan)
    assert reach is not None

    async def compute(part: Grid) -> Piece:
        planned = plan_range(query, part.start_ms, part.end_ms, part.step_ms)
        return await answer_as(Piece.of, planned, source, Control())

    key = Key(expr, grid.step_ms, grid.start_ms % grid.step_ms, DEFAULT_LIMITS.lookback_ms)
    return await answer_by_steps(source.cache.results, Question(key, grid, reach), compute, source.follower.refresh)


async def computed(source: DatabaseSource, expr: str, grid: Grid) -> bytes:
    plan = plan_range(parse(expr), grid.start_ms, grid.end_ms, grid.step_ms)
    return await answer_as(render, plan, source.uncached(), Control())


@pytest.mark.parametrize("seed", range(6))
async def test_a_board_that_refreshes_sees_what_a_first_look_would_show(
    source: DatabaseSource, writer: Writer, seed: int
) -> None:
    chance = random.Random(seed)
    database = source._database
    ids = [await writer.series("x", tool=str(tool)) for tool in range(2)]
    now = T0
    for step in range(60):
        match chance.randrange(8):
            case 0:  # late
                begin = now - chance.randrange(600_000)
                await writer.samples(chance.choice(ids), (begin, float(step)))
            case 1:
                begin = now - chance.randrange(600_000)
                await delete_samples(database, np.array([chance.choice(ids)]), begin, begin + chance.randrange(120_000))
            case 2:
                ids.append(await writer.series("x", tool=f"new{step}"))
            case _:  # live
                now += chance.choice([STEP, STEP, 4 * STEP])
                for one in ids:
                    await writer.samples(one, (now - chance.randrange(STEP), float(step)))
        expr = chance.choice(EXPRESSIONS)
        start = now - chance.choice([300_000, 300_000, 900_000]) - chance.choice([0, 0, 1000])
        grid = Grid(start, now, STEP)
        assert (await ask(source, expr, grid)).data == await computed(source, expr, grid), (expr, grid)
    assert source.cache.results.hits > 0


async def test_a_refresh_computes_the_new_steps_alone(source: DatabaseSource, writer: Writer) -> None:
    series = await writer.gauge("x", *((T0 + n * STEP, float(n)) for n in range(100)), tool="a")
    await ask(source, "x", Grid(T0, T0 + 99 * STEP, STEP))
    results = source.cache.results
    assert (results.hits, results.misses) == (0, 100)
    await ask(source, "x", Grid(T0, T0 + 99 * STEP, STEP))
    assert (results.hits, results.misses) == (100, 100)
    await writer.samples(series, (T0 + 100 * STEP, 1.0))
    await ask(source, "x", Grid(T0 + STEP, T0 + 100 * STEP, STEP))
    assert (results.hits, results.misses) == (199, 101)
    await writer.samples(series, (T0 + 50 * STEP + 1, 7.0))  # late: steps from there on may change
    await ask(source, "x", Grid(T0 + STEP, T0 + 100 * STEP, STEP))
    assert (results.hits, results.misses) == (249, 151)


async def test_what_changes_while_a_query_computes_is_not_kept(source: DatabaseSource, writer: Writer) -> None:
    series = await writer.gauge("x", (T0, 1.0), (T0 + 600_000, 1.0), tool="a")
    grid = Grid(T0, T0 + 600_000, STEP)
    await ask(source, "x", grid)
    later = Grid(T0, T0 + 660_000, STEP)
    original, overtaken = source.select, False

    async def select(*args: object) -> object:
        nonlocal overtaken
        found = await original(*args)  # type: ignore[arg-type]
        if not overtaken:
            overtaken = True
            await writer.samples(series, (T0 + 300_000, 2.0))
            await source.follower.refresh()
        return found

    source.select = select  # type: ignore[assignment, method-assign]
    first = msgspec.json.decode((await ask(source, "x", later)).data)
    assert first["result"][0]["values"][20] == [(T0 + 300_000) / 1000, "2"]
    assert (await ask(source, "x", later)).data == await computed(source, "x", later)


async def test_who_asks_the_same_at_once_waits_for_the_result(source: DatabaseSource, writer: Writer) -> None:
    await writer.gauge("x", *((T0 + n * STEP, float(n)) for n in range(40)), tool="a")
    grid = Grid(T0, T0 + 39 * STEP, STEP)
    answers = await asyncio.gather(*(ask(source, "sum(x)", grid) for _ in range(10)))
    assert len({one.data for one in answers}) == 1
    assert source.cache.results.misses == 40


async def test_the_least_used_results_are_given_up_first(source: DatabaseSource, writer: Writer) -> None:
    await writer.gauge("x", *((T0 + n * STEP, float(n)) for n in range(40)), tool="a")
    grid = Grid(T0, T0 + 39 * STEP, STEP)
    results = source.cache.results
    for n in range(20):
        await ask(source, f"x + {n}", grid)
    results.max_bytes = results.bytes
    await ask(source, "x + 0", grid)
    await ask(source, "x + 20", grid)
    assert results.bytes <= results.max_bytes
    before = results.misses
    await ask(source, "x + 0", grid)
    assert results.misses == before
    await ask(source, "x + 1", grid)
    assert results.misses == before + 40


@pytest.mark.parametrize(
    "expr",
    [
        "x @ 100",
        "x @ end()",
        "sum_over_time(x[5m] @ start())",
        "x offset step()",
        "rate(x[range()])",
        "x + end()",
        "1",
        'label_replace(x or rate(x[5m]), "a", "b", "", "")',
    ],
)
def test_what_depends_on_the_range_is_not_taken_apart(expr: str) -> None:
    assert reach_of(plan_range(parse(expr), T0, T0 + 600_000, STEP)) is None


@pytest.mark.parametrize(
    ("expr", "behind", "ahead"),
    [
        ("x", 299_999, 0),
        ("rate(x[1h])", 3_599_999, 0),
        ("x offset 1m", 359_999, -60_000),
        ("x offset -1m", 239_999, 60_000),
    ],
)
def test_a_step_reaches_as_far_as_its_selectors(expr: str, behind: int, ahead: int) -> None:
    assert reach_of(plan_range(parse(expr), T0, T0 + 600_000, STEP)) == Reach(behind, ahead)


def test_an_entry_keeps_the_longer_part_that_did_not_change() -> None:
    entry = Entry(Grid(0, 1000, 10), None, Reach(100, 0), (), (0, 1000))  # type: ignore[arg-type]
    for touched, valid in [
        ((1001, 2000), (0, 1000)),
        ((905, 905), (0, 900)),
        ((900, 900), (0, 890)),
        ((-50, 100), (210, 1000)),
    ]:
        left = entry.after([touched])
        assert left is not None
        assert left.valid == valid
    assert entry.after([(-500, 5000)]) is None
