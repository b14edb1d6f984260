"""Every SQL of docs/sql.md runs as the reader's role, and finds what jobs and a host have sent to a writer."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from e2e import otlp
from e2e.fab import EXAMPLES, JOBS
from e2e.site import Services
from support import databases
from support.processes import Process

pytestmark = pytest.mark.timeout(300)
PAGE = (Path(__file__).parents[2] / "docs" / "sql.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"^```sql\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
HOST = "eqp-pc-7"


@pytest.fixture(scope="module")
def site(postgres_url: str, template_database: str) -> Iterator[str]:
    """The URL of a database that a lot's journey, overlay jobs and their host's load came to through a writer."""
    with databases.fresh(postgres_url, template_database) as url:
        services = Services.prepare(url)
        with services.writer():
            endpoint = f"http://127.0.0.1:{services.writer_http_port}"
            otlp.send(endpoint, otlp.gauge("system.cpu.load_average.1m", 1.5, "{thread}", {"host.name": HOST}))
            told = {
                "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
                "OTEL_RESOURCE_ATTRIBUTES": f"host.name={HOST}",
                "WAFERSCOPE_FLUSH_TIMEOUT": "30",  # so that all is acknowledged before a process ends
            }
            for script in (EXAMPLES / "lot_journey.py", JOBS / "sql_samples.py"):
                with Process([sys.executable, script], env=told) as job:
                    assert job.wait_exit(within_s=60) == 0, job.report()
        yield url


def _as_reader(url: str, query: str) -> list[dict[str, Any]]:
    """Return a query's rows as the reader's role sees them; tests of a server share its password, so none is used."""

    async def fetch() -> list[dict[str, Any]]:
        connection = await asyncpg.connect(url)
        try:
            await connection.execute("set session authorization waferscope_reader")
            return [dict(row) for row in await connection.fetch(query)]
        finally:
            await connection.close()

    return databases.run(fetch())


@pytest.mark.parametrize("query", SNIPPETS, ids=[f"{number}" for number in range(len(SNIPPETS))])
def test_documented_sql_answers(site: str, query: str) -> None:
    assert _as_reader(site, query), f"no rows:\n{query}"


def test_the_answers_are_those_of_the_samples(site: str) -> None:
    def answer(start: str) -> list[dict[str, Any]]:
        (query,) = (query for query in SNIPPETS if query.startswith(start))
        return _as_reader(site, query)

    tools = {row["equipment"]: row for row in answer("select\n    j.equipment, count(distinct j.lot)")}
    assert {name: round(row["mean_nm"], 2) for name, row in tools.items()} == {"OVL-01": 1.55, "OVL-02": 3.55}
    (step,) = [row for row in answer("select distinct on") if row["recipe"] == "M1-VIA1" and row["name"] == "overlay"]
    assert step["step"] == "fit"
    assert {row["lot"] for row in answer("select j.name, j.lot, j.attempt")} == {"LOT-112", "LOT-4714"}
    (failed,) = [row for row in answer("select\n    j.name, j.job_id, s.name as step") if row["name"] == "overlay"]
    assert (failed["step"], failed["message"]) == ("fit", "no marks in field 7")
    loads = answer("select j.name, j.job_id, j.host")
    assert {(row["host"], row["highest_load"]) for row in loads} == {(HOST, 1.5)}
    assert [row["equipment"] for row in answer("select stage")] == ["SCAN-03", "ETCH-07", "OVL-02"]
    assert {row["equipment"] for row in answer('select e.equipment, e.state, e.reason, e.start, e."end"')} == {
        "ETCH-07"
    }
    assert {row["measure"] for row in answer("select name, measure")} >= {"duration_s"}
