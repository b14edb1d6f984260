"""What is meant to bring a service down is refused at once, in Prometheus's words."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Service

SECONDS = 5  # of a busy machine; each takes some milliseconds
T0 = 1_700_000_000
RANGE = {"start": T0, "end": T0 + 10**9, "step": 1}


def refused(service: Service, path: str, **fields: Any) -> tuple[int, str, str]:
    began = time.perf_counter()
    answer = service.http.post(f"/api/v1/{path}", data=fields, timeout=4 * SECONDS)
    assert time.perf_counter() - began < SECONDS
    body = answer.json()
    return answer.status_code, body.get("errorType", ""), body.get("error", "")


@pytest.mark.parametrize("path", ["query", "parse_query", "format_query"])
@pytest.mark.parametrize(
    "expression",
    ["1" * 10_000_000, "(" * 10_000 + "1" + ")" * 10_000, "abs(" * 10_000 + "x" + ")" * 10_000, "-" * 10_000 + "x",
     "x" + "[1m:]" * 10_000, "x" + " + x" * 10_000],
    ids=["10 MB", "parentheses", "calls", "signs", "subqueries", "operators"],
)  # fmt: skip
def test_expressions_beyond_measure_are_refused_at_once(service: Service, path: str, expression: str) -> None:
    status, kind, _ = refused(service, path, query=expression)
    assert (status, kind) == (400, "bad_data")


def test_a_billion_steps_are_refused_at_once(service: Service) -> None:
    status, kind, text = refused(service, "query_range", query="1", **RANGE)
    assert (status, kind) == (400, "bad_data")
    assert text.startswith("exceeded maximum resolution of 11,000 points per timeseries.")


def test_a_billion_steps_of_a_subquery_are_refused_at_once(service: Service) -> None:
    status, kind, _ = refused(service, "query", query="sum_over_time(vector(1)[290y:1ms])", time=T0)
    assert (status, kind) == (422, "execution")


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+$", "(.*)*x", "(a*)*b", "(?:a?){500}a{500}"])
def test_a_regex_bomb_does_not_go_off(filled: Service, pattern: str) -> None:
    """RE2 takes time in proportion to the text: what backtracks elsewhere is an ordinary pattern here."""
    subject = "a" * 5000 + "!"
    query = f'label_replace(label_replace(heat, "x", "{subject}", "", ""), "y", "$1", "x", "{pattern}")'
    assert refused(filled, "query", query=query, time=T0 + 600)[0] == 200
    assert refused(filled, "query", query=f'heat{{tool=~"{pattern}"}}', time=T0 + 600)[0] == 200


def test_a_regex_too_large_is_refused_at_once(service: Service) -> None:
    status, kind, text = refused(service, "query", query='heat{tool=~"((x{1000}){1000}){1000}"}')
    assert (status, kind) == (400, "bad_data")
    assert "error parsing regexp" in text


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("sum(", "1:5: parse error: unclosed left parenthesis"),
        ("heat[5m", "1:8: parse error: unclosed left bracket"),
        ("heat +\n  * 2", "2:3: parse error: unexpected <op:*>"),
        ("rate(heat)", '1:6: parse error: expected type range vector in call to function "rate", got instant vector'),
        ("heat[x]", "1:6: parse error: unexpected character in duration expression: 'x'"),
        ('{a=~"("}', "1:2: parse error: error parsing regexp: missing closing ): `(`"),
    ],
)  # fmt: skip
def test_malformed_expressions_are_told_where(service: Service, expression: str, told: str) -> None:
    assert refused(service, "query", query=expression) == (400, "bad_data", f'invalid parameter "query": {told}')
