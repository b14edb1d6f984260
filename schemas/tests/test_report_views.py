"""The reports count by the rules that their comments tell, and what they read is bounded by their conditions."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

NOON = datetime(2026, 1, 14, 12, tzinfo=UTC)
DAY = timedelta(days=1)
TODAY = NOON.replace(hour=0)


async def store_run(conn: asyncpg.Connection, job_id: str, result: str | None = "success", **columns: Any) -> None:
    """Store a run of a minute that began at noon; other columns as given."""
    started = columns.setdefault("started_at", NOON)
    duration = columns.setdefault("duration_s", 60.0 if result else None)
    ended = started + timedelta(seconds=duration) if duration is not None else None
    values = {
        "site": "fab1",
        "job_id": job_id,
        "attempt": 1,
        "name": "overlay",
        "service": "metrology",
        "result": result,
        "ended_at": ended,
        "sequence": 1,
        "heartbeat_at": ended or started,
        "heard_at": ended or started,
        "clock_offset": 0.0,
        **columns,
    }
    places = ", ".join(f"${number}" for number in range(1, len(values) + 1))
    await conn.execute(f"insert into wafer.job_run ({', '.join(values)}) values ({places})", *values.values())


async def announce(conn: asyncpg.Connection, *states: tuple[datetime, str], module: str = "") -> None:
    await conn.executemany(
        "insert into wafer.equipment_state (site, equipment, module, at, state) values ('fab1', 'ETCH-03', $1, $2, $3)",
        [(module, at, state) for at, state in states],
    )


async def move(conn: asyncpg.Connection, *moves: tuple[datetime, str], equipment: str = "E1", lot: str = "L1") -> None:
    await conn.executemany(
        "insert into wafer.carrier_event (site, carrier, equipment, at, event, lot)"
        " values ('fab1', 'C1', $1, $2, $3, $4)",
        [(equipment, at, event, lot) for at, event in moves],
    )


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


class TestSuccessRates:
    async def test_the_rate_is_of_those_that_succeeded_or_failed(self, conn: asyncpg.Connection) -> None:
        for number, result in enumerate(["success"] * 3 + ["failure", "cancellation", "skip", None]):
            await store_run(conn, str(number), result)
        (row,) = await conn.fetch("select * from wafer.success_rates")
        assert (row["runs"], row["succeeded"], row["failed"], row["canceled"], row["skipped"]) == (7, 3, 1, 1, 1)
        assert (row["lost"], row["running"], row["success_rate"]) == (1, 0, 0.75)

    async def test_without_an_end_there_is_no_rate(self, conn: asyncpg.Connection) -> None:
        await store_run(conn, "j", None)
        assert await conn.fetchval("select success_rate from wafer.success_rates") is None

    async def test_versions_days_and_subjobs_stand_apart(self, conn: asyncpg.Connection) -> None:
        await store_run(conn, "a", version="1")
        await store_run(conn, "b", version="2")
        await store_run(conn, "c", version="2", parent_job_id="b")
        await store_run(conn, "d", version="2", started_at=NOON + DAY)
        query = "select day, version, is_subjob, runs from wafer.success_rates order by 1, 2, 3"
        assert [tuple(row) for row in await conn.fetch(query)] == [
            (TODAY, "1", False, 1),
            (TODAY, "2", False, 1),
            (TODAY, "2", True, 1),
            (TODAY + DAY, "2", False, 1),
        ]

    async def test_what_runs_take_is_told_of_succeeded_ones(self, conn: asyncpg.Connection) -> None:
        for number in range(1, 102):
            usage = {"cpu_user_s": number / 2, "cpu_system_s": number / 2, "memory_peak_bytes": number * 1000}
            await store_run(conn, str(number), duration_s=float(number), **usage)
        await store_run(conn, "failed", "failure", duration_s=9e9)
        (row,) = await conn.fetch("select * from wafer.success_rates")
        assert (row["duration_p50_s"], row["duration_p95_s"], row["duration_p99_s"]) == (51, 96, 100)
        assert (row["cpu_p50_s"], row["cpu_p95_s"]) == (51, 96)
        assert (row["memory_peak_p50_bytes"], row["memory_peak_p95_bytes"]) == (51_000, 96_000)

    @pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Tokyo"])
    async def test_days_are_utc_s_whatever_the_session_s_time_zone(self, conn: asyncpg.Connection, zone: str) -> None:
        await conn.execute(f"set timezone = '{zone}'")
        starts = [
            datetime(2026, 3, day, hour, tzinfo=UTC) for day in (7, 8, 9) for hour in (0, 23)
        ]  # around DST's begin
        for start in starts:
            await store_run(conn, str(start), started_at=start)
        rows = await conn.fetch("select day, runs from wafer.success_rates order by day")
        assert [(row["day"].astimezone(UTC), row["runs"]) for row in rows] == [(start, 2) for start in starts[::2]]


class TestSlowestJobs:
    async def test_ended_runs_are_ranked_within_their_name_and_day(self, conn: asyncpg.Connection) -> None:
        for job_id, seconds in (("a", 10.0), ("b", 40.0), ("c", 20.0), ("d", 20.0)):
            await store_run(conn, job_id, duration_s=seconds)
        await store_run(conn, "failed", "failure", duration_s=100.0)
        await store_run(conn, "other", name="alignment")
        await store_run(conn, "tomorrow", started_at=NOON + DAY)
        await store_run(conn, "open", None)
        query = "select job_id, rank, runs, median_s, times_median from wafer.slowest_jobs order by day, name, rank, 1"
        assert [tuple(row) for row in await conn.fetch(query)] == [
            ("other", 1, 1, 60, 1),
            ("failed", 1, 5, 20, 5),
            ("b", 2, 5, 20, 2),
            ("c", 3, 5, 20, 1),
            ("d", 3, 5, 20, 1),
            ("a", 5, 5, 20, 0.5),
            ("tomorrow", 1, 1, 60, 1),
        ]


class TestFailures:
    async def test_failures_are_grouped_and_shares_are_of_all_runs_of_their_kind(
        self, conn: asyncpg.Connection
    ) -> None:
        where = {"equipment": "E1", "recipe": "R1"}
        for number in range(6):
            await store_run(conn, f"good {number}", **where)
        for number, error in enumerate(["VacuumError", "VacuumError", "ValueError"]):
            told = {"error_type": error, "error_message": f"no. {number}", "lot": f"L{number}"}
            await store_run(conn, f"bad {number}", "failure", started_at=NOON + minutes(number), **where, **told)
        await store_run(conn, "elsewhere", equipment="E2", recipe="R1")
        await store_run(conn, "gone", None, **where)
        rows = await conn.fetch("select * from wafer.failures order by failures desc, status")
        assert [(row["status"], row["error_type"], row["failures"], row["runs"]) for row in rows] == [
            ("failed", "VacuumError", 2, 10),
            ("failed", "ValueError", 1, 10),
            ("lost", None, 1, 10),
        ]
        first = rows[0]
        assert (first["failure_rate"], first["lots"], first["first_seen"]) == (0.2, 2, NOON)
        assert (first["job_id"], first["error_message"], first["last_seen"]) == ("bad 1", "no. 1", NOON + minutes(1))

    async def test_runs_without_equipment_and_recipe_are_a_group_too(self, conn: asyncpg.Connection) -> None:
        await store_run(conn, "a", "failure")
        await store_run(conn, "b")
        (row,) = await conn.fetch("select * from wafer.failures")
        assert (row["equipment"], row["recipe"], row["failure_rate"]) == (None, None, 0.5)


class TestOutliers:
    async def usual(self, conn: asyncpg.Connection, runs: int = 40, *, before: timedelta = timedelta(0)) -> None:
        """Store runs of 100 to 110 s, so that the quartiles are 2.5 s from the median at 105 s."""
        for number in range(runs + 1):
            usage = {"cpu_user_s": 10.0, "cpu_system_s": 0.0, "memory_peak_bytes": 10**9}
            await store_run(
                conn, f"usual {number}", duration_s=100 + 10 * number / runs, started_at=NOON - before, **usage
            )

    async def outliers(self, conn: asyncpg.Connection) -> set[tuple[str, str]]:
        query = "select job_id, measure from wafer.outliers where day = $1"
        return {(row["job_id"], row["measure"]) for row in await conn.fetch(query, TODAY)}

    @pytest.mark.parametrize("result", ["success", "failure"])
    async def test_beyond_the_outer_fence_is_an_outlier_whatever_became_of_it(
        self, conn: asyncpg.Connection, result: str
    ) -> None:
        await self.usual(conn)
        fence = 107.5 + 3 * 5.25  # the distance of the quartiles, 5 s, is less than a twentieth of the median
        await store_run(conn, "just", result, duration_s=fence - 0.3)
        await store_run(conn, "over", result, duration_s=fence + 1)
        assert await self.outliers(conn) == {("over", "duration_s")}
        (row,) = await conn.fetch("select * from wafer.outliers")
        assert row["median"] == pytest.approx(105, abs=0.3)
        assert row["value"] > row["fence"] == pytest.approx(fence, abs=1)

    async def test_cpu_and_memory_have_fences_of_their_own(self, conn: asyncpg.Connection) -> None:
        await self.usual(conn)
        await store_run(conn, "hot", duration_s=105.0, cpu_user_s=10.0, cpu_system_s=30.0, memory_peak_bytes=10**9)
        await store_run(conn, "large", duration_s=105.0, cpu_user_s=10.0, cpu_system_s=0.0, memory_peak_bytes=2 * 10**9)
        assert await self.outliers(conn) == {("hot", "cpu_s"), ("large", "memory_peak_bytes")}

    async def test_the_usual_is_that_of_the_day_and_the_7_days_before(self, conn: asyncpg.Connection) -> None:
        await self.usual(conn, before=7 * DAY)
        await store_run(conn, "slow", duration_s=500.0)
        assert await self.outliers(conn) == {("slow", "duration_s")}
        await conn.execute("update wafer.job_run set started_at = started_at - interval '1 day' where job_id <> 'slow'")
        assert await self.outliers(conn) == set()

    async def test_less_than_20_runs_tell_nothing_usual(self, conn: asyncpg.Connection) -> None:
        await self.usual(conn, runs=18)
        await store_run(conn, "slow", "failure", duration_s=500.0)
        assert await self.outliers(conn) == set()

    async def test_a_run_that_has_not_ended_is_judged_by_what_it_took_so_far(self, conn: asyncpg.Connection) -> None:
        await self.usual(conn)
        await store_run(conn, "hangs", None, started_at=NOON, heartbeat_at=NOON + minutes(60))
        assert await self.outliers(conn) == {("hangs", "duration_s")}


class TestEquipmentUtilisation:
    async def test_states_are_cut_at_the_days_and_last_over_them(self, conn: asyncpg.Connection) -> None:
        await announce(
            conn, (NOON, "PRD"), (NOON + minutes(60), "UDT"), (NOON + 2 * DAY, "SBY"), (NOON + 2.5 * DAY, "NST")
        )
        query = "select * from wafer.equipment_utilisation where day < $1 order by day"
        rows = await conn.fetch(query, TODAY + 4 * DAY)
        names = ("productive_s", "standby_s", "unscheduled_down_s", "non_scheduled_s", "total_s", "unscheduled_downs")
        assert [tuple(row[name] for name in names) for row in rows] == [
            (3600, 0, 11 * 3600, 0, 12 * 3600, 1),
            (0, 0, 86400, 0, 86400, 0),
            (0, 43200, 43200, 0, 86400, 0),
            (0, 0, 0, 86400, 86400, 0),
        ]
        assert [(row["uptime_ratio"], row["utilisation_ratio"]) for row in rows] == [
            (pytest.approx(1 / 12), pytest.approx(1 / 12)),
            (0, 0),
            (0.5, 0),
            (None, None),
        ]

    async def test_repeats_of_a_state_change_nothing(self, conn: asyncpg.Connection) -> None:
        await announce(conn, (NOON, "UDT"), (NOON + minutes(5), "UDT"), (NOON + minutes(10), "PRD"))
        (row,) = await conn.fetch("select * from wafer.equipment_utilisation where day = $1", TODAY)
        assert (row["unscheduled_down_s"], row["unscheduled_downs"]) == (600, 1)

    async def test_the_present_day_is_counted_until_now(self, conn: asyncpg.Connection) -> None:
        async with conn.transaction():  # now() stands still
            now = await conn.fetchval("select now()")
            await announce(conn, (now - 2 * DAY, "PRD"), (now + DAY, "UDT"))
            query = "select productive_s, total_s, day from wafer.equipment_utilisation order by day desc limit 1"
            row = await conn.fetchrow(query)
            assert row is not None
            assert row["productive_s"] == row["total_s"] == pytest.approx((now - row["day"]).total_seconds())

    async def test_modules_have_rows_of_their_own(self, conn: asyncpg.Connection) -> None:
        await announce(conn, (NOON, "PRD"))
        await announce(conn, (NOON, "SDT"), module="CH-A")
        query = (
            "select module, productive_s, scheduled_down_s from wafer.equipment_utilisation where day = $1 order by 1"
        )
        assert [tuple(row) for row in await conn.fetch(query, TODAY)] == [("", 43200, 0), ("CH-A", 0, 43200)]


async def test_dwell_is_counted_on_the_day_of_arrival(conn: asyncpg.Connection) -> None:
    await move(conn, (NOON, "arrived"), (NOON + minutes(10), "departed"))
    await move(conn, (NOON + minutes(30), "arrived"), (NOON + 2 * DAY, "departed"), lot="L2")
    await move(conn, (NOON + minutes(1), "arrived"), equipment="E2")
    columns = "equipment, visits, without_departure, lots, dwell_p50_s, dwell_max_s"
    query = f"select {columns} from wafer.carrier_dwell order by equipment"
    longest = (2 * DAY - minutes(30)).total_seconds()
    assert [tuple(row) for row in await conn.fetch(query)] == [
        ("E1", 2, 0, 2, (600 + longest) / 2, longest),
        ("E2", 1, 1, 1, None, None),
    ]


class TestLotJourneys:
    async def test_a_stage_is_a_row_of_runs_of_one_operation_on_one_tool(self, conn: asyncpg.Connection) -> None:
        steps = [("litho", "E1", 0, "success"), ("etch", "E2", 10, "failure"), ("etch", "E2", 12, "success"),
                 ("litho", "E1", 30, "success")]  # fmt: skip
        for number, (operation, equipment, minute, result) in enumerate(steps):
            place = {"operation": operation, "equipment": equipment, "lot": "L1", "carrier": "C1"}
            await store_run(conn, f"j{number}", result, started_at=NOON + minutes(minute), **place)
        await store_run(conn, "wafer 1", started_at=NOON, lot="L1", parent_job_id="j0")
        await store_run(conn, "other", started_at=NOON, lot="L2")
        await move(conn, (NOON - minutes(1), "arrived"), (NOON + minutes(2), "departed"))
        await move(conn, (NOON + minutes(9), "arrived"), equipment="E2")
        rows = await conn.fetch("select * from wafer.lot_journeys where lot = 'L1' order by stage")
        names = (
            "stage",
            "operation",
            "equipment",
            "runs",
            "failed",
            "work_s",
            "wait_s",
            "arrival",
            "departure",
            "job_id",
        )
        assert [tuple(row[name] for name in names) for row in rows] == [
            (1, "litho", "E1", 1, 0, 60, None, NOON - minutes(1), NOON + minutes(2), "j0"),
            (2, "etch", "E2", 2, 1, 120, 540, NOON + minutes(9), None, "j2"),
            (3, "litho", "E1", 1, 0, 60, 17 * 60, None, None, "j3"),
        ]
        assert rows[1]["ended_at"] == NOON + minutes(13)

    async def test_a_stage_that_runs_has_no_end(self, conn: asyncpg.Connection) -> None:
        now = datetime.now(UTC)
        await store_run(conn, "a", lot="L1", operation="x", started_at=now - minutes(9))
        await store_run(conn, "b", None, lot="L1", operation="y", started_at=now, heard_at=now, heartbeat_interval=1e6)
        rows = await conn.fetch("select ended_at, wait_s from wafer.lot_journeys order by stage")
        assert [row["ended_at"] is None for row in rows] == [False, True]
        assert rows[1]["wait_s"] == pytest.approx(8 * 60)


async def test_hosts_are_shown_with_their_jobs_and_without(conn: asyncpg.Connection) -> None:
    now = datetime.now(UTC)
    await conn.execute("insert into wafer.host values ('fab1', 'idle', now(), 30), ('fab1', 'busy', now(), 30)")
    live = {"heard_at": now, "heartbeat_interval": 1e6, "started_at": now}
    await store_run(conn, "a", None, host="busy", **live)
    await store_run(conn, "b", None, host="busy", name="alignment", **live)
    await store_run(conn, "c", "failure", host="busy", started_at=now)
    await store_run(conn, "d", "failure", host="busy", started_at=now - 2 * DAY)
    await store_run(conn, "e", host="unknown", started_at=now)
    query = "select host, unreachable, running, started_24h, failed_24h, running_names from wafer.host_jobs order by 1"
    assert [tuple(row) for row in await conn.fetch(query)] == [
        ("busy", False, 2, 3, 1, "alignment, overlay"),
        ("idle", False, 0, 0, 0, None),
        ("unknown", None, 0, 1, 0, None),
    ]


async def _history(conn: asyncpg.Connection) -> None:
    """Store 200 days of 100 runs, states and visits each, enough for the planner to mind."""
    await conn.execute(
        """
        insert into wafer.job_run (
            site, job_id, attempt, name, lot, result, started_at, duration_s,
            sequence, heartbeat_at, clock_offset, heard_at
        )
        select 'fab1', 'j' || n, 1, 'n' || n % 4, 'L' || n / 10, case n % 10 when 0 then 'failure' else 'success' end,
            now() - n * interval '864 s', 60, 1, now(), 0, now()
        from generate_series(1, 20000) n;
        insert into wafer.equipment_state (site, equipment, at, state)
        select 'fab1', 'E' || n % 20, now() - n * interval '864 s', case n % 3 when 0 then 'SBY' else 'PRD' end
        from generate_series(1, 20000) n;
        insert into wafer.carrier_event (site, carrier, equipment, at, event)
        select 'fab1', 'C' || n / 2 % 40, 'E1', now() - n * interval '864 s', (array['departed', 'arrived'])[1 + n % 2]
        from generate_series(1, 20000) n;
        insert into wafer.host select 'fab1', 'h' || n, now(), 30 from generate_series(1, 20) n;
        analyze wafer.job_run, wafer.equipment_state, wafer.carrier_event, wafer.host
        """
    )


@pytest.mark.parametrize(
    "query",
    [
        "select * from wafer.success_rates where day >= now() - interval '2 days'",
        "select * from wafer.slowest_jobs where day >= now() - interval '2 days' and rank <= 3",
        "select * from wafer.failures where day >= now() - interval '2 days'",
        "select * from wafer.outliers where day >= now() - interval '2 days'",
        "select * from wafer.equipment_utilisation where day >= now() - interval '2 days'",
        "select * from wafer.carrier_dwell where day >= now() - interval '2 days'",
        "select * from wafer.lot_journeys where lot = 'L77'",
        "select * from wafer.lot_journeys where lot = any (array(select lot from wafer.jobs where job_id = 'j777'))",
        "select * from wafer.host_jobs",
    ],
)
async def test_conditions_bound_what_is_read(conn: asyncpg.Connection, query: str) -> None:
    await _history(conn)
    plan = "\n".join(row[0] for row in await conn.fetch(f"explain (analyze, buffers off, timing off) {query}"))
    assert not re.search(r"Seq Scan on (job_run|equipment_state|carrier_event)", plan), plan
    read = sum(
        float(rows) * int(loops)
        for rows, loops in re.findall(
            r"(?:Scan|scan)[^\n]* on (?:job_run|equipment_state|carrier_event)[^\n]*actual rows=([\d.]+) loops=(\d+)",
            plan,
        )
    )
    assert read < 10_000, plan  # of 20,000 in each table; outliers compare 8 days, of 100 runs each, with 3
