"""Whatever is sent, a running service answers as Prometheus would: in time, in JSON, and never with a fault of its own.

`WAFERSCOPE_FUZZ_EXAMPLES` and `WAFERSCOPE_FUZZ_SEED` ask for more examples and for others.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support import promql_grammar, promql_samples
from support.fuzzing import fuzzed

from waferscope_query.http.errors import ErrorType

if TYPE_CHECKING:
    from conftest import Service

STATUSES = {kind.text: kind.status for kind in ErrorType if kind is not ErrorType.INTERNAL}
SECONDS = 20  # a busy machine is no reason to fail; a hung worker never answers
T0 = promql_samples.BEGIN // 1000
ENDPOINTS = [
    *("query", "query_range", "series", "labels", "label/{}/values", "metadata", "query_exemplars", "format_query"),
    *("parse_query", "explain", "targets", "targets/metadata", "rules", "alerts", "alertmanagers", "status/buildinfo"),
    *("status/runtimeinfo", "status/flags", "status/config", "status/tsdb", "status/walreplay", "status/tsdb/blocks"),
    *("scrape_pools", "notifications", "admin/tsdb/delete_series", "admin/tsdb/clean_tombstones", "nothing"),
]
TIMES = st.one_of(
    st.integers(T0 - 600, T0 + 3600).map(str),
    st.floats().map(str),
    st.sampled_from(
        [
            "1e18",
            "-1e18",
            "0x10",
            "1_0",
            "NaN",
            "Inf",
            "-",
            "2023-11-14T22:13:20Z",
            "2023-13-45T00:00:00Z",
            "\N{ARABIC-INDIC DIGIT ONE}",
        ]
    ),
    st.sampled_from(["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999999999-23:59"]),
    st.sampled_from(["9" * 400, "292277025-08-18T07:12:54.999999999Z"]),
    st.text(max_size=20),
)
DURATIONS = st.one_of(
    st.sampled_from(["1", "15", "60", "1m", "1h30m", "1ms", "0", "-1", "1e-9", "1e9", "1e400", "290y", "NaN", "5m5m"]),
    st.just("9" * 30 + "y"),
    st.floats().map(str),
    st.text(max_size=20),
)
LIMITS = st.one_of(st.integers(-(2**70), 2**70).map(str), st.integers(0, 5).map(str), st.text(max_size=10))
EXPRESSIONS = promql_grammar.anything()
FIELDS = {
    "query": EXPRESSIONS,
    "match[]": promql_grammar.selectors() | EXPRESSIONS,
    **dict.fromkeys(("time", "start", "end"), TIMES),
    **dict.fromkeys(("step", "timeout", "lookback_delta"), DURATIONS),
    **dict.fromkeys(("limit", "limit_per_metric"), LIMITS),
    "stats": st.sampled_from(["all", "true", ""]) | st.text(max_size=5),
    "metric": st.text(max_size=20),
    "nocache": st.sampled_from(["1", "0", "x"]),
}


@pytest.fixture(autouse=True)
def _no_fault_is_logged(service: Service) -> Iterator[None]:
    yield
    began = time.perf_counter()
    assert service.http.get("/api/v1/query", params={"query": "1 + 1"}).status_code == 200
    assert time.perf_counter() - began < SECONDS
    assert "Traceback" not in service.process.stderr + service.process.stdout


def judge(answer: httpx.Response, asked: Any) -> None:
    """Hold an answer against the rules."""
    if answer.status_code == 204:
        assert not answer.content
        return
    assert answer.headers["content-type"] == "application/json", (asked, answer.text)
    body = answer.json()
    if answer.status_code == 200:
        assert body["status"] == "success", (asked, body)
        assert "data" in body
        return
    assert body["status"] == "error", (asked, body)
    assert body["error"], asked
    if answer.status_code != 405:
        assert STATUSES.get(body["errorType"]) == answer.status_code, (asked, body)


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, str, list[tuple[str, str]], bool]:
    """An endpoint's method, path and fields, and whether they come as a form."""
    path = draw(st.sampled_from(["query", "query_range", "query_range"]) | st.sampled_from(ENDPOINTS))
    name = draw(
        st.sampled_from(["tool", "__name__", "U__x_2e_y", "%00", "U__d800_"]) | st.text(min_size=1, max_size=20)
    )
    fields = draw(st.lists(st.sampled_from(sorted(FIELDS)), max_size=4))
    if path.startswith("query"):
        usual = {"query_range": ["query", "start", "end", "step"]}.get(path, ["query"])
        fields = [*usual, *fields]
    pairs = [(field, draw(FIELDS[field])) for field in fields]
    return draw(st.sampled_from(["GET", "POST"])), path.replace("{}", _in_path(name)), pairs, draw(st.booleans())


def _in_path(name: str) -> str:
    return quote(name, safe="%").replace(".", "%2E")


@fuzzed(250)
@given(requests())
def test_any_request_gets_an_answer_of_the_api(
    filled: Service, asked: tuple[str, str, list[tuple[str, str]], bool]
) -> None:
    method, path, fields, form = asked
    encoded = str(httpx.QueryParams(fields))  # text that is no UTF-8 can't be sent this way: see the next test
    sent = {"content": encoded, "headers": {"Content-Type": "application/x-www-form-urlencoded"}} if form else {}
    url = f"/api/v1/{path}" + ("" if form else f"?{encoded}")
    judge(filled.http.request(method, url, timeout=SECONDS, **sent), asked)


@fuzzed(80)
@given(
    st.sampled_from(
        ["query", "query_range", "series", "labels", "query_exemplars", "parse_query", "format_query", "write"]
    ),
    st.binary(max_size=300) | st.binary(max_size=50).map(lambda raw: b"match[]=a&start=0&end=1&step=1&query=" + raw),
    st.sampled_from(
        [
            "application/x-www-form-urlencoded",
            "application/x-www-form-urlencoded; charset=x",
            "multipart/form-data",
            "%",
        ]
    ),
)
@example("query", b"query=%ff%fe%00", "application/x-www-form-urlencoded")
def test_any_bytes_get_an_answer_of_the_api(filled: Service, path: str, body: bytes, kind: str) -> None:
    answer = filled.http.post(f"/api/v1/{path}", content=body, headers={"Content-Type": kind}, timeout=SECONDS)
    judge(answer, (path, body, kind))


@fuzzed(40)
@given(st.binary(max_size=60))
def test_any_bytes_on_the_wire_do_no_harm(filled: Service, raw: bytes) -> None:
    """What is no HTTP is refused by the server below the API; the service goes on."""

    async def send() -> None:
        host, port = filled.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /api/v1/query?query=" + raw + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        writer.write_eof()
        await asyncio.wait_for(reader.read(), SECONDS)
        writer.close()

    asyncio.run(send())
