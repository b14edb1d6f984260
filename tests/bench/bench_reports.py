"""The report views on a million runs: what a question costs by its days, and what the index of lots is worth."""

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

import asyncpg

sys.path.insert(0, str(Path(__file__).parent.parent))

from waferscope_schemas.migrate import migrate
from waferscope_stack.data_dir import opened
from waferscope_stack.postgres import Postgres
from waferscope_stack.server_user import ServerUser

RUNS, DAYS = 1_000_000, 100
ROUNDS = 5
LOT = "select * from wafer.lot_journeys where lot = 'LOT-24000'"
# What the writer does at heartbeats: every index of a row that an update touches takes a new entry.
HEARTBEATS = """
update wafer.job_run set heartbeat_at = heartbeat_at + interval '1 s', xid = pg_current_xact_id()
where started_at > now() - interval '2 days'
"""
REPORTS = {
    "success_rates": "",
    "slowest_jobs": "and rank <= 10",
    "failures": "",
    "outliers": "",
    "equipment_utilisation": "",
    "carrier_dwell": "",
}
FILL = f"""
insert into wafer.job_run (
    site, job_id, attempt, name, service, version, host, lot, carrier, equipment, recipe, operation, result,
    started_at, ended_at, duration_s, sequence, heartbeat_at, clock_offset, heard_at,
    cpu_user_s, cpu_system_s, memory_bytes, memory_peak_bytes, error_type, error_message, trace_id, span_id
)
select
    'fab1', 'job-' || n, 1, 'job' || n % 20, 'service' || n % 5, '1.' || n % 3, 'host' || n % 50, 'LOT-' || n / 40,
    'FOUP-' || n / 40 % 500, 'E' || n % 60, 'R' || n % 30, 'OP' || n % 12,
    case when n % 20 = 0 then 'failure' when n % 97 = 0 then 'skip' else 'success' end,
    t.at, t.at + interval '30 s', 30 * exp(0.3 * random()), 3, t.at + interval '30 s', 0, t.at + interval '30 s',
    10 * random(), random(), 1e8, 1e8 + 1e7 * random(),
    case when n % 20 = 0 then 'Error' || n % 3 end, case when n % 20 = 0 then 'message' end,
    decode(md5(n::text), 'hex'), decode(substr(md5(n::text), 1, 16), 'hex')
from generate_series(1, {RUNS}) n
cross join lateral (select now() - ({RUNS} - n) * interval '{DAYS} days' / {RUNS} as at) t;
insert into wafer.host select 'fab1', 'host' || n, now(), 30 from generate_series(0, 49) n;
insert into wafer.equipment_state (site, equipment, at, state)
select 'fab1', 'E' || n % 60, now() - n * interval '29 s', (array['PRD', 'SBY', 'UDT', 'ENG'])[1 + n / 60 % 4]
from generate_series(1, 300000) n;
insert into wafer.carrier_event (site, carrier, equipment, at, event, lot)
select 'fab1', 'FOUP-' || n / 2 % 500, 'E' || n / 2 % 60, now() - n * interval '29 s',
    (array['departed', 'arrived'])[1 + n % 2], 'LOT-' || n / 40
from generate_series(1, 300000) n;
"""


def main() -> None:
    """Print the milliseconds of each report."""
    with tempfile.TemporaryDirectory(prefix="waferscope-bench-") as folder:
        Path(folder).chmod(0o755)  # the server runs as another user when this process is root's
        with opened(Path(folder) / "data", ServerUser.choose()) as data_dir:
            server = Postgres.start(data_dir, durable=False)
            try:
                asyncio.run(_report(server.url))
            finally:
                server.stop()


async def _report(url: str) -> None:
    await migrate(url)
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(FILL)
        await connection.execute("vacuum analyze")
        print("## Reports\n")
        print(
            f"{RUNS:,} runs in {DAYS} days, 300,000 states of 60 tools, 300,000 moves of 500 carriers,"
            f" plain PostgreSQL; median of {ROUNDS}, ms.\n"
        )
        print("| view | today | 7 days | 30 days |\n|---|---:|---:|---:|")
        for view, condition in REPORTS.items():
            spans = [await _measured(connection, _question(view, days, condition)) for days in (1, 7, 30)]
            print(f"| `{view}` | {' | '.join(f'{milliseconds:.0f}' for milliseconds in spans)} |")
        print(f"| `host_jobs` | {await _measured(connection, 'select * from wafer.host_jobs'):.0f} | | |")
        size = "select pg_relation_size('wafer.job_run_lot') / 1e6, pg_relation_size('wafer.job_run_pkey') / 1e6"
        sizes = await connection.fetchrow(size)
        lot, heartbeats = [await _beside(connection, query) for query in (LOT, HEARTBEATS)]
        print("\n| index `job_run_lot` | with it | without |\n|---|---:|---:|")
        print(f"| one lot of `lot_journeys`, ms | {lot[0]:.1f} | {lot[1]:.1f} |")
        print(f"| heartbeats of {RUNS // DAYS * 2:,} runs, ms | {heartbeats[0]:.0f} | {heartbeats[1]:.0f} |")
        print(f"| size, MB (the primary key's: {sizes[1]:.0f}) | {sizes[0]:.1f} | 0 |\n")
    finally:
        await connection.close()


def _question(view: str, days: int, condition: str) -> str:
    return f"select * from wafer.{view} where day >= now() - interval '{days} days' {condition}"


async def _measured(connection: "asyncpg.Connection[asyncpg.Record]", query: str) -> float:
    """Return the median milliseconds of a statement, its answer included."""
    return statistics.median([await _once(connection, query) for _ in range(ROUNDS)])


async def _beside(connection: "asyncpg.Connection[asyncpg.Record]", query: str) -> tuple[float, float]:
    """Return the median milliseconds of a statement with the index of lots and without it, in turns, all undone."""
    took: tuple[list[float], list[float]] = ([], [])
    for turn in range(2 * ROUNDS):
        await connection.execute("vacuum wafer.job_run")  # of what the turn before has left
        transaction = connection.transaction()
        await transaction.start()
        if turn % 2:
            await connection.execute("drop index wafer.job_run_lot")
        took[turn % 2].append(await _once(connection, query))
        await transaction.rollback()
    return statistics.median(took[0]), statistics.median(took[1])


async def _once(connection: "asyncpg.Connection[asyncpg.Record]", query: str) -> float:
    begun = time.perf_counter()
    await connection.fetch(query)
    return 1000 * (time.perf_counter() - begun)


if __name__ == "__main__":
    main()
