"""How a query is answered: the endpoint and the command."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from support.processes import waferscope

if TYPE_CHECKING:
    from conftest import Service, Writer

T0 = 1_800_000_000
MS = T0 * 1000


async def stored(served: Writer) -> str:
    metric = f"explained_{uuid.uuid4().hex[:8]}_total"
    for tool in "ab":
        await served.gauge(metric, *((MS + i * 15_000, float(i)) for i in range(41)), tool=tool)
    return metric


def explained(service: Service, **fields: Any) -> Any:
    answer = service.http.post("/api/v1/explain", data=fields)
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "success"
    return answer.json()["data"]


def nodes(node: Any) -> Iterator[Any]:
    yield node
    for child in node.get("children", ()):
        yield from nodes(child)


async def test_it_tells_what_each_node_gave_and_took(service: Service, served: Writer) -> None:
    metric = await stored(served)
    query = f'sum by (tool) (rate({metric}{{tool=~"a|b"}}[1m])) > 0'
    told = explained(service, query=query, start=T0 + 60, end=T0 + 180, step=60)
    assert (told["start"], told["end"], told["step"], told["steps"]) == (T0 + 60, T0 + 180, 60, 3)
    assert [(node["node"], node["what"], node["series"], node["values"]) for node in nodes(told["plan"])] == [
        ("Binary", ">", 2, 6),
        ("Aggregate", "sum by (tool)", 2, 6),
        ("Call", "rate()", 2, 6),
        ("MatrixSelector", f'{metric}{{tool=~"a|b"}}[1m]', 2, 24),
        ("NumberLiteral", "0", 1, 3),
    ]
    for node in nodes(told["plan"]):
        assert node["milliseconds"] >= node["ownMilliseconds"] >= 0
        assert node["milliseconds"] >= sum(child["milliseconds"] for child in node.get("children", ()))
    assert set(told["stages"]) == {"queue", "plan", "select", "evaluate", "render"}
    assert told["totals"]["milliseconds"] == pytest.approx(sum(told["stages"].values()))
    assert (told["totals"]["seriesTouched"], told["totals"]["samplesQueryable"]) == (2, 24)
    assert told["totals"]["peakBytes"] > 0


async def test_what_was_read_first_comes_from_memory_the_next_time(service: Service, served: Writer) -> None:
    metric = await stored(served)
    fields = {"query": f"{metric} + {metric} offset 1m", "time": T0 + 300}
    first, second = (explained(service, **fields)["selections"] for _ in range(2))
    assert [one["matchers"] for one in first] == [[f'__name__="{metric}"']] * 2
    assert [(one["seriesExpected"], one["samplesExpected"]) for one in first] == [(2, 40)] * 2
    assert [(one["series"], one["samples"]) for one in first] == [(2, 40), (2, 34)]
    assert first[0]["database"]["samples"] >= 2 * 40  # whole blocks
    assert first[0]["database"]["bytes"] > 0
    assert second[0]["database"] == {"samples": 0, "bytes": 0}
    assert second[0]["memory"] == {"samples": 40, "bytes": 640}
    unkept = explained(service, **fields, nocache=1)["selections"]
    assert [one["memory"]["samples"] for one in unkept] == [0, 0]


async def test_the_plan_alone_evaluates_nothing(service: Service, served: Writer) -> None:
    metric = await stored(served)
    told = explained(service, query=f"max_over_time(sum({metric})[5m:1m])", time=T0 + 300, plan=1)
    assert [node["what"] for node in nodes(told["plan"])] == ["max_over_time()", "[5m:1m]", "sum", metric]
    assert [node.get("selection") for node in nodes(told["plan"])] == [None, None, None, 0]
    assert "milliseconds" not in told["plan"]
    assert "totals" not in told
    (selection,) = told["selections"]
    assert (selection["start"], selection["end"]) == (T0 - 240 + 0.001, T0 + 300)
    assert (selection["seriesExpected"], selection["samplesExpected"]) == (2, 72)


def test_errors_are_those_of_the_query(service: Service) -> None:
    for fields in ({"query": "sum("}, {"query": "x", "start": 2, "end": 1, "step": 1}, {"query": "x", "time": "soon"}):
        path = "query_range" if "start" in fields else "query"
        answers = [service.http.post(f"/api/v1/{one}", data=fields) for one in (path, "explain")]
        assert answers[1].status_code == 400
        assert answers[0].json() == answers[1].json()


async def test_the_command_prints_tree_selections_and_totals(service: Service, served: Writer) -> None:
    metric = await stored(served)
    where = ("--url", service.url)
    over = ("--start", str(T0), "--end", str(T0 + 600), "--step", "60s")
    with waferscope("explain", f"sum(rate({metric}[5m]))", *over, *where) as process:
        assert process.wait_exit() == 0
        lines = process.stdout.splitlines()
    assert lines[:2] == [f"sum(rate({metric}[5m]))", "11 steps of 60 s, 2027-01-15 08:00:00Z to 2027-01-15 08:10:00Z"]
    assert lines[3].split() == ["NODE", "SERIES", "VALUES", "OWN", "MS", "TOTAL", "MS"]
    assert [line.split()[:2] for line in lines[4:7]] == [["sum", "1"], ["└", "rate()"], ["└", f"{metric}[5m]"]]
    assert "2 (2)" in lines[9]
    assert any(line.startswith("total ") and "2 series" in line for line in lines)
    with waferscope("explain", metric, "--time", str(T0), "--plan", *where) as process:
        assert process.wait_exit() == 0
        assert "about 40" in process.stdout
    with waferscope("explain", metric, "--json", *where) as process:
        assert process.wait_exit() == 0
        assert json.loads(process.stdout)["data"]["query"] == metric
    with waferscope("explain", "sum(", *where) as process:
        assert process.wait_exit() == 1
        assert process.stderr == (
            'waferscope: invalid parameter "query": 1:5: parse error: unclosed left parenthesis\n'
        )
