"""Rollups equal what plain Python computes from the raw samples, in whatever order these arrived."""

import math
import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import asyncpg
import pytest
from writer_support import rollup_feeding as feeding
from writer_support import rollup_reference as reference
from writer_support.rollup_reference import EXPLICIT, STALE, Histogram, HistogramSample, Sample

from waferscope_collector.maintenance import rollups
from waferscope_schemas import partitioning

NOON = feeding.milliseconds(datetime(2026, 1, 14, 12, tzinfo=UTC))
MINUTE, HOUR = 60_000, 3_600_000
WIDTHS = {"5m": 5 * MINUTE, "1h": HOUR}
TABLES = ("rollup_5m", "rollup_1h", "rollup_5m_histogram", "rollup_1h_histogram")


async def catch_up(conn: asyncpg.Connection) -> int:
    return await rollups.catch_up(conn, budget=60)


def plain(row: tuple[object, ...]) -> tuple[object, ...]:
    """Make equal what is equal: NaN is, here."""
    return tuple("NaN" if isinstance(value, float) and math.isnan(value) else value for value in row)


async def check(conn: asyncpg.Connection, samples: list[Sample | HistogramSample]) -> None:
    """Compare all rollups with the reference."""
    numbers = [sample for sample in samples if isinstance(sample, Sample)]
    histograms = [sample for sample in samples if isinstance(sample, HistogramSample)]
    for name, width in WIDTHS.items():
        found = await feeding.number_rollups(conn, f"rollup_{name}")
        expected = reference.number_rollups(numbers, width)
        assert {key: plain(row) for key, row in found.items()} == {key: plain(row) for key, row in expected.items()}
        counted = await feeding.histogram_rollups(conn, f"rollup_{name}_histogram")
        known: Mapping[tuple[int, int], tuple[int, Histogram, int, int, Histogram]]
        known = reference.histogram_rollups(histograms, width)
        assert counted == {
            key: (count, feeding.normal(last), first_ts, last_ts, feeding.normal(increase))
            for key, (count, last, first_ts, last_ts, increase) in known.items()
        }
    assert await conn.fetchval("select count(*) from wafer.rollup_due") == 0


def numbers_of(dice: random.Random, series: int) -> list[Sample]:
    """A counter's samples: it rises, is reset, pauses for hours, tells NaN and goes stale; some come twice."""
    samples: list[Sample] = []
    ts, value = NOON + dice.randrange(2 * HOUR), float(dice.randrange(100))
    while ts < NOON + 6 * HOUR:
        kind = dice.random()
        value = float(dice.randrange(20)) if kind < 0.05 else value + dice.randrange(10)
        told = STALE if 0.05 < kind < 0.1 else math.nan if 0.1 < kind < 0.15 else value
        samples.append(Sample(series, ts, told))
        if dice.random() < 0.1:
            samples.append(Sample(series, ts, dice.choice([STALE, math.nan, told, value - 3, value + 3])))
        ts += dice.choice([15_000] * 6 + [MINUTE, 7 * MINUTE, 20 * MINUTE, 2 * HOUR])
    return samples


def histograms_of(dice: random.Random, series: int) -> list[HistogramSample]:
    """A histogram's samples: it counts on, is reset, becomes coarser or of another kind, and goes stale."""
    samples: list[HistogramSample] = []
    ts, state = NOON + dice.randrange(HOUR), empty(dice)
    while ts < NOON + 4 * HOUR:
        state = evolve(dice, state)
        told = replace(state, count=0.0, sum=STALE, buckets={}) if dice.random() < 0.05 else state
        samples.append(HistogramSample(series, ts, told))
        if dice.random() < 0.1:
            samples.append(HistogramSample(series, ts, count_one(dice, state)))
        ts += dice.choice([15_000] * 4 + [MINUTE, 7 * MINUTE, HOUR])
    return samples


def empty(dice: random.Random) -> Histogram:
    if dice.random() < 0.5:
        bounds = dice.choice([(1.0, 2.0, 5.0), (1.0, 5.0), (0.5, 2.0, 5.0)])
        return Histogram(0.0, 0.0, EXPLICIT, bounds, 0.0, {(1, index): 0.0 for index in range(len(bounds) + 1)})
    return Histogram(0.0, dice.choice([0.0, 0.0, None]), dice.randrange(3))


def evolve(dice: random.Random, state: Histogram) -> Histogram:
    kind = dice.random()
    if kind < 0.04:
        return count_one(dice, empty(dice))
    if kind < 0.12 and state.schema > -1:
        return count_one(dice, reference.plus(state, Histogram(0.0, state.sum and 0.0, state.schema - 1), 1))
    if kind < 0.12 and state.schema == EXPLICIT and len(state.bounds) > 2:
        return reference.plus(state, replace(state, count=0.0, sum=0.0, bounds=state.bounds[1:], buckets={}), 1)
    if kind < 0.2:
        return state
    return count_one(dice, state)


def count_one(dice: random.Random, state: Histogram) -> Histogram:
    """Count some more values."""
    buckets, zero = dict(state.buckets), state.zero
    added = dice.randrange(1, 5)
    for _ in range(added):
        if state.schema == EXPLICIT:
            buckets[1, dice.randrange(len(state.bounds) + 1)] += 1
        elif dice.random() < 0.1:
            zero += 1
        else:
            key = (dice.choice([1, 1, -1]), dice.randrange(-6, 7))
            buckets[key] = buckets.get(key, 0.0) + 1
    total = None if state.sum is None else state.sum + added
    return replace(state, count=state.count + added, sum=total, zero=zero, buckets=buckets)


@pytest.mark.parametrize("seed", range(8))
async def test_rollups_equal_those_of_the_raw_samples_whatever_the_order_of_arrival(
    conn: asyncpg.Connection, seed: int
) -> None:
    dice = random.Random(seed)
    samples: list[Sample | HistogramSample] = []
    for series in range(3):
        samples += numbers_of(dice, series)
        samples += histograms_of(dice, 100 + series)
    samples.sort(key=lambda sample: sample.ts + dice.choice([0, 0, 0, 0, 3 * HOUR]) if seed % 2 else dice.random())
    stored: list[Sample | HistogramSample] = []
    while samples:
        size = dice.choice([1, 5, 50, 200])
        arrived, samples = samples[:size], samples[size:]
        await feeding.store(conn, arrived)
        stored += arrived
        if dice.random() < 0.3:
            await catch_up(conn)
            await check(conn, stored)
    await catch_up(conn)
    await check(conn, stored)


async def test_what_was_computed_is_not_written_again(conn: asyncpg.Connection) -> None:
    dice = random.Random(1)
    samples = [*numbers_of(dice, 1), *histograms_of(dice, 2)]
    await feeding.store(conn, samples)
    assert await catch_up(conn) > 0
    before = await conn.fetchval("select pg_current_snapshot()::text")
    assert await catch_up(conn) == 0
    await feeding.store(conn, samples[:1])  # a duplicate
    assert await catch_up(conn) == 1
    for table in TABLES:
        written = f"select count(*) from wafer.{table} where not pg_visible_in_snapshot(xid, $1::text::pg_snapshot)"
        assert await conn.fetchval(written, before) == 0


async def test_late_samples_change_the_increase_of_the_next_bucket_however_far_away(conn: asyncpg.Connection) -> None:
    samples: list[Sample | HistogramSample] = [Sample(1, NOON, 1.0), Sample(1, NOON + 7 * HOUR, 10.0)]
    await feeding.store(conn, samples)
    await catch_up(conn)
    late = Sample(1, NOON + HOUR, 8.0)
    await feeding.store(conn, [late])
    await catch_up(conn)
    await check(conn, [*samples, late])
    found = await feeding.number_rollups(conn, "rollup_1h")
    assert [row[-1] for _, row in sorted(found.items())] == [0.0, 7.0, 2.0]


async def test_values_that_can_not_be_summed_up_do_not_stop_the_hour(conn: asyncpg.Connection) -> None:
    huge = [
        Sample(1, NOON + second * 1000, value) for second, value in enumerate((1.7e308, -1.7e308, 1.7e308, 1.7e308))
    ]
    await feeding.store(conn, [*huge, Sample(2, NOON, 5.0), Sample(3, NOON, math.inf), Sample(3, NOON + 1, -math.inf)])
    await catch_up(conn)
    found = await feeding.number_rollups(conn, "rollup_1h")
    assert found[2, NOON][1] == 5.0
    assert found[1, NOON][2:4] == (-1.7e308, 1.7e308)
    assert math.isnan(found[1, NOON][1])


@pytest.mark.parametrize("seed", range(6))
async def test_rollups_follow_deletions(conn: asyncpg.Connection, seed: int) -> None:
    dice = random.Random(seed)
    samples: list[Sample | HistogramSample] = []
    for series in range(3):
        samples += numbers_of(dice, series) + histograms_of(dice, 100 + series)
    known = [(series, str(series).encode()) for series in (0, 1, 2, 100, 101, 102)]
    await conn.executemany(
        "insert into wafer.series (series_id, fingerprint, metric, labels, kind)"
        " overriding system value values ($1, $2, 'm', '{}', 'counter')",
        known,
    )
    await feeding.store(conn, samples)
    for _ in range(3):
        await catch_up(conn)
        await check(conn, samples)
        series = dice.choice([None, [0, 101], [1], [2, 100]])
        begin = NOON + dice.randrange(6 * HOUR) // MINUTE * MINUTE
        end = begin + dice.choice([MINUTE, 5 * MINUTE, HOUR, 2 * HOUR])
        await delete(conn, series, begin, end)
        samples = [s for s in samples if not ((series is None or s.series in series) and begin <= s.ts < end)]
    await catch_up(conn)
    await check(conn, samples)
    await delete(conn, [0, 1, 2], None, None)
    await catch_up(conn)
    await check(conn, [sample for sample in samples if sample.series >= 100])


async def test_a_deletion_of_all_times_that_can_be_stored_is_followed(conn: asyncpg.Connection) -> None:
    first, last = -62_135_510_400_000, 253_402_300_799_999  # the second day of the year 1, the end of the year 9999
    await feeding.store(conn, numbers_of(random.Random(1), 1))
    await catch_up(conn)
    await delete(conn, None, first, last)
    await catch_up(conn)
    await check(conn, [])
    assert await conn.fetchval("select count(*) from wafer.rollup_due") == 0


async def delete(conn: asyncpg.Connection, series: list[int] | None, begin: int | None, end: int | None) -> None:
    """Delete samples as the query service does: with a row of the feed in the same transaction."""
    times = (
        "-infinity" if begin is None else feeding.instant(begin).isoformat(),
        "infinity" if end is None else feeding.instant(end).isoformat(),
    )
    async with conn.transaction():
        for table in ("sample", "histogram_sample"):
            await conn.execute(
                f"delete from wafer.{table} where ($1::bigint[] is null or series_id = any($1))"
                " and ts >= $2::text::timestamptz and ts < $3::text::timestamptz",
                series,
                *times,
            )
        await conn.execute(
            "insert into wafer.deletion (kind, series_ids, begin_ts, end_ts)"
            " values ('samples', $1, $2::text::timestamptz, $3::text::timestamptz)",
            series,
            *times,
        )


async def test_what_an_earlier_transaction_commits_after_a_run_is_not_missed(
    conn: asyncpg.Connection, database_url: str
) -> None:
    early, late = Sample(1, NOON, 1.0), Sample(1, NOON + HOUR, 2.0)
    # Partitions and chunks are there: creating them in an open transaction would make the others wait.
    before = [Sample(9, NOON, 0.0), Sample(9, NOON + HOUR, 0.0)]
    await feeding.store(conn, before)
    await catch_up(conn)
    writer = await asyncpg.connect(database_url)
    for table in ("sample", "histogram_sample"):
        await partitioning.ensure(writer, table, [feeding.instant(NOON)])
    async with writer.transaction():
        await feeding.store(writer, [early])
        await feeding.store(conn, [late])
        assert await catch_up(conn) == 1
        await check(conn, [*before, late])
    await writer.close()
    assert await catch_up(conn) == 2  # its own hour, and the one that follows
    await check(conn, [*before, early, late])


async def test_a_run_that_is_cut_off_leaves_its_hours_to_the_next(conn: asyncpg.Connection) -> None:
    samples = [Sample(1, NOON + hour * HOUR, float(hour)) for hour in range(4)]
    await feeding.store(conn, samples)
    await conn.execute("alter table wafer.rollup_1h add constraint poison check (last <> 2)")
    with pytest.raises(asyncpg.CheckViolationError):
        await catch_up(conn)
    assert await conn.fetchval("select array_agg(last order by last) from wafer.rollup_1h") == [0, 1, 3]
    await conn.execute("alter table wafer.rollup_1h drop constraint poison")
    await catch_up(conn)
    await check(conn, samples)
