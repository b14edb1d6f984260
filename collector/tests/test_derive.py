"""What no process can tell as a metric is derived by one writer of the site, and stored like everybody's."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest
from support.wait import wait_until
from writer_support import otlp
from writer_support.otlp import SECOND
from writer_support.process import Ports, children, own, post, writer_process
from writer_support.running import WriterUnderTest

from waferscope_collector.derive.clocks import Clocks
from waferscope_collector.derive.desk import Desk
from waferscope_collector.derive.leader import Lead, Leadership
from waferscope_collector.derive.request import Request
from waferscope_collector.derive.runs import Runs
from waferscope_collector.derive.sampler import Site
from waferscope_collector.identify import SeriesCache
from waferscope_collector.settings import WriterSettings
from waferscope_schemas import queries
from waferscope_schemas.database import open_pool

SQL = queries.load("waferscope_collector")
NOW = time.time_ns() // (15 * SECOND) * 15 * SECOND
DAY = 24 * 3600 * SECOND
SERVICE = (("service.name", "waferscope-writer"), ("wafer.site.id", "fab1"))


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[Desk]:
    pool = await open_pool(database_url, max_size=2)
    desk = Desk(pool, SeriesCache(1000), WriterSettings(database_url=database_url, site="fab1"))
    task = asyncio.create_task(desk.run())
    yield desk
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    await pool.close()


async def until(ask: Callable[[], Awaitable[Any]], holds: Callable[[Any], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds(await ask()):  # noqa: ASYNC110 - the database has no event for it
            await asyncio.sleep(0.05)


async def samples(conn: asyncpg.Connection, metric: str, *labels: str) -> dict[Any, list[float]]:
    """Return the values of each series of a metric, by some of its labels, oldest first."""
    rows = await conn.fetch(
        "select labels, value from wafer.sample join wafer.series using (series_id) where metric = $1 order by ts",
        metric,
    )
    found: dict[Any, list[float]] = {}
    for row in rows:
        known = json.loads(row["labels"])
        key = tuple(known.get(label, "") for label in labels)
        found.setdefault(key[0] if len(key) == 1 else key, []).append(row["value"])
    return found


async def test_runs_are_counted_by_status_and_fall_to_zero_when_they_end(
    writer: WriterUnderTest, conn: asyncpg.Connection, desk: Desk
) -> None:
    now = time.time_ns()
    for job, name in (("A", "overlay"), ("B", "overlay"), ("C", "maps")):
        for sequence, (event, at) in enumerate((("started", now - 90 * SECOND), ("heartbeat", now))):
            record = otlp.job_event(event, sequence, at, job=job, wafer__job__name=name, wafer__equipment__id="T1")
            await writer.send("logs", otlp.logs(record))
    await conn.execute(
        "update wafer.job_run set heard_at = now() - interval '2 days', heartbeat_at = now() - interval '2 days',"
        " clock_offset = 0, xid = pg_current_xact_id() where job_id = 'C'"
    )
    site = Site(desk, SERVICE)
    await site.round(conn, NOW, new=True)
    labels = "wafer_job_name", "wafer_job_status", "wafer_equipment_id", "wafer_site_id"
    found = await samples(conn, "wafer_job_runs", *labels)
    assert {key: value for key, (value,) in found.items() if value} == {("overlay", "running", "T1", "fab1"): 2}
    assert {key[:2] for key in found} == {
        (name, status) for name in ("overlay", "maps") for status in ("running", "stale", "lost", "unreachable")
    }
    (age,) = (await samples(conn, "wafer_job_running_age_seconds", "wafer_job_name"))["overlay"]
    assert age == pytest.approx(90, abs=30)
    assert set(await conn.fetchval("select array(select jsonb_object_keys(labels) order by 1) from wafer.series"
                                   " where metric = 'wafer_job_runs' limit 1")) == set(labels)  # fmt: skip
    for job in "AB":
        await writer.send("logs", otlp.logs(otlp.job_event("ended", 9, job=job, wafer__job__result="success")))
    await site.round(conn, NOW + 15 * SECOND, new=False)
    assert (await samples(conn, "wafer_job_runs", *labels[:2]))["overlay", "running"] == [2, 0]
    assert (await samples(conn, "wafer_job_running_age_seconds", "wafer_job_name"))["overlay"][1] == 0


async def test_names_not_seen_for_a_day_end_their_series(conn: asyncpg.Connection) -> None:
    runs, request = Runs(), Request()
    runs.note([("fab1", "maps", "T1")], NOW - DAY - 1)
    await runs.sample(conn, NOW, request)
    ended = otlp.ExportMetricsServiceRequest.FromString(request.body())
    points = [p for m in ended.resource_metrics[0].scope_metrics[0].metrics for p in m.gauge.data_points]
    assert [point.flags for point in points] == [1] * 5
    await runs.sample(conn, NOW, again := Request())  # until it is known to be stored
    assert again.body() == request.body()
    runs.stored()
    await runs.sample(conn, NOW, after := Request())
    assert after.body() == b""


def state(at: int, to: str, equipment: str = "T1", **more: str) -> otlp.logs_pb2.LogRecord:
    return otlp.event(
        "wafer.equipment.state.changed", at, wafer__equipment__id=equipment, wafer__equipment__state=to, **more
    )


async def test_time_in_states_adds_up_whoever_leads(
    writer: WriterUnderTest, conn: asyncpg.Connection, desk: Desk
) -> None:
    metric, labels = "wafer_equipment_state_time_seconds_total", ("wafer_equipment_id", "wafer_equipment_state")

    async def times() -> dict[Any, float]:
        return {key: values[-1] for key, values in (await samples(conn, metric, *labels)).items()}

    begun = NOW - 120 * SECOND
    await writer.send("logs", otlp.logs(
        state(begun, "PRD"), state(begun + 60 * SECOND, "SBY"), state(begun, "UDT", "T2"),
        state(begun, "ENG", wafer__module__id="M1"),
    ))  # fmt: skip
    one, two = Site(desk, SERVICE), Site(desk, SERVICE)
    await one.round(conn, NOW, new=True)
    assert await times() == {("T1", "PRD"): 60, ("T1", "SBY"): 60, ("T2", "UDT"): 120}
    await writer.send("logs", otlp.logs(state(NOW + 5 * SECOND, "PRD")))
    await one.round(conn, NOW + 15 * SECOND, new=False)
    assert await times() == {("T1", "PRD"): 70, ("T1", "SBY"): 65, ("T2", "UDT"): 135}
    await two.round(conn, NOW + 60 * SECOND, new=True)  # rounds were missed
    await one.round(conn, NOW + 60 * SECOND, new=False)  # nothing has passed since
    assert await times() == {("T1", "PRD"): 115, ("T1", "SBY"): 65, ("T2", "UDT"): 180}
    await one.round(conn, NOW + 3600 * SECOND, new=False)
    assert (await times())["T1", "PRD"] == 415  # of a long gap the last five minutes count
    assert await conn.fetchval("select count(*) from wafer.sample join wafer.series using (series_id)"
                               " where metric = $1 and value = 'NaN'", metric) == 0  # fmt: skip


async def test_a_visit_counts_once_whoever_leads(writer: WriterUnderTest, conn: asyncpg.Connection, desk: Desk) -> None:
    def carrier(event: str, name: str, at: int) -> otlp.logs_pb2.LogRecord:
        return otlp.event(f"wafer.carrier.{event}", at, wafer__carrier__id=name, wafer__equipment__id="T1")

    async def dwell() -> tuple[float, float]:
        return tuple(
            await conn.fetchrow("select count, sum from wafer.histogram_sample order by ts desc, count desc limit 1")
        )

    arrived = NOW - 600 * SECOND
    one, two = Site(desk, SERVICE), Site(desk, SERVICE)
    await one.round(conn, NOW - 15 * SECOND, new=True)
    await writer.send("logs", otlp.logs(*(carrier("arrived", name, arrived) for name in ("C1", "C2", "C3"))))
    await writer.send("logs", otlp.logs(carrier("departed", "C1", arrived + 100 * SECOND)))
    await one.round(conn, NOW, new=False)
    assert await dwell() == (1, 100)
    # Equally long and at once: two visits all the same.
    await writer.send("logs", otlp.logs(*(carrier("departed", name, arrived + 200 * SECOND) for name in ("C2", "C3"))))
    await two.round(conn, NOW + 15 * SECOND, new=True)
    await one.round(conn, NOW + 15 * SECOND, new=False)
    await one.round(conn, NOW + 30 * SECOND, new=True)
    assert await dwell() == (3, 500)
    metric, labels = await conn.fetchrow(
        "select metric, labels from wafer.series join wafer.histogram_sample using (series_id) limit 1"
    )
    assert (metric, json.loads(labels)) == (
        "wafer_carrier_dwell_duration_seconds", {"wafer_equipment_id": "T1", "wafer_site_id": "fab1"}
    )  # fmt: skip


async def test_the_offset_of_a_clock_is_the_least_that_its_events_show(
    writer: WriterUnderTest, conn: asyncpg.Connection, desk: Desk
) -> None:
    site = Site(desk, SERVICE)
    await site.round(conn, NOW, new=True)
    behind = time.time_ns() - 3600 * SECOND
    await writer.send("logs", otlp.logs(otlp.job_event("started", 0, behind)))
    await writer.send("logs", otlp.logs(otlp.job_event("started", 0, behind - 7200 * SECOND, job="J2")))  # was spooled
    await site.round(conn, NOW + 15 * SECOND, new=False)
    (offset,) = (await samples(conn, "wafer_clock_offset_seconds", "host_name"))["tool7"]
    assert offset == pytest.approx(3600, abs=10)


def test_the_offset_follows_the_last_ten_minutes_and_ends() -> None:
    def shown(clocks: Clocks, now: int) -> list[tuple[float, int]]:
        clocks.sample(now, request := Request())
        message = otlp.ExportMetricsServiceRequest.FromString(request.body())
        return [
            (point.as_double, point.flags)
            for resource in message.resource_metrics
            for point in resource.scope_metrics[0].metrics[0].gauge.data_points
        ]

    clocks = Clocks()
    clocks.note(("fab1", "tool7"), NOW, 0.5)
    clocks.note(("fab1", "tool7"), NOW + 300 * SECOND, 3.0)
    assert shown(clocks, NOW + 599 * SECOND) == [(0.5, 0)]
    assert shown(clocks, NOW + 601 * SECOND) == [(3.0, 0)]
    assert shown(clocks, NOW + 901 * SECOND) == [(0.0, 1)]
    assert shown(clocks, NOW + 902 * SECOND) == []


async def test_the_size_of_the_database_and_its_tables_is_sampled(conn: asyncpg.Connection, desk: Desk) -> None:
    site = Site(desk, SERVICE)
    await site.round(conn, NOW, new=True)
    await conn.execute("analyze")
    for second in (15, 75):  # once a minute
        await site.round(conn, NOW + second * SECOND, new=False)
    (size,) = (await samples(conn, "waferscope_database_size_bytes", "job")).values()
    assert len(size) == 2
    assert size[0] > 1_000_000
    tables = await samples(conn, "waferscope_database_table_bytes", "table")
    assert {"sample", "job_run", "series"} <= tables.keys()
    assert sum(values[-1] for values in tables.values()) < size[-1]
    rows = await samples(conn, "waferscope_database_table_rows", "table")
    assert rows["series"][-1] > 0
    partitions = await samples(conn, "waferscope_database_table_partitions", "table")
    assert partitions["sample"][-1] >= 1
    assert "job_run" not in partitions


async def test_one_leads_and_another_takes_over(database_url: str) -> None:
    one, two = Leadership(database_url), Leadership(database_url)
    lead = await one.gain()
    assert lead is not None
    assert lead.new
    assert await two.gain() is None
    again = await one.gain()
    assert again == Lead(lead.conn, new=False)
    one.resign()
    await until(two.gain, lambda lead: lead is not None)
    assert await one.gain() is None
    two.resign()


async def test_a_writer_tells_of_itself_and_counts_only_what_clients_send(
    database_url: str, conn: asyncpg.Connection
) -> None:
    ports = Ports.free(sample_interval="0.5", processes="2")
    body = otlp.metrics(otlp.gauge("x", otlp.number(1)), resource={"service.name": "other"}).SerializeToString()
    with writer_process(ports, database_url) as process:
        assert await asyncio.to_thread(post, ports, body) == 200
        await until(lambda: samples(conn, "waferscope_writer_stored_total", "job"), bool)
        for child in children(process, 2):  # whoever leads, another takes over
            child.kill()
            await conn.execute("truncate wafer.sample")
            await until(lambda: conn.fetchval("select count(*) from wafer.sample"), lambda count: count > 200)
            await asyncio.to_thread(wait_until, lambda: own(ports, "processes") == 2, "both run")
        assert own(ports, "stored_total") == 1
        assert own(ports, "own_stored_total") > 100
    assert set((await samples(conn, "waferscope_writer_stored_total", "job"))["waferscope-writer"]) == {1}
    labels = json.loads(
        await conn.fetchval("select labels from wafer.series where metric = 'waferscope_writer_stored_total'")
    )
    assert labels["instance"].endswith(f":{ports.http}")
    assert not await conn.fetchval("select count(*) from wafer.series where metric like 'waferscope_writer_own%'")
    assert await conn.fetchval("select count(*) from wafer.series where metric = 'waferscope_database_size_bytes'") == 1
    assert await conn.fetchval(
        "select count(*) from wafer.histogram_sample join wafer.series using (series_id)"
        " where metric = 'waferscope_writer_request_seconds' and count = 1"
    )


async def test_open_runs_are_found_without_reading_the_others(conn: asyncpg.Connection) -> None:
    await conn.execute(
        "insert into wafer.job_run"
        " (site, job_id, attempt, name, result, started_at, sequence, heartbeat_at, clock_offset, heard_at)"
        " select 'fab1', 'J' || n, 1, 'job' || n % 50, case when n % 1000 > 0 then 'success' end,"
        " now() - n * interval '1 second', 1, now() - n * interval '1 second', 0, now()"
        " from generate_series(1, 50000) n"
    )
    await conn.execute("analyze wafer.job_run")
    plan = "\n".join(row[0] for row in await conn.fetch(f"explain {SQL['open_runs']}"))
    assert "job_run_open" in plan, plan
    assert "Seq Scan on job_run" not in plan
