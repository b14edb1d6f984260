"""A job may end anywhere: in a signal handler or the garbage collector, amid what the wrapper does in that thread."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import waferscope
from waferscope import semconv
from waferscope._internal import guard, metrics, process, run


def _in_time(work: Callable[[], Any]) -> None:
    """Run it in a thread that may hang."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(20)
    assert not thread.is_alive(), "it waits for itself"


@waferscope.job("abandoned")
def _numbers() -> Iterator[int]:
    yield 1
    yield 2


def test_the_collector_may_end_a_job_amid_a_heartbeat(telemetry: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = process.current()
    assert runtime is not None
    event = run.Run._event

    def collecting(self: run.Run, elapsed: int, more: Any) -> Any:
        gc.collect()
        return event(self, elapsed, more)

    def work() -> None:
        with waferscope.job("lot"):
            numbers = _numbers()
            next(numbers)
            cycle = [numbers]
            cycle.append(cycle)
            del numbers, cycle
            monkeypatch.setattr(run.Run, "_event", collecting)
            runtime._next_beat = 0.0
            runtime._tick()
            monkeypatch.setattr(run.Run, "_event", event)

    _in_time(work)
    ends = [said["wafer.job.name"] for name, said in telemetry.events() if name == "wafer.job.ended"]
    assert sorted(ends) == ["abandoned", "lot"]


def test_a_measurement_amid_their_adding_up_waits_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_PENDING", 10)
    meter = metrics.Meter()
    add, inner = metrics.State.add, iter(range(100))

    def adding(self: metrics.State, measured: metrics.Measurement, boundaries: tuple[float, ...]) -> None:
        add(self, measured, boundaries)
        for _ in inner:
            meter.record(semconv.METRIC_WAFER_STEP_DURATION, 0.5, ())

    monkeypatch.setattr(metrics.State, "add", adding)
    taken: list[Any] = []

    def work() -> None:
        meter.record(semconv.METRIC_WAFER_STEP_DURATION, 0.5, ())
        taken.append(meter.take())
        taken.append(meter.take())

    _in_time(work)
    assert [delta.metrics[0].states[()].count for delta in taken] == [1, 100]


def test_a_signal_handler_may_run_jobs_amid_those_of_the_main_thread(receiver: Any, run: Any) -> None:
    script = """
        import faulthandler, signal, waferscope
        faulthandler.dump_traceback_later(30, exit=True)
        handled = 0
        def handler(*_):
            global handled
            with waferscope.job("handler") as job, job.step("inside"):
                handled += 1
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        while handled < 300:
            with waferscope.job("main") as job, job.step("fit"):
                pass
        signal.setitimer(signal.ITIMER_REAL, 0)
        print(waferscope.flush(20))
    """
    ended = run(script, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, OTEL_BLRP_SCHEDULE_DELAY="1")
    assert (ended.code, ended.out, ended.err) == (0, "True\n", "")
    names = [name for name, _ in receiver.events()]
    assert names.count("wafer.job.started") == names.count("wafer.job.ended")


def test_the_exporting_thread_does_not_wait_for_itself(telemetry: Any) -> None:
    del telemetry
    runtime = process.current()
    assert runtime is not None
    guard.FLUSH.reset()
    asked: list[bool] = []
    exports = runtime._exports
    exports._work = lambda: asked.append(exports.ask().wait(20))
    exports.wake()
    assert runtime.flush(20)
    exports.wake()
    assert waferscope.flush(20)
    assert all(asked)
