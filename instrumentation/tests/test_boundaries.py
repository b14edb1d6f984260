"""A fault at every boundary: counted, told once in the log, and nothing changes for the host."""

from __future__ import annotations

import contextlib
import contextvars
import logging
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from opentelemetry.sdk import trace as sdk_trace

import waferscope
from waferscope._internal import (
    api,
    arguments,
    carry,
    clock,
    context,
    correlation,
    delivery,
    fab,
    guard,
    ids,
    job,
    log_export,
    measurements,
    metrics,
    process,
    records,
    run,
    severity,
    spec,
    step,
    termination,
    usage,
)


class BrokenError(Exception):
    pass


def _broken(*_: Any, **__: Any) -> Any:
    raise BrokenError


class _Terminal:
    """Stands for a standard error that is a terminal, and breaks when it is written to."""

    isatty = staticmethod(lambda: True)
    write = flush = staticmethod(_broken)


def _work() -> list[Any]:
    """Do a bit of everything; give what the host sees of it."""
    seen: list[Any] = []
    with waferscope.job("lot", lot="L", equipment="E", extra=object()) as outer, outer.step("fit", number=1):
        outer.progress(1, 2)
        outer.log("fitting", "warning")
        outer.record("overlay.x", 1.5, "nm")
        waferscope.equipment("E").state("PRD")
        seen.append(list(outer.track([1, 2, 3])))
        with waferscope.job("wafer"), waferscope.step("inner"):
            seen.append(waferscope.carry(len)("abc"))
        logging.getLogger("host").warning("said by the host")
    seen.append(isinstance(waferscope.environment(), dict))
    return seen


def _beat() -> list[Any]:
    with waferscope.job("lot"):
        runtime = process.current()
        if runtime is not None:
            runtime._next_beat = 0.0
            runtime._tick()
    return []


def _look() -> list[Any]:
    runtime = process.current()
    if runtime is not None and isinstance(runtime.probe, usage.Process):
        runtime.probe._read_at = 0.0
    return _work()


def _background() -> list[Any]:
    """Leave the exporting thread some work, and wait until it was at it."""
    with waferscope.job("lot"):
        pass
    runtime = process.current()
    if runtime is not None:
        runtime.flush(10)
        runtime._exports.wake()
        runtime._exports._asked.put(None)  # the thread is amid its round when it has taken the second one
        while not runtime._exports._asked.empty():
            os.sched_yield()
        runtime.flush(10)
    return []


def _flush() -> list[Any]:
    waferscope.flush(10)
    return _work()


def _watch() -> list[Any]:
    process._process.termination.watch()
    return []


def _configure() -> list[Any]:
    waferscope.configure(site="fab1")
    return _work()


def _fork_hooks() -> list[Any]:
    process._process.before_fork()
    process._process.after_fork_in_parent()
    return []


@dataclass(frozen=True)
class Fault:
    """What is broken, by replacing an attribute; in which boundary that shows; what the host does meanwhile."""

    boundary: guard.Boundary
    target: Any
    name: str
    work: Callable[[], list[Any]] = _work
    stand_in: Any = _broken

    def __str__(self) -> str:
        return f"{self.boundary.name}: {getattr(self.target, '__name__', self.target)}.{self.name}"


FAULTS = (
    Fault(guard.ARGUMENTS, spec.Arguments, "check"),
    Fault(guard.ARGUMENTS, spec.Arguments, "is_dynamic"),
    Fault(guard.ARGUMENTS, arguments, "identifier"),
    Fault(guard.ARGUMENTS, arguments, "attributes"),
    Fault(guard.ARGUMENTS, arguments, "number"),
    Fault(guard.CONFIGURE, api, "load", _configure),
    Fault(guard.CONFIGURE, process, "Runtime", _configure),
    Fault(guard.CONFIGURE, correlation, "install", _configure),
    Fault(guard.CONFIGURE, log_export, "install", _configure),
    Fault(guard.JOB, run.Run, "start"),
    Fault(guard.JOB, run.Run, "__init__"),
    Fault(guard.JOB, run.Run, "end"),
    Fault(guard.JOB, job.process, "current"),
    Fault(guard.STEP, run.Run, "enter_step"),
    Fault(guard.STEP, run.Run, "leave_step"),
    Fault(guard.STEP, step.outcome, "of"),
    Fault(guard.CLOCK, clock, "wall"),
    Fault(guard.CLOCK, clock, "ticks"),
    Fault(guard.CLOCK, clock, "wall", stand_in=lambda: None),
    Fault(guard.CLOCK, clock, "ticks", stand_in=lambda: "late"),
    Fault(guard.CLOCK, clock, "wall", stand_in=lambda: float("nan")),
    Fault(guard.IDS, ids, "_random"),
    Fault(guard.CONTEXT, context, "current"),
    Fault(guard.CONTEXT, context, "with_job"),
    Fault(guard.CONTEXT, context, "with_step"),
    Fault(guard.CONTEXT, context, "attach"),
    Fault(guard.CONTEXT, context, "detach"),
    Fault(guard.CONTEXT, carry, "Carried"),
    Fault(guard.SPAN, sdk_trace.Tracer, "start_span"),
    Fault(guard.SPAN, sdk_trace.Span, "end"),
    Fault(guard.SPAN, sdk_trace.Span, "set_attributes"),
    Fault(guard.SPAN, sdk_trace.Span, "set_attribute"),
    Fault(guard.EVENT, fab, "_tell"),
    Fault(guard.EVENT, records.Record, "to_sdk", _flush),
    Fault(guard.LOG, severity, "of"),
    Fault(guard.LOG, context, "job_of"),
    Fault(guard.METRIC, metrics.Meter, "record"),
    Fault(guard.METRIC, measurements, "metric"),
    Fault(guard.USAGE, usage, "getrusage"),
    Fault(guard.USAGE, usage.Children, "look", _look),
    Fault(guard.USAGE, usage, "monotonic"),
    Fault(guard.HEARTBEAT, run.Run, "sample", _beat),
    Fault(guard.HEARTBEAT, run.Run, "beat", _beat),
    Fault(guard.BACKGROUND, metrics.Meter, "fold", _background),
    Fault(guard.EXPORT, delivery.Exported, "_fill", _flush),
    Fault(guard.EXPORT, delivery.Exported, "_deliver", _flush),
    Fault(guard.FLUSH, process, "flush", _flush),
    Fault(guard.FORK, termination.Termination, "pause", _fork_hooks),
    Fault(guard.FORK, termination.Termination, "go_on", _fork_hooks),
    Fault(guard.SIGNAL, termination, "_can_watch", _watch),
    Fault(guard.SIGNAL, termination, "_has_default_action", _watch),
    Fault(guard.SIGNAL, termination, "_connected", _watch),
    Fault(guard.TERMINAL, sys, "stderr", stand_in=_Terminal()),
)


def _raised(error: BaseException) -> tuple[Any, ...]:
    """Raise from within jobs and steps; give what the host sees of it."""
    with (
        pytest.raises(BaseException) as caught,  # noqa: PT011 - the very same one, whatever it is
        waferscope.job("lot") as outer,
        outer.step("fit"),
        waferscope.job("wafer"),
    ):
        raise error
    assert caught.value is error
    return error.__cause__, error.__context__, traceback.extract_tb(error.__traceback__)[-1].line


@pytest.fixture
def exporting(monkeypatch: pytest.MonkeyPatch, receiver: Any, telemetry: Any) -> Iterator[None]:
    """A configured wrapper that delivers metrics by an exporter of its own."""
    del telemetry
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "otlp")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    waferscope.configure(export_logs="warning")
    yield
    waferscope.flush(5)  # while the receiver is there
    process.replace(None)
    process._process.retired.clear()  # with those jobs whose end was broken


@pytest.mark.usefixtures("exporting")
@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_fault_is_counted_told_once_and_changes_nothing(
    fault: Fault, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def host() -> list[Any]:
        errors = (ValueError("bad wafer"), KeyboardInterrupt(), SystemExit(3))
        return [fault.work(), fault.work(), *map(_raised, errors)]

    expected = contextvars.copy_context().run(host)
    process._process.termination.renew()
    for boundary in guard.BOUNDARIES:
        boundary.reset()
    caplog.clear()
    with monkeypatch.context() as patched:
        patched.setattr(fault.target, fault.name, fault.stand_in)
        assert contextvars.copy_context().run(host) == expected
    assert fault.boundary.failures > 0
    told = [record.getMessage() for record in caplog.records if record.name == "waferscope"]
    assert told
    assert len(told) == len(set(told))


def test_every_boundary_has_a_fault() -> None:
    assert {fault.boundary.name for fault in FAULTS} == {boundary.name for boundary in guard.BOUNDARIES}


def test_every_boundary_is_enumerated() -> None:
    made = {boundary for boundary in vars(guard).values() if isinstance(boundary, guard.Boundary)}
    assert made == set(guard.BOUNDARIES)


@pytest.mark.usefixtures("telemetry")
def test_a_broken_log_of_the_host_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("waferscope"), "warning", _broken)
    monkeypatch.setattr(clock, "wall", _broken)
    assert _work() == [[1, 2, 3], 3, True]


@pytest.mark.parametrize(("read", "given"), [(-5, 0), (2**63, 0), (7, 7), (7.9, 7), ("7", 7)])
def test_a_time_that_the_site_can_not_store_is_none(monkeypatch: pytest.MonkeyPatch, read: Any, given: int) -> None:
    monkeypatch.setattr(clock, "wall", lambda: read)
    assert clock.now() == given
    assert len(ids.new_job_id()) == 36


def test_a_clock_that_goes_backwards_gives_no_negative_duration(
    telemetry: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticking = iter(range(10**12, 0, -(10**9)))
    monkeypatch.setattr(clock, "ticks", lambda: next(ticking))
    with waferscope.job("lot") as job_, job_.step("fit"):
        pass
    assert all(span.end_time >= span.start_time for span in telemetry.spans())
    measured = telemetry.metrics()
    for name in ("wafer.job.duration", "wafer.step.duration"):
        assert [state.min for state in measured[name].values()] == [0]


@pytest.mark.usefixtures("telemetry")
def test_what_is_raised_amid_a_beginning_passes_and_leaves_no_job_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal handler of the host's may raise anywhere, also between two lines of the wrapper."""
    started = run.Run.start

    def interrupted(self: run.Run, made: Any) -> None:
        started(self, made)
        raise KeyboardInterrupt

    monkeypatch.setattr(run.Run, "start", interrupted)
    with pytest.raises(KeyboardInterrupt), waferscope.job("lot"):
        pytest.fail("the block of a job that did not begin is not entered")
    runtime = process.current()
    assert runtime is not None
    assert runtime.active == {}
    with contextlib.suppress(KeyboardInterrupt):
        waferscope.job("lot").__enter__()
    assert not isinstance(waferscope.current_job(), run.Run)
    assert context.job_of(context.current()) is None
