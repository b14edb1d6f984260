"""From a point on a graph to its trace, and what the service tells of itself, as Grafana asks for it."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from waferscope_query.storage.reader import instant
from waferscope_schemas.partitioning import ensure

if TYPE_CHECKING:
    from conftest import Service, Writer

T0 = 1_800_000_000
MS = T0 * 1000
TRACE, SPAN = bytes(range(16)), bytes(range(8))


def unique(name: str) -> str:
    return f"{name}_{uuid.uuid4().hex[:8]}"


async def exemplar(served: Writer, series_id: int, ms: int, value: float) -> None:
    await ensure(served.connection, "exemplar", [instant(ms)])
    await served.connection.execute(
        "insert into wafer.exemplar values ($1, $2, $3, $4, $5, $6)",
        *(series_id, instant(ms), value, TRACE, SPAN, '{"chamber": "B"}'),
    )


def asked(service: Service, **fields: Any) -> Any:
    answer = service.http.post("/api/v1/query_exemplars", data={"start": T0, "end": T0 + 60, **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def told(value: str, at: float) -> dict[str, Any]:
    labels = {"chamber": "B", "trace_id": TRACE.hex(), "span_id": SPAN.hex()}
    return {"labels": labels, "value": value, "timestamp": at}


async def test_exemplars_of_all_selectors_of_an_expression_each_once(service: Service, served: Writer) -> None:
    metric = unique("errors_total")
    for tool in "ab":
        series_id = await served.series(metric, "counter", tool=tool)
        for at in (MS + 500, MS + 500, MS + 15_000, MS + 90_000):  # twice, for a request that came again
            await exemplar(served, series_id, at, 1.5)
    found = asked(service, query=f'rate({metric}[5m]) / {metric}{{tool="a"}}')
    assert found == [
        {
            "seriesLabels": {"__name__": metric, "tool": tool},
            "exemplars": [told("1.5", T0 + 0.5), told("1.5", T0 + 15)],
        }
        for tool in "ab"
    ]


async def test_exemplars_of_a_histogram_stand_in_the_bucket_they_fell_into(service: Service, served: Writer) -> None:
    metric = unique("duration_seconds")
    series_id = await served.series(metric, "histogram", tool="a")
    await served.histogram(series_id, MS, [1.0, 2.0], [1, 1, 1], 5.0)
    for second, value in enumerate((0.5, 2.0, 9.0)):
        await exemplar(served, series_id, MS + second * 1000, value)
    found = asked(service, query=f"histogram_quantile(0.9, rate({metric}_bucket[5m]))")
    assert {one["seriesLabels"]["le"]: one["exemplars"] for one in found} == {
        "1": [told("0.5", T0)],
        "2": [told("2", T0 + 1)],
        "+Inf": [told("9", T0 + 2)],
    }
    assert [one["seriesLabels"]["le"] for one in asked(service, query=f'{metric}_bucket{{le="2"}}')] == ["2"]


def test_an_expression_without_selectors_has_none(service: Service) -> None:
    assert asked(service, query="1 + 1") == []
    answer = service.http.get("/api/v1/query_exemplars", params={"query": "x", "start": 2, "end": 1})
    assert (answer.status_code, answer.json()["error"]) == (400, "end timestamp must not be before start timestamp")


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("targets", {"activeTargets": [], "droppedTargets": [], "droppedTargetCounts": {}}),
        ("targets/metadata", []),
        ("alertmanagers", {"activeAlertmanagers": [], "droppedAlertmanagers": []}),
        ("alerts", {"alerts": []}),
        ("rules", {"groups": []}),
        ("status/config", {"yaml": ""}),
    ],
)
def test_what_there_is_none_of_is_empty(service: Service, path: str, data: Any) -> None:
    assert service.http.get(f"/api/v1/{path}").json() == {"status": "success", "data": data}


async def test_series_are_counted_by_metric_and_label(service: Service, served: Writer) -> None:
    metric = unique("counted")
    for number in range(300):
        await served.series(metric, slot=f"{metric}_{number:03d}", tool=metric)
    found = service.http.get("/api/v1/status/tsdb", params={"limit": 1000}).json()["data"]
    assert found["headStats"]["numSeries"] >= 300
    assert {"name": metric, "value": 300} in found["seriesCountByMetricName"]
    assert {"name": f"tool={metric}", "value": 300} in found["seriesCountByLabelValuePair"]
    assert found["labelValueCountByLabelName"][0] == {"name": "slot", "value": 300}
    assert found["memoryInBytesByLabelName"][0] == {"name": "slot", "value": 300 * len(f"{metric}_000")}
    assert len(service.http.get("/api/v1/status/tsdb").json()["data"]["labelValueCountByLabelName"]) <= 10


def test_flags_and_runtime_are_told(service: Service) -> None:
    flags = service.http.get("/api/v1/status/flags").json()["data"]
    assert (flags["query.lookback-delta"], flags["web.enable-admin-api"]) == ("300s", "false")
    runtime = service.http.get("/api/v1/status/runtimeinfo").json()["data"]
    assert runtime["startTime"] <= runtime["serverTime"]
