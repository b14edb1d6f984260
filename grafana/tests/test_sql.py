"""The boards' SQL on a real database, read as the boards' role: right, kind to empty sites, safe with odd names."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from waferscope_grafana import interpolation
from waferscope_grafana.boards import BOARDS
from waferscope_grafana.interpolation import ALL_CHOSEN, Moment
from waferscope_grafana.queries import sql_text
from waferscope_grafana.questions import board_questions
from waferscope_grafana.render import render

SQL_QUESTIONS = [
    question for board in BOARDS for question in board_questions(render(board)) if question.source == "postgres"
]
CHOICES = ("site", "application", "equipment")
INSERT = """
insert into wafer.job_run (
    site, job_id, attempt, name, service, equipment, result, started_at, ended_at, heartbeat_at, sequence, clock_offset,
    heard_at
)
select 'fab1', $1, 1, 'overlay', $2, $3, $4::text, now() - $5::interval,
    case when $4::text is not null then now() - $6::interval end, now() - $6::interval, 1, 0, now() - $6::interval
"""


@dataclass(frozen=True, slots=True)
class Site:
    """A database with runs in it, asked as the boards ask it."""

    conn: asyncpg.Connection

    async def run(
        self,
        job_id: str,
        result: str | None = None,
        *,
        started: timedelta = timedelta(minutes=10),
        silent: timedelta = timedelta(minutes=5),
        service: str = "overlay-analysis",
        equipment: str | None = "LITHO-01",
    ) -> None:
        """Add a run that started and was last heard of that long ago."""
        await self.conn.execute("reset role")
        await self.conn.execute(INSERT, job_id, service, equipment, result, started, silent)
        await self.conn.execute("set role waferscope_reader")

    async def ask(self, text: str, **choices: tuple[str, ...]) -> list[asyncpg.Record]:
        """Return the answer to a query over the last day."""
        end = datetime.now(tz=UTC) + timedelta(seconds=1)
        moment = Moment(end - timedelta(days=1), end, dict.fromkeys(CHOICES, ALL_CHOSEN) | choices)
        return await self.conn.fetch(interpolation.sql(text, moment))

    async def row(self, name: str, **choices: tuple[str, ...]) -> dict[str, float | None]:
        """Return the only row of the answer to a named query."""
        (row,) = await self.ask(sql_text(name, *CHOICES), **choices)
        return dict(row)


@pytest.fixture
async def site(database_url: str) -> AsyncIterator[Site]:
    conn = await asyncpg.connect(database_url)
    try:
        await conn.execute("set role waferscope_reader")
        yield Site(conn)
    finally:
        await conn.close()


async def test_every_sql_query_of_every_board_answers_on_an_empty_site(site: Site) -> None:
    assert SQL_QUESTIONS
    for question in SQL_QUESTIONS:
        await site.ask(question.text)


async def test_tiles_of_an_empty_site_show_zeros_and_no_rate(site: Site) -> None:
    assert await site.row("overview_ended") == {"Runs": 0, "Succeeded": 0, "Failed": 0, "Success rate": None}
    assert set((await site.row("overview_open")).values()) == {0}


async def test_the_success_rate_is_of_the_runs_that_succeeded_or_failed(site: Site) -> None:
    for number, result in enumerate(["success", "success", "success", "failure", "cancellation", "skip", None]):
        await site.run(f"job-{number}", result)
    assert await site.row("overview_ended") == {"Runs": 7, "Succeeded": 3, "Failed": 1, "Success rate": 0.75}


async def test_runs_now_count_whenever_they_started_but_lost_ones_only_while_in_the_range(site: Site) -> None:
    ages = {"running": 5, "stale": 60, "lost": 600, "long lost": 3 * 86_400}
    for job_id, silent_s in ages.items():
        await site.run(job_id, started=timedelta(days=4), silent=timedelta(seconds=silent_s))
    assert await site.row("overview_open") == {"Running": 1, "Stale": 1, "Unreachable": 0, "Lost": 1}
    table = await site.ask(sql_text("overview_open_runs", *CHOICES))
    assert [row["Job id"] for row in table] == ["lost", "stale", "running"]


async def test_all_counts_runs_without_equipment_and_a_choice_leaves_them_out(site: Site) -> None:
    await site.run("with", "failure")
    await site.run("without", "failure", equipment=None)
    failures = sql_text("overview_failures_by_equipment", *CHOICES)
    assert {row["equipment"] for row in await site.ask(failures)} == {"LITHO-01", "no equipment"}
    assert {row["equipment"] for row in await site.ask(failures, equipment=("LITHO-01",))} == {"LITHO-01"}


async def test_a_run_counts_in_the_hour_of_its_start_under_its_status(site: Site) -> None:
    await site.run("one", "success", started=timedelta(hours=3))
    await site.run("two", "failure", started=timedelta(minutes=1))
    hours = await site.ask(sql_text("overview_runs_by_hour", *CHOICES))
    assert [(row["succeeded"], row["failed"]) for row in hours] == [(1, 0), (0, 1)]
    assert all(row["time"].minute == 0 for row in hours)


@pytest.mark.parametrize(
    "name", ["ETCH.01", "O'Brien", "a$$b", "back\\slash", "(tool)", "A|B", "x'); drop view wafer.jobs; --", "50%", "é"]
)
async def test_any_name_of_equipment_selects_itself_alone(site: Site, name: str) -> None:
    await site.run("this", "success", equipment=name)
    await site.run("that", "success", equipment="ETCHX01")
    await site.run("none", "success", equipment=None)
    assert (await site.row("overview_ended", equipment=(name,)))["Runs"] == 1
    assert (await site.row("overview_ended", equipment=(name, "ETCHX01")))["Runs"] == 2


async def test_a_choice_narrows_the_next_variable(site: Site) -> None:
    await site.run("one", "success", service="overlay-analysis", equipment="LITHO-01")
    await site.run("two", "success", service="wafer-map", equipment="PROBE-07")
    by_name = {question.asker: question.text for question in SQL_QUESTIONS}
    assert [tuple(row) for row in await site.ask(by_name["$site"])] == [("fab1",)]
    assert [tuple(row) for row in await site.ask(by_name["$application"])] == [("overlay-analysis",), ("wafer-map",)]
    assert [tuple(row) for row in await site.ask(by_name["$equipment"], application=("wafer-map",))] == [("PROBE-07",)]
