"""Faults at every boundary: the host's result and exceptions stay as they are."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import context as otel_context

import waferscope
from waferscope._internal import clock, context, guard, ids, metrics, process, records, run, settings, spec, usage


class BrokenError(Exception):
    pass


def _broken(*_: Any, **__: Any) -> Any:
    raise BrokenError


class _BrokenTracer:
    """Stands for a tracer whose every call fails."""

    start_span = _broken


BOUNDARIES = {
    "wall clock": (clock, "wall"),
    "monotonic clock": (clock, "ticks"),
    "ids": (ids, "_random"),
    "arguments": (spec.Arguments, "check"),
    "current context": (context, "current"),
    "context of a job": (context, "with_job"),
    "context of a step": (context, "with_step"),
    "attach": (context, "attach"),
    "detach": (context, "detach"),
    "links": (run.Run, "_links"),
    "getrusage": (usage, "getrusage"),
    "children": (usage.Children, "look"),
    "clock of memory": (usage, "monotonic"),
    "event": (records.Record, "__init__"),
    "metrics": (metrics.Meter, "record"),
    "beginning of a run": (run.Run, "start"),
    "end of a run": (run.Run, "end"),
    "beginning of a step": (run.Run, "enter_step"),
    "end of a step": (run.Run, "leave_step"),
}


def _work() -> int:
    with waferscope.job("overlay", lot="L", equipment="E") as made, made.step("fit"):
        made.progress(1, 2)
        return 42


def _fail() -> None:
    with waferscope.job("overlay") as made, made.step("fit"):
        raise ValueError("bad wafer")


@pytest.fixture(autouse=True)
def _own_context() -> Iterator[None]:
    """Give back the context that a broken `detach` leaves behind."""
    before = context.current()
    yield
    otel_context.attach(before)


@pytest.mark.usefixtures("telemetry")
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_a_fault_of_the_wrapper_is_counted_told_once_and_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, boundary: str
) -> None:
    target, name = BOUNDARIES[boundary]
    with monkeypatch.context() as patched, caplog.at_level(logging.WARNING, "waferscope"):
        patched.setattr(target, name, _broken)
        assert [_work(), _work()] == [42, 42]
        with pytest.raises(ValueError, match="bad wafer") as caught:
            _fail()
        assert caught.value.__context__ is None
    counted = [item for item in guard.BOUNDARIES if item.failures]
    assert counted
    told = [record for record in caplog.records if record.name == "waferscope"]
    assert len(told) == len(counted)
    assert _work() == 42


@pytest.mark.usefixtures("telemetry")
def test_a_broken_tracer_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process.current(), "tracer", _BrokenTracer())
    assert _work() == 42
    with pytest.raises(ValueError, match="bad wafer"):
        _fail()
    assert guard.SPAN.failures > 0


def test_what_the_user_raises_through_a_boundary_passes() -> None:
    boundary = guard.Boundary("test")
    for kind in (KeyboardInterrupt, SystemExit, GeneratorExit):
        with pytest.raises(kind), boundary:
            raise kind
    assert boundary.failures == 0


@pytest.mark.usefixtures("telemetry")
def test_a_broken_log_handler_of_the_host_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("waferscope"), "warning", _broken)
    monkeypatch.setattr(clock, "wall", _broken)
    assert _work() == 42


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
