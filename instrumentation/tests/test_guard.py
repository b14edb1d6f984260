"""What the boundaries let through, and what is corrected."""

from __future__ import annotations

import pytest

import waferscope
from waferscope._internal import guard, metrics, settings


def test_what_the_user_raises_through_a_boundary_passes() -> None:
    boundary = guard.Boundary("test")
    for kind in (KeyboardInterrupt, SystemExit, GeneratorExit):
        with pytest.raises(kind), boundary:
            raise kind
    assert boundary.failures == 0


@pytest.mark.parametrize("value", ["-1", "0", "soon", "nan", "inf"])
def test_an_unreadable_setting_is_told_and_replaced(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    guard.CONFIGURE.reset()
    monkeypatch.setenv("WAFERSCOPE_HEARTBEAT_INTERVAL", value)
    assert settings.load().heartbeat_interval == 10.0
    assert guard.CONFIGURE.failures == 1


def test_attribute_sets_beyond_the_limit_are_counted_together() -> None:
    meter = metrics.Meter()
    duration = waferscope.semconv.METRIC_WAFER_STEP_DURATION
    for number in range(2500):
        meter.record(duration, 0.5, (("wafer.step.name", f"wafer {number}"),))
    delta = meter.take()
    assert delta is not None
    states = delta.metrics[0].states
    assert len(states) == 2001
    assert states[metrics.OVERFLOW,].count == 500
    assert sum(state.count for state in states.values()) == 2500


def test_a_value_on_a_bound_falls_into_the_bucket_below() -> None:
    meter = metrics.Meter()
    duration = waferscope.semconv.METRIC_WAFER_STEP_DURATION
    for value in (0.01, 0.02, 1e9):
        meter.record(duration, value, ())
    delta = meter.take()
    assert delta is not None
    state = delta.metrics[0].states[()]
    assert (state.buckets[0], state.buckets[1], state.buckets[-1], state.min, state.max) == (1, 1, 1, 0.01, 1e9)
    assert meter.take() is None
