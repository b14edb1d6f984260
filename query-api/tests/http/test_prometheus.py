"""Prometheus's HTTP API by a real server on a real database, asked as Grafana asks it."""

from __future__ import annotations

import gzip
import random
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Service, Writer

T0 = 1_800_000_000
MS = T0 * 1000


def unique(name: str) -> str:
    return f"{name}_{uuid.uuid4().hex[:8]}"


def answered(service: Service, path: str, **fields: Any) -> Any:
    answer = service.http.post(f"/api/v1/{path}", data=fields)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["status"] == "success"
    return body["data"]


async def test_an_instant_query_sees_the_write_before_it(service: Service, served: Writer) -> None:
    metric = unique("overlay_nm")
    for number in range(5):
        await served.gauge(metric, (MS, number + 0.5), tool=f"t{number}")
        data = answered(service, "query", query=f"sum({metric})", time=T0 + 1)
        expected = sum(n + 0.5 for n in range(number + 1))
        assert data == {
            "resultType": "vector",
            "result": [{"metric": {}, "value": [T0 + 1, f"{expected:g}"]}],
        }


async def test_a_range_query_gives_a_matrix(service: Service, served: Writer) -> None:
    metric = unique("steps_total")
    await served.gauge(metric, *((MS + i * 15_000, 30.0 * i) for i in range(41)), tool="a")
    fields = {"query": f"rate({metric}[5m])", "start": T0 + 300, "end": T0 + 600, "step": "60s"}
    data = answered(service, "query_range", **fields)
    assert data["resultType"] == "matrix"
    (series,) = data["result"]
    assert series["metric"] == {"tool": "a"}
    assert [moment for moment, _ in series["values"]] == [T0 + 300 + 60 * i for i in range(6)]
    assert [float(value) for _, value in series["values"]] == pytest.approx([2.0] * 6)
    got = service.http.get("/api/v1/query_range", params={**fields, "start": "2027-01-15T08:05:00Z", "step": "60"})
    assert got.json()["data"] == data


async def test_a_quantile_over_an_explicit_histogram(service: Service, served: Writer) -> None:
    metric = unique("wafer_job_duration_seconds")
    duration = await served.series(metric, "histogram", tool="a")
    await served.histogram(duration, MS, [1.0, 2.0, 4.0], [0, 0, 0, 0], 0.0)
    await served.histogram(duration, MS + 60_000, [1.0, 2.0, 4.0], [0, 10, 0, 0], 15.0)
    fields = {"query": f"histogram_quantile(0.5, sum by (le) (rate({metric}_bucket[5m])))", "time": T0 + 60}
    assert answered(service, "query", **fields)["result"] == [{"metric": {}, "value": [T0 + 60, "1.5"]}]


async def test_grafana_finds_metrics_labels_and_metadata(service: Service, served: Writer) -> None:
    metric = unique("etch_rate")
    await served.gauge(metric, (MS, 1.0), tool="a", lot="l1")
    await served.gauge(metric, (MS, 1.0), tool="b")
    await served.series(unique("other"), "counter", "By", "What was etched", tool="z")
    match = {"match[]": metric, "start": T0 - 10, "end": T0 + 10}

    def get(path: str, **fields: Any) -> Any:
        return service.http.get(f"/api/v1/{path}", params=fields).json()

    assert get("label/__name__/values", **match)["data"] == [metric]
    assert get("label/tool/values", **match)["data"] == ["a", "b"]
    assert get("label/tool/values", **match, limit=1) == {
        "status": "success",
        "data": ["a"],
        "warnings": ["results truncated due to limit"],
    }
    assert answered(service, "labels", **match) == ["__name__", "lot", "tool"]
    assert answered(service, "series", **match) == [
        {"__name__": metric, "tool": "b"},
        {"__name__": metric, "lot": "l1", "tool": "a"},
    ]
    union = {"match[]": [f'{metric}{{tool="a"}}', f'{metric}{{lot=""}}', metric]}
    assert len(answered(service, "series", **union)) == 2
    assert get("label/never_seen/values")["data"] == []
    assert get("label/U__tool/values", **match)["data"] == ["a", "b"]
    assert metric in get("label/__name__/values")["data"]


def test_an_answer_shows_ten_annotations_of_a_kind(service: Service) -> None:
    fields = {"query": "quantile_over_time(time(), vector(1)[1m:])", "start": T0, "end": T0 + 11, "step": 1}
    answer = service.http.get("/api/v1/query_range", params=fields).json()
    assert answer["warnings"][0].startswith("PromQL warning: quantile value should be between 0 and 1, got 1.8e+09")
    assert answer["warnings"][10:] == ["2 more warning annotations omitted"]


@pytest.mark.parametrize(
    ("path", "suffix", "fields"),
    [("query_range", "", {"start": T0, "end": T0, "step": 15}), ("query", "[1m]", {"time": T0})],
)
async def test_a_limit_keeps_the_first_series_of_a_matrix_by_labels(
    service: Service, served: Writer, path: str, suffix: str, fields: dict[str, Any]
) -> None:
    metric = unique("limited")
    for value, tool in enumerate("cab"):
        await served.gauge(metric, (MS - 1000 - value, 7.0), (MS, float(value)), tool=tool)
    answer = service.http.get(f"/api/v1/{path}", params={"query": metric + suffix, "limit": 2, **fields}).json()
    assert answer["warnings"] == ["results truncated due to limit"]
    found = [(series["metric"]["tool"], series["values"][-1][1]) for series in answer["data"]["result"]]
    assert found == [("a", "1"), ("b", "2")]
    lengths = {len(series["values"]) for series in answer["data"]["result"]}
    assert lengths == {2 if suffix else 1}


async def test_metadata_tells_type_unit_and_help(service: Service, served: Writer) -> None:
    metric = unique("etched_bytes_total")
    await served.series(metric, "counter", "By", "What was etched")
    expected = {metric: [{"type": "counter", "unit": "By", "help": "What was etched"}]}
    assert service.http.get("/api/v1/metadata", params={"metric": metric}).json()["data"] == expected
    assert len(service.http.get("/api/v1/metadata", params={"limit": 1}).json()["data"]) == 1
    assert service.http.get("/api/v1/metadata", params={"metric": "never seen"}).json()["data"] == {}


def test_buildinfo_looks_like_prometheus_3(service: Service) -> None:
    answer = service.http.get("/api/v1/status/buildinfo").json()
    assert answer["data"]["version"].startswith("3.")


async def test_large_answers_are_compressed_for_those_who_accept_it(service: Service, served: Writer) -> None:
    metric = unique("many")
    for number in range(30):
        await served.gauge(metric, (MS, number), tool=f"tool-{number}")
    fields = {"query": metric, "time": T0}
    with service.http.stream("GET", "/api/v1/query", params=fields, headers={"Accept-Encoding": "gzip"}) as answer:
        raw = b"".join(answer.iter_raw())
    assert answer.headers["content-encoding"] == "gzip"
    plain = service.http.get("/api/v1/query", params=fields, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert gzip.decompress(raw) == plain.content


def test_any_origin_may_ask(service: Service) -> None:
    answer = service.http.get("/api/v1/query", params={"query": "1"}, headers={"Origin": "http://grafana.example"})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["vary"] == "Accept-Encoding, Origin"
    preflight = service.http.options("/api/v1/query_range", headers={"Origin": "http://grafana.example"})
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-methods"] == "GET, POST, OPTIONS"


@pytest.mark.parametrize(
    ("path", "fields", "status", "kind", "message"),
    [
        ("query", {"query": "sum("}, 400, "bad_data", 'invalid parameter "query": 1:5: parse error: '),
        ("query", {}, 400, "bad_data", 'invalid parameter "query": '),
        ("query", {"query": "1", "time": "x"}, 400, "bad_data",
         'invalid parameter "time": invalid time value for \'time\': cannot parse "x" to a valid timestamp'),
        ("query", {"query": "1", "timeout": "x"}, 400, "bad_data",
         'invalid parameter "timeout": cannot parse "x" to a valid duration'),
        ("query", {"query": "1", "limit": "-1"}, 400, "bad_data",
         'invalid parameter "limit": limit must be non-negative'),
        ("query", {"query": "1", "lookback_delta": "x"}, 400, "bad_data",
         'error parsing lookback delta duration: cannot parse "x" to a valid duration'),
        ("query_range", {"query": "1"}, 400, "bad_data",
         'invalid parameter "start": cannot parse "" to a valid timestamp'),
        ("query_range", {"query": "1", "start": 2, "end": 1, "step": 1}, 400, "bad_data",
         'invalid parameter "end": end timestamp must not be before start time'),
        ("query_range", {"query": "1", "start": 1, "end": 2, "step": 0}, 400, "bad_data",
         'invalid parameter "step": zero or negative query resolution step widths are not accepted.'),
        ("query_range", {"query": "1", "start": 1, "end": 1e9, "step": 1}, 400, "bad_data",
         "exceeded maximum resolution of 11,000 points per timeseries."),
        ("query", {"query": "1", "timeout": "0.000001"}, 503, "timeout", "query timed out in "),
        ("series", {}, 400, "bad_data", "no match[] parameter provided"),
        ("series", {"match[]": "sum(up)"}, 400, "bad_data", ""),
        ("series", {"match[]": "{"}, 400, "bad_data", ""),
        ("labels", {"match[]": '{x=~"("}'}, 400, "bad_data", ""),
        ("nothing", {}, 404, "not_found", "Not Found"),
    ],
)  # fmt: skip
def test_errors_are_prometheus_s(  # noqa: PLR0917 - a row of the table
    service: Service, path: str, fields: dict[str, Any], status: int, kind: str, message: str
) -> None:
    answer = service.http.post(f"/api/v1/{path}", data=fields)
    body = answer.json()
    assert (answer.status_code, body["status"], body["errorType"]) == (status, "error", kind), body
    assert body["error"].startswith(message), body
    assert answer.headers["content-type"] == "application/json"


async def test_what_cannot_be_joined_is_an_execution_error(service: Service, served: Writer) -> None:
    metric = unique("x")
    await served.gauge(metric, (MS, 1.0), tool="a")
    await served.gauge(metric, (MS, 1.0), tool="b")
    answer = service.http.post("/api/v1/query", data={"query": f"{metric} + on() {metric}", "time": T0})
    assert (answer.status_code, answer.json()["errorType"]) == (422, "execution")


def test_bad_input_is_never_a_fault_of_ours(service: Service) -> None:
    dice = random.Random(4)
    words = [
        *(
            "sum",
            "rate",
            "x",
            "(",
            ")",
            "[5m]",
            "{a=~",
            '".*"',
            "}",
            "by",
            "offset",
            "@",
            "1e400",
            "-",
            "5m",
            '"',
            "é",
            "\x00",
        ),
        *("NaN", "Inf", "-1", "9" * 400, "0x1p-3", "2026-13-45T00:00:00Z", "0001-01-01T00:00:00+23:00", "1y", "%", ";"),
    ]
    names = ["query", "time", "start", "end", "step", "timeout", "limit", "lookback_delta", "match[]", "metric"]
    paths = ["query", "query_range", "series", "labels", "metadata", "label/a%00%2Fb/values", "label/U___d800_/values"]

    def ask(_: int) -> int:
        fields = {name: "".join(dice.choices(words, k=dice.randint(0, 4))) for name in dice.sample(names, 5)}
        path = dice.choice(paths)
        answer = service.http.request(
            "POST" if "/" not in path and path != "metadata" and dice.random() < 0.5 else "GET",
            f"/api/v1/{path}",
            **({"data": fields} if dice.random() < 0.5 else {"params": fields}),
        )
        assert answer.json()["status"] in {"success", "error"}
        assert answer.status_code in {200, 400, 404, 422, 503}, (path, fields, answer.text)
        return answer.status_code

    assert {200, 400} <= {ask(number) for number in range(300)}


@pytest.mark.parametrize(
    "body", [b"query=%ff%fe", b"query=%", b"&&&=;", b"query=" + b"(" * 900_000, b"query=1&" * 20_000, b"x" * 2_000_000]
)
def test_broken_forms_are_refused_quickly(service: Service, body: bytes) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = service.http.post("/api/v1/query", content=body, headers=headers, timeout=10)
    assert (answer.status_code, answer.json()["errorType"]) == (400, "bad_data")


async def test_many_queries_at_once_all_answer(service: Service, served: Writer) -> None:
    metric = unique("busy")
    await served.gauge(metric, *((MS + i * 1000, float(i)) for i in range(600)))

    def ask(number: int) -> Any:
        return answered(service, "query", query=f"{metric} * {number}", time=T0 + 10)["result"][0]["value"][1]

    with ThreadPoolExecutor(16) as executor:
        assert list(executor.map(ask, range(64))) == [str(10 * number) for number in range(64)]


def test_an_expression_is_laid_out_and_told_as_a_tree(service: Service) -> None:
    assert answered(service, "format_query", query="sum  by(tool)( rate(x[5m]) )") == "sum by (tool) (rate(x[5m]))"
    tree = answered(service, "parse_query", query="-x")
    assert (tree["type"], tree["op"], tree["expr"]["name"]) == ("unaryExpr", "-", "x")
    for path in ("format_query", "parse_query"):
        refused = service.http.get(f"/api/v1/{path}", params={"query": "x +"})
        assert refused.status_code == 400
        assert refused.json()["error"] == 'invalid parameter "query": 1:4: parse error: unexpected end of input'
