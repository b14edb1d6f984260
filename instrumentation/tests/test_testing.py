"""What job authors assert in their own tests."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

import waferscope
from waferscope._internal import context, process
from waferscope.compat import AppRef, Monitored
from waferscope.testing import Telemetry, capture


def _fit(lot: str, telemetry: Telemetry) -> None:
    with waferscope.job("overlay-fit", lot=lot, equipment="OVL-02") as job:
        for wafer in job.track(range(3)):
            with job.step("regress", wafer=wafer):
                telemetry.clock.advance(2)
        job.record("overlay.x", 1.5, "nm")
        job.log("done", wafers=3)


def test_a_job_is_seen_with_its_steps_and_times(wafer_telemetry: Telemetry) -> None:
    _fit("LOT-4711", wafer_telemetry)
    job = wafer_telemetry.job("overlay-fit")
    assert (job.result, job.error_type, job.reason, job.progress) == ("success", None, None, (3, 3))
    assert job.attributes["wafer.lot.id"] == "LOT-4711"
    assert [(step.name, step.index, step.result, step.duration_s) for step in job.steps] == [
        ("regress", index, "success", 2.0) for index in range(3)
    ]
    assert job.span is not None
    assert job.span.end_time - job.span.start_time == 6e9
    assert [event.name for event in job.events] == ["wafer.job.started", "wafer.job.ended"]
    assert [(log.message, log.attributes["wafer.job.id"]) for log in wafer_telemetry.logs] == [("done", job.id)]


def test_metrics_are_added_up(wafer_telemetry: Telemetry) -> None:
    for _ in range(2):
        _fit("LOT-4711", wafer_telemetry)
        assert wafer_telemetry.metric("wafer.job.duration", wafer_job_result="success").max == 6.0
    steps = wafer_telemetry.metric("wafer.step.duration", wafer_step_name="regress")
    assert (steps.count, steps.sum, steps.unit) == (6, 12.0, "s")
    assert wafer_telemetry.metric("overlay.x").unit == "nm"


def test_ids_and_times_repeat() -> None:
    def seen() -> list[object]:
        with capture() as telemetry:
            _fit("L", telemetry)
            return [telemetry.events, [span.context for span in telemetry.spans]]

    assert seen() == seen()


def test_a_job_that_runs_beats_when_asked(wafer_telemetry: Telemetry) -> None:
    with waferscope.job("overlay-fit") as job:
        job.progress(1, 4)
        wafer_telemetry.clock.advance(10)
        wafer_telemetry.heartbeat()
        seen = wafer_telemetry.job("overlay-fit")
        assert (seen.result, seen.span, seen.progress) == (None, None, (1, 4))
        assert seen.attributes["wafer.job.elapsed"] == 10.0


def test_wrong_arguments_raise_at_the_call(wafer_telemetry: Telemetry) -> None:
    with pytest.raises(waferscope.UsageError, match="attempt"):
        waferscope.job("overlay-fit", attempt=0)
    with pytest.raises(waferscope.UsageError, match="service"):
        waferscope.configure(service=5)
    assert wafer_telemetry.events == []


def test_what_is_missing_is_named(wafer_telemetry: Telemetry) -> None:
    _fit("L", wafer_telemetry)
    with pytest.raises(AssertionError, match=r"0 runs of the job 'overlay'.*jobs: overlay-fit"):
        wafer_telemetry.job("overlay")
    with pytest.raises(AssertionError, match=r"0 series of 'overlay\.y'.*metrics: overlay\.x, wafer\.job"):
        wafer_telemetry.metric("overlay.y")


@pytest.mark.usefixtures("telemetry")
def test_what_was_before_is_there_afterwards() -> None:
    before = process.current()
    with capture():
        assert process.current() is not before
    assert process.current() is before


def test_neither_configure_nor_the_predecessors_jobs_escape(wafer_telemetry: Telemetry) -> None:
    waferscope.configure(service="mine", endpoint="http://127.0.0.1:9", strict=False)
    with waferscope.job("overlay-fit"), Monitored("fab9", AppRef(UUID(int=1), "old", "1"), "job"):
        pass
    assert [job.name for job in wafer_telemetry.jobs] == ["overlay-fit", "old"]
    with pytest.raises(waferscope.UsageError):
        waferscope.job("overlay-fit", attempt=0)


@pytest.mark.parametrize(
    "env",
    [
        {"OTEL_SDK_DISABLED": "true"},
        {"OTEL_TRACES_SAMPLER": "always_off"},
        {"TRACEPARENT": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", "BAGGAGE": "wafer.job.id=J"},
        {"WAFERSCOPE_GC_PAUSES": "true"},
    ],
    ids=lambda env: next(iter(env)),
)
def test_all_is_captured_whatever_the_environment_says(run: Any, env: dict[str, str]) -> None:
    script = """
        import os, waferscope
        from waferscope.testing import capture
        before = dict(os.environ)
        with capture() as telemetry, waferscope.job("overlay-fit") as job:
            with job.step("regress"):
                pass
            job.record("overlay.x", 1.5, "nm")
        assert dict(os.environ) == before
        job = telemetry.job("overlay-fit")
        print([step.name for step in job.steps], job.span.parent, job.parent_id, telemetry.metric("overlay.x").count)
        print(sorted(name for name in job.attributes if "gc" in name))
    """
    ended = run(script, **env)
    assert (ended.code, ended.out, ended.err) == (0, "['regress'] None None 1\n[]\n", "")


@pytest.mark.usefixtures("telemetry")
def test_a_job_left_open_is_none_of_the_next_captures() -> None:
    before = context.current()
    with capture() as first:
        left = waferscope.job("open")
        left.__enter__()
    assert context.current() is before
    with capture() as second:
        assert waferscope.current_job().name == "unknown"
        with waferscope.job("next"):
            pass
        left.__exit__(None, None, None)
        assert [(job.name, job.parent_id) for job in second.jobs] == [("next", None)]
    assert first.job("open").result == "success"


def test_the_time_in_the_queue_is_by_the_captures_clock(wafer_telemetry: Telemetry) -> None:
    with waferscope.job("overlay-fit", queued_at=wafer_telemetry.clock.now() - 60):
        pass
    assert wafer_telemetry.job("overlay-fit").attributes["wafer.job.queue.time"] == 60.0


def test_clear_forgets(wafer_telemetry: Telemetry) -> None:
    _fit("L", wafer_telemetry)
    wafer_telemetry.clear()
    assert (wafer_telemetry.events, wafer_telemetry.spans, wafer_telemetry.metrics) == ([], [], [])
