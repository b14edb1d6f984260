"""`stats` beside an answer, as Prometheus tells it."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Service, Writer

T0 = 1_800_000_000
MS = T0 * 1000
TIMINGS = {
    "evalTotalTime",
    "resultSortTime",
    "queryPreparationTime",
    "innerEvalTime",
    "execQueueTime",
    "execTotalTime",
}


async def stored(served: Writer) -> str:
    metric = f"counted_{uuid.uuid4().hex[:8]}_total"
    for tool in "ab":
        await served.gauge(metric, *((MS + i * 15_000, float(i)) for i in range(41)), tool=tool)
    return metric


def body(service: Service, path: str, **fields: Any) -> Any:
    answer = service.http.post(f"/api/v1/{path}", data=fields)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_range_query_tells_timings_and_samples_of_each_step(service: Service, served: Writer) -> None:
    metric = await stored(served)
    fields = {"query": f"sum(rate({metric}[1m]))", "start": T0 + 60, "end": T0 + 180, "step": 60}
    data = body(service, "query_range", **fields, stats="all")["data"]
    stats = data.pop("stats")
    assert data == body(service, "query_range", **fields)["data"]
    assert set(stats["timings"]) == TIMINGS
    assert stats["timings"]["execTotalTime"] >= stats["timings"]["evalTotalTime"] > 0
    assert stats["samples"] == {
        "totalQueryableSamples": 24,
        "totalQueryableSamplesPerStep": [[T0 + 60, 8], [T0 + 120, 8], [T0 + 180, 8]],
        "samplesRead": 24,
        "samplesReadPerStep": [[T0 + 60, 8], [T0 + 120, 8], [T0 + 180, 8]],
        "seriesTouched": 2,
        "peakSamples": stats["samples"]["peakSamples"],
    }


async def test_an_instant_query_tells_totals_alone(service: Service, served: Writer) -> None:
    metric = await stored(served)
    answer = body(service, "query", query=f"{metric}[2m]", time=T0 + 300, stats="true")
    assert answer["data"]["stats"]["samples"] == {
        "totalQueryableSamples": 16,
        "samplesRead": 16,
        "seriesTouched": 2,
        "peakSamples": answer["data"]["stats"]["samples"]["peakSamples"],
    }
    assert "warnings" not in answer


@pytest.mark.parametrize("asked", ["1", "yes"])
def test_any_other_word_counts_as_true_with_a_warning(service: Service, asked: str) -> None:
    answer = body(service, "query", query="1", stats=asked)
    assert "totalQueryableSamplesPerStep" not in answer["data"]["stats"]["samples"]
    (warning,) = answer["warnings"]
    assert warning.startswith(f'value "{asked}" for parameter "stats" is deprecated')
    assert "stats" not in body(service, "query", query="1", stats="")["data"]
