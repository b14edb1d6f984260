"""Measurements of the process: histograms by names that the author gives."""

from __future__ import annotations

from typing import Any

import pytest

import waferscope
from waferscope._internal import measurements


def test_a_measurement_has_the_labels_of_its_jobs_metrics_and_no_ids(telemetry: Any) -> None:
    with waferscope.job("overlay", lot="L", equipment="OVL-02", recipe="M1", substrate="S", shift="night") as job:
        for value in (-3.0, 0.0, 1.5, 4.0):
            job.record("overlay.offset", value, "nm")
    ((attributes, state),) = telemetry.metrics()["overlay.offset"].items()
    assert dict(attributes) == {
        "wafer.job.name": "overlay",
        "wafer.equipment.id": "OVL-02",
        "wafer.recipe.id": "M1",
    }
    assert (state.count, state.sum, state.min, state.max) == (4, 2.5, -3.0, 4.0)
    held = {bound: count for bound, count in zip(measurements.BUCKETS, state.buckets, strict=False) if count}
    assert held == {-2.0: 1, 0.0: 1, 2.0: 1, 5.0: 1}


def test_the_default_buckets_ascend_on_both_sides_of_zero() -> None:
    bounds = measurements.BUCKETS
    assert list(bounds) == sorted(set(bounds))
    assert [-bound for bound in reversed(bounds)] == list(bounds)
    assert (bounds[-1], min(bound for bound in bounds if bound > 0)) == (5e5, 1e-3)


def test_the_author_may_choose_the_buckets(telemetry: Any) -> None:
    with waferscope.job("overlay") as job:
        for value in (1, 2, 3):
            job.record("overlay.chosen", value, "nm", buckets=(1, 2))
    (state,) = telemetry.metrics()["overlay.chosen"].values()
    assert state.buckets == [1, 1, 1]


def test_the_buckets_of_the_first_call_hold_whatever_later_ones_ask_for(telemetry: Any) -> None:
    with waferscope.job("overlay") as job:
        job.record("overlay.first", 1, "nm", buckets=(1, 2))
        job.record("overlay.first", 50, "nm", buckets=tuple(range(100)))
        job.record("overlay.first", 2, "nm")
        job.record("overlay.other", 1)
    metrics = telemetry.metrics()
    (state,) = metrics["overlay.first"].values()
    assert (state.buckets, state.count) == ([1, 1, 1], 3)
    assert "overlay.other" in metrics


@pytest.mark.parametrize("wrong", [{"name": "wafer.x"}, {"name": "µ"}, {"name": ""}, {"name": 7}, {"value": None}])
def test_what_can_be_no_measurement_is_left_out_and_nothing_else(telemetry: Any, wrong: dict[str, Any]) -> None:
    with waferscope.job("overlay") as job:
        job.record(**{"name": "overlay.x", "value": 1.0} | wrong)
        job.record("overlay.right", 1.0)
    names = set(telemetry.metrics())
    assert "overlay.right" in names
    assert not {name for name in names if name != "overlay.right" and not name.startswith("wafer.job.")}


def test_a_wrong_unit_is_none(receiver: Any, run: Any) -> None:
    ended = run(
        """
        import waferscope
        with waferscope.job("overlay") as job:
            job.record("overlay.x", 1.0, "µm")
            job.record("overlay.y", 1.0, "nm")
        """,
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
    )
    assert ended.code == 0
    units = {
        metric.name: metric.unit
        for message in receiver.messages("/v1/metrics")
        for metric in message.resource_metrics[0].scope_metrics[0].metrics
    }
    assert (units["overlay.x"], units["overlay.y"]) == ("1", "nm")


def test_outside_of_any_job_nothing_is_measured(telemetry: Any) -> None:
    waferscope.current_job().record("overlay.x", 1.0)
    assert telemetry.metrics() == {}
