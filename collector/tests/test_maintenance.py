"""A site is maintained once, its old rows leave and nothing is lost by it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from support.wait import eventually
from writer_support import rollup_feeding as feeding
from writer_support.rollup_reference import Sample

from waferscope_collector import maintenance
from waferscope_collector.maintenance import holder, ledger, retention, rollups
from waferscope_collector.maintenance.retention import PartsStayError
from waferscope_collector.retention import Retention
from waferscope_collector.settings import WriterSettings
from waferscope_schemas import partitioning
from waferscope_schemas.errors import SettingsError
from waferscope_schemas.settings import load

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
END_HOLDER = (
    "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and granted"
    " and database = (select oid from pg_database where datname = current_database())"
)
TASKS = {"partitions", "rollups", "columnstore", "retention", "ledger", "statistics"}


def settings(url: str, **more: object) -> WriterSettings:
    return WriterSettings.model_validate({"database_url": url} | more)


def ms(time: datetime) -> int:
    return feeding.milliseconds(time) // 1000 * 1000


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holder, "_STANDBY", 0.05)
    monkeypatch.setattr(holder, "_RETRY", 0.05)
    monkeypatch.setattr(retention, "_NOTICE", 0.0)


@contextlib.asynccontextmanager
async def running(config: WriterSettings) -> AsyncIterator[maintenance.States]:
    states = maintenance.States()
    task = asyncio.create_task(maintenance.run(config, states))
    try:
        yield states
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until_done(states: maintenance.States) -> None:
    async def done() -> bool:
        return {state.task for state in states.tasks if state.successes} == TASKS

    await eventually(done, "every task was done", within_s=60)


async def test_a_round_does_every_task_and_tells_so(database_url: str, conn: asyncpg.Connection) -> None:
    states = maintenance.States()
    assert await maintenance.once(settings(database_url), states)
    assert {state.task: (state.successes, state.errors) for state in states.tasks} == dict.fromkeys(TASKS, (1, 0))
    rows = await conn.fetch("select * from wafer.maintenance_state")
    assert {row["task"] for row in rows} == TASKS
    assert all(row["last_success"] and row["duration_s"] > 0 and row["last_error"] is None for row in rows)


async def test_one_writer_maintains_the_site_and_another_takes_over(
    database_url: str, conn: asyncpg.Connection
) -> None:
    config = settings(database_url)
    async with running(config) as first:
        await until_done(first)
        async with running(config) as second:
            assert not await maintenance.once(config)
            assert (first.holding, second.holding, second.tasks) == (True, False, ())

            async def taken_over() -> bool:
                if first.holding:
                    await conn.execute(END_HOLDER)
                return second.holding

            await eventually(taken_over, "the second writer maintains the site")
            await until_done(second)


async def test_a_task_that_fails_is_told_and_does_not_keep_the_others_from_their_turn(
    database_url: str, conn: asyncpg.Connection
) -> None:
    await conn.execute("drop table wafer.rollup_feed")
    states = maintenance.States()
    await maintenance.once(settings(database_url), states)
    failed = {state.task: state.last_error for state in states.tasks if state.errors}
    assert failed.keys() == {"rollups", "ledger"}
    assert "rollup_feed" in (failed["rollups"] or "")
    told = await conn.fetchval("select last_error from wafer.maintenance_state where task = 'rollups'")
    assert told == failed["rollups"]
    assert {state.task for state in states.tasks if state.successes} == TASKS - failed.keys()


async def test_old_samples_leave_once_their_rollups_are_computed(conn: asyncpg.Connection) -> None:
    now = datetime.now(UTC)
    old, new = now - 10 * DAY, now
    await feeding.store(conn, [Sample(1, ms(old), 1.0), Sample(1, ms(new), 2.0)])
    kept = Retention(sample=timedelta(hours=72))
    with pytest.raises(PartsStayError, match="waits for its rollups"):
        await retention.apply(conn, kept)
    assert await conn.fetchval("select count(*) from wafer.sample") == 2
    await rollups.catch_up(conn, budget=60)
    await retention.apply(conn, kept)
    assert [row["value"] for row in await conn.fetch("select value from wafer.sample")] == [2.0]
    assert await conn.fetchval("select count(*) from wafer.rollup_5m") == 2
    told = await conn.fetchrow("select * from wafer.deletion")
    assert (told["kind"], told["series_ids"]) == ("expired", None)
    assert told["begin_ts"] <= old < told["end_ts"]
    # Readers hear of it; the rollups outlive their samples.
    await rollups.catch_up(conn, budget=60)
    assert await conn.fetchval("select count(*) from wafer.rollup_5m") == 2


async def test_readers_are_told_of_a_border_before_anything_is_dropped(
    conn: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = datetime.now(UTC) - 10 * DAY
    await feeding.store(conn, [Sample(1, ms(old), 1.0), Sample(1, ms(old + 2 * DAY), 2.0)])
    kept = Retention(sample=timedelta(hours=72))
    with pytest.raises(PartsStayError):
        await retention.apply(conn, kept)
    assert await conn.fetch("select * from wafer.retention_border") == []  # not before the rollups are there
    await rollups.catch_up(conn, budget=60)
    seen = []

    async def look(seconds: float) -> None:
        left = await conn.fetchval("select count(*) from wafer.sample")
        seen.append((seconds, left, await conn.fetchval("select before_ts from wafer.retention_border")))

    monkeypatch.setattr(retention, "_NOTICE", 10.0)
    monkeypatch.setattr(retention.asyncio, "sleep", look)
    await retention.apply(conn, kept)
    await retention.apply(conn, kept)  # nothing new to tell: nobody is kept waiting
    assert [(seconds, left) for seconds, left, _ in seen] == [(10.0, 2)]
    assert old + 2 * DAY < seen[0][2] <= datetime.now(UTC) - timedelta(hours=72)
    assert await conn.fetchval("select count(*) from wafer.sample") == 0


async def test_late_samples_of_a_dropped_hour_do_not_replace_its_rollup(conn: asyncpg.Connection) -> None:
    old = ms(datetime.now(UTC) - 10 * DAY) // 3_600_000 * 3_600_000
    await feeding.store(conn, [Sample(1, old + 1000 * second, float(second)) for second in range(10)])
    await rollups.catch_up(conn, budget=60)
    before = await feeding.number_rollups(conn, "rollup_5m"), await feeding.number_rollups(conn, "rollup_1h")
    await retention.apply(conn, Retention(sample=timedelta(hours=72)))
    await partitioning.ensure(conn, "sample", [feeding.instant(old)], recheck=True)
    await feeding.store(conn, [Sample(1, old + 20_000, 100.0), Sample(2, old, 5.0)])
    await rollups.catch_up(conn, budget=60)
    after = await feeding.number_rollups(conn, "rollup_5m"), await feeding.number_rollups(conn, "rollup_1h")
    assert [{key: row for key, row in found.items() if key[0] == 1} for found in after] == list(before)
    assert [len(found) for found in after] == [2, 2]


async def test_rows_of_ordinary_tables_leave_when_they_are_too_old(conn: asyncpg.Connection) -> None:
    now = datetime.now(UTC)
    for age in (1, 100, 200, 300):
        at = now - age * DAY
        await conn.execute(
            "insert into wafer.equipment_state (site, equipment, at, state) values ('s', 'e', $1, 'PRD')", at
        )
        await conn.execute(
            "insert into wafer.step_run (site, job_id, attempt, span_id, name, index, result, started_at, ended_at,"
            " duration_s, trace_id) values ('s', 'j', 1, $1, 'n', 0, 'success', $2, $2, 1, '')",
            bytes([age % 256]),
            at,
        )
        await conn.execute(
            "insert into wafer.job_run (site, job_id, attempt, name, started_at, heartbeat_at, sequence, clock_offset,"
            " heard_at) values ('s', $1, 1, 'n', $2, $2, 0, 0, $2)",
            str(age),
            at,
        )
    period = 150 * DAY
    await retention.apply(conn, Retention(equipment_state=period, step_run=period, job_run=period))
    assert await conn.fetchval("select count(*) from wafer.step_run") == 2
    assert {row[0] for row in await conn.fetch("select job_id from wafer.job_run")} == {"1", "100"}
    # The state at the border is still known.
    states = await conn.fetch("select at from wafer.equipment_state order by at desc")
    assert [(now - row["at"]).days for row in states] == [1, 100, 200]


async def test_the_ledger_keeps_what_the_rollups_have_not_read(conn: asyncpg.Connection) -> None:
    await feeding.store(conn, [Sample(1, ms(datetime.now(UTC)), 1.0)])
    await conn.execute("update wafer.ingest_batch set received_at = received_at - interval '20 days'")
    await ledger.prune(conn, 14)
    assert await conn.fetchval("select count(*) from wafer.ingest_hour") == 1
    await rollups.catch_up(conn, budget=60)
    await ledger.prune(conn, 21)
    assert await conn.fetchval("select count(*) from wafer.ingest_hour") == 1
    await ledger.prune(conn, 14)
    assert await conn.fetchval("select count(*) from wafer.ingest_batch") == 0


async def test_ingest_goes_on_while_an_hour_is_computed(conn: asyncpg.Connection, database_url: str) -> None:
    time = ms(datetime.now(UTC) - DAY)
    await feeding.store(conn, [Sample(1, time, 1.0)])
    writer = await asyncpg.connect(database_url)
    async with conn.transaction():
        await rollups.catch_up(conn, budget=60)  # computed and not committed
        async with asyncio.timeout(10):
            await feeding.store(writer, [Sample(1, time + 1000, 2.0)])
    await writer.close()
    await rollups.catch_up(conn, budget=60)
    assert await conn.fetchval("select sum(count) from wafer.rollup_5m") == 2


def test_the_oldest_accepted_time_follows_the_settings() -> None:
    config = settings("postgresql://h/d", retention_sample="PT72H", retention_span="P30D")
    kept = Retention.of(config)
    now = 10**18
    assert kept.oldest("sample", now) == now - 72 * 3600 * 10**9
    assert kept.oldest("span", now) == now - 30 * 86_400 * 10**9
    assert kept.oldest("log_record", now) == 0
    assert dict(kept.periods) == {"sample": timedelta(hours=72), "span": timedelta(days=30)}


@pytest.mark.parametrize(
    "periods", [{"rollup_5m": "P90D"}, {"sample": "P91D", "histogram_sample": "P1D", "rollup_5m": "P90D"}]
)
def test_rollups_do_not_leave_before_their_samples(periods: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAFERSCOPE_DATABASE_URL", "postgresql://h/d")
    for name, period in periods.items():
        monkeypatch.setenv(f"WAFERSCOPE_WRITER_RETENTION_{name.upper()}", period)
    with pytest.raises(SettingsError, match="WAFERSCOPE_WRITER_RETENTION_ROLLUP_5M: must not be shorter"):
        load(WriterSettings)
