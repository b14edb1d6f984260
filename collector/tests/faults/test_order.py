"""Late data, data out of order and wrong clocks lose nothing, double nothing and mislead no reader."""

import random

import asyncpg
import pytest
from writer_support import load, otlp
from writer_support import rollup_feeding as feeding
from writer_support import rollup_reference as reference
from writer_support.otlp import DELTA, NOW, SECOND
from writer_support.rollup_reference import Sample
from writer_support.running import WriterUnderTest

from waferscope_collector.maintenance import rollups
from waferscope_schemas.feed import Feed, current_snapshot

MINUTE, HOUR = 60, 3600
ROUNDS = range(0, 5 * HOUR, 7 * MINUTE)  # over five hours
WIDTHS = {"rollup_5m": 5 * MINUTE * 1000, "rollup_1h": HOUR * 1000}


async def test_requests_of_hours_in_any_order_are_stored_fed_and_summed_up(
    writer: WriterUnderTest, conn: asyncpg.Connection
) -> None:
    shuffled = random.sample(ROUNDS, len(ROUNDS))
    first, late = shuffled[: len(ROUNDS) // 2], shuffled[len(ROUNDS) // 2 :]
    feed = Feed("ingest_hour", ("hour",))
    async with writer.client() as client:
        for number in first:
            await load.deliver_round([client], number)
        await rollups.catch_up(conn, budget=60)
        seen = await current_snapshot(conn)
        for number in late:
            await load.deliver_round([client], number)
    _, rows = await feed.poll(conn, seen)
    told = {feeding.milliseconds(row["hour"]) for row in rows}
    assert told >= {load.time_of(number) // SECOND // HOUR * HOUR * 1000 for number in late}
    await load.assert_stored_once(conn, ROUNDS)
    await rollups.catch_up(conn, budget=60)
    samples = [
        Sample(row["series_id"], feeding.milliseconds(row["ts"]), row["value"])
        for row in await conn.fetch("select * from wafer.sample")
    ]
    for table, width in WIDTHS.items():
        assert await feeding.number_rollups(conn, table) == reference.number_rollups(samples, width)


@pytest.mark.parametrize("skew", [-HOUR, HOUR], ids=["an hour behind", "an hour ahead"])
async def test_a_job_whose_hosts_clock_is_wrong_runs_and_ends(
    writer: WriterUnderTest, conn: asyncpg.Connection, skew: int
) -> None:
    at = NOW + skew * SECOND
    await writer.send("logs", otlp.logs(otlp.job_event("started", 1, at, wafer__job__elapsed=0.0)))
    row = await conn.fetchrow("select status, clock_offset, heartbeat_age_s from wafer.jobs")
    assert row["status"] == "running"
    assert row["clock_offset"] == pytest.approx(-skew, abs=600)  # the tests may have begun a while ago
    assert row["heartbeat_age_s"] < 60
    ended = otlp.job_event("ended", 2, at + 5 * SECOND, wafer__job__elapsed=5.0, wafer__job__result="success")
    await writer.send("logs", otlp.logs(ended))
    row = await conn.fetchrow(
        "select status, duration_s, extract(epoch from ended_at)::bigint as ended from wafer.jobs"
    )
    assert tuple(row) == ("succeeded", 5.0, at // SECOND + 5)


@pytest.mark.parametrize("skews", [(0, HOUR, -HOUR), (HOUR, 0, -HOUR), (-HOUR, HOUR, 0)])
async def test_deltas_of_processes_whose_clocks_differ_add_up(
    writer: WriterUnderTest, conn: asyncpg.Connection, skews: tuple[int, ...]
) -> None:
    sent = 0
    for skew in skews:
        for second in range(1, 6):
            at, sent = NOW + (skew + second) * SECOND, sent + second
            point = otlp.number(second, time=at, start=at - SECOND)
            waits = otlp.histogram([1], [second, 1], time=at, start=at - SECOND)
            await writer.send(
                "metrics",
                otlp.metrics(otlp.total("x", point, temporality=DELTA), otlp.histograms("y", waits, temporality=DELTA)),
            )
    of = "join wafer.series using (series_id) where metric = $1 order by ts"
    values = [row["value"] for row in await conn.fetch(f"select value from wafer.sample {of}", "x_total")]
    counts = [row["count"] for row in await conn.fetch(f"select count from wafer.histogram_sample {of}", "y")]
    assert values == sorted(values)
    assert counts == sorted(counts)
    assert (values[0], values[-1]) == (0, sent)
    assert (counts[0], counts[-1]) == (0, sent + 15)
