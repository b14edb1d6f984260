"""Every query of every panel and variable, asked of a running stack as Grafana would: no error, no empty answer."""

import json
import math
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from support import databases
from support.ports import free_ports
from support.processes import WAFERSCOPE, Process

from waferscope_grafana import interpolation
from waferscope_grafana.boards import BOARDS
from waferscope_grafana.interpolation import ALL_CHOSEN, Moment
from waferscope_grafana.questions import Question, board_questions
from waferscope_grafana.render import render

QUESTIONS = [question for board in BOARDS for question in board_questions(render(board))]
PORTS = ("QUERY_PORT", "WRITER_HTTP_PORT", "WRITER_GRPC_PORT")
SCRAPE = timedelta(seconds=30)
PANEL_POINTS = 1000
CHOICES = {
    "all": dict.fromkeys(("site", "application", "equipment"), ALL_CHOSEN),
    "chosen": {"site": ("fab1",), "application": ("overlay-analysis",), "equipment": ("LITHO-01", "ETCH.07")},
}


@dataclass(frozen=True, slots=True)
class Stack:
    """A running stack with sample data."""

    query: str
    database_url: str


@pytest.fixture(scope="module")
def stack(postgres_url: str, template_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    ports = {f"WAFERSCOPE_{name}": str(port) for name, port in zip(PORTS, free_ports(len(PORTS)), strict=True)}
    command = [WAFERSCOPE, "up", "--json", "--data-dir", tmp_path_factory.mktemp("stack")]
    with (
        databases.fresh(postgres_url, template_database) as database_url,
        Process(command, env={**ports, "WAFERSCOPE_DATABASE_URL": database_url}) as process,
    ):
        ready = json.loads(process.wait_stdout(within_s=100))
        sample = Path(__file__).with_name("sample.py")
        with Process([sys.executable, sample, ready["writer_http"]]) as writing:
            assert writing.wait_exit() == 0, writing.report()
        yield Stack(ready["query"], ready["database_url"])


@pytest.mark.parametrize("span", [timedelta(hours=1), timedelta(days=1), timedelta(days=30)], ids=str)
@pytest.mark.parametrize("choices", CHOICES.values(), ids=CHOICES)
@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: f"{question.asker} {question.ref_id}".strip())
async def test_every_query_of_every_board_has_an_answer(
    stack: Stack, question: Question, choices: dict[str, tuple[str, ...]], span: timedelta
) -> None:
    end = datetime.now(tz=UTC)
    moment = Moment(end - span, end, choices, interpolation.step(span, PANEL_POINTS, SCRAPE), SCRAPE)
    answer = await rows(stack, question, moment) if question.source == "postgres" else points(stack, question, moment)
    assert answer, "an empty answer"


async def rows(stack: Stack, question: Question, moment: Moment) -> list[asyncpg.Record]:
    """Return the rows with anything in them, read as the role that Grafana logs in as."""
    conn = await asyncpg.connect(stack.database_url)
    try:
        await conn.execute("set role waferscope_reader")
        answer = await conn.fetch(interpolation.sql(question.text, moment))
    finally:
        await conn.close()
    return [row for row in answer if any(value is not None for value in row.values())]


def points(stack: Stack, question: Question, moment: Moment) -> list[float]:
    """Return all values that are numbers."""
    form = {"query": interpolation.promql(question.text, moment)}
    if question.instant:
        path, form["time"] = "query", str(moment.end.timestamp())
    else:
        step_s = moment.step.total_seconds()
        start, end = (instant.timestamp() // step_s * step_s for instant in (moment.start, moment.end))
        path, form = "query_range", {**form, "start": str(start), "end": str(end), "step": str(step_s)}
    answer = post_form(f"{stack.query}/api/v1/{path}", form)
    assert answer["status"] == "success", answer
    series = answer["data"]["result"]
    values = [pair[1] for each in series for pair in each.get("values") or [each["value"]]]
    return [float(value) for value in values if not math.isnan(float(value))]


def post_form(url: str, form: dict[str, str]) -> dict[str, Any]:
    """Return the JSON that answers a form, whatever its status: Prometheus explains errors in the body."""
    try:
        with urllib.request.urlopen(url, urllib.parse.urlencode(form).encode(), timeout=30) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return {"status": error.code, "body": error.read().decode(errors="replace")}
