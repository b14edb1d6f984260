from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import random
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry._logs import SeverityNumber
from opentelemetry.trace import StatusCode

import waferscope
from waferscope._internal import context, process
from waferscope._internal.usage import NOTHING, Memory

IDENTITY = {
    "lot": "wafer.lot.id",
    "equipment": "wafer.equipment.id",
    "recipe": "wafer.recipe.id",
    "recipe_version": "wafer.recipe.version",
    "carrier": "wafer.carrier.id",
    "substrate": "wafer.substrate.id",
    "module": "wafer.module.id",
    "operation": "wafer.operation.id",
}


def test_a_job_says_started_and_ended_with_its_whole_identity(telemetry: Any) -> None:
    with waferscope.job("overlay", **{key: f"{key}-1" for key in IDENTITY}, attempt=2, shift="night") as job:
        pass
    started, ended = telemetry.events()
    assert (started[0], ended[0]) == ("wafer.job.started", "wafer.job.ended")
    expected = {attribute: f"{key}-1" for key, attribute in IDENTITY.items()}
    expected |= {
        "wafer.job.id": job.id,
        "wafer.job.name": "overlay",
        "wafer.job.attempt": 2,
        "wafer.job.heartbeat.interval": 3600.0,
        "shift": "night",
    }
    assert started[1] == {**expected, "wafer.job.sequence": 0, "wafer.job.elapsed": 0.0}
    assert ended[1].items() >= {**expected, "wafer.job.sequence": 1, "wafer.job.result": "success"}.items()
    assert ended[1]["wafer.job.elapsed"] > 0
    assert ended[1]["wafer.job.memory.max"] >= ended[1]["wafer.job.memory.current"] > 1_000_000
    assert {"wafer.job.cpu.user", "wafer.job.cpu.system"} <= ended[1].keys()
    (span,) = telemetry.spans()
    assert span.name == "overlay"
    assert span.attributes.items() >= {**expected, "wafer.job.result": "success"}.items() - {
        ("wafer.job.heartbeat.interval", 3600.0)
    }


def test_events_carry_the_span_context_of_the_job(telemetry: Any) -> None:
    with waferscope.job("overlay"):
        pass
    (span,) = telemetry.spans()
    for record in telemetry.records():
        assert record.log_record.trace_id == span.context.trace_id
        assert record.log_record.span_id == span.context.span_id


def test_a_step_is_a_span_under_its_job(telemetry: Any) -> None:
    with waferscope.job("overlay", attempt=3) as job:
        with job.step("measure"):
            pass
        with job.step("fit", slot=7):
            pass
    measure, fit, whole = telemetry.spans()
    assert [measure.attributes["wafer.step.index"], fit.attributes["wafer.step.index"]] == [0, 1]
    assert dict(fit.attributes) == {
        "wafer.substrate.slot": 7,
        "wafer.job.id": job.id,
        "wafer.job.name": "overlay",
        "wafer.job.attempt": 3,
        "wafer.step.name": "fit",
        "wafer.step.index": 1,
        "wafer.step.result": "success",
    }
    assert fit.parent.span_id == measure.parent.span_id == whole.context.span_id


def test_a_step_in_another_thread_is_under_its_job(telemetry: Any) -> None:
    with waferscope.job("overlay") as job, concurrent.futures.ThreadPoolExecutor(1) as pool:
        pool.submit(job.step("fit")(lambda: None)).result()
    fit, whole = telemetry.spans()
    assert fit.parent.span_id == whole.context.span_id


def test_a_nested_job_names_its_parent(telemetry: Any) -> None:
    with waferscope.job("lot") as lot, waferscope.job("wafer") as wafer:
        assert waferscope.current_job() is wafer
    started = [attributes for name, attributes in telemetry.events() if name == "wafer.job.started"]
    assert "wafer.job.parent.id" not in started[0]
    assert started[1]["wafer.job.parent.id"] == lot.id
    inner, outer = telemetry.spans()
    assert inner.parent.span_id == outer.context.span_id


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")


@pytest.mark.parametrize(
    ("error", "result", "error_type", "message"),
    [
        (ValueError("bad wafer"), "failure", "ValueError", "bad wafer"),
        (UnprintableError(), "failure", f"{__name__}.UnprintableError", None),
        (SystemExit(3), "failure", "SystemExit", "3"),
        (SystemExit(0), "success", None, None),
        (SystemExit(), "success", None, None),
        (KeyboardInterrupt(), "cancellation", None, None),
        (asyncio.CancelledError(), "cancellation", None, None),
        (concurrent.futures.CancelledError(), "cancellation", None, None),
    ],
    ids=repr,
)
def test_what_is_raised_passes_unchanged_and_tells_the_result(
    telemetry: Any, error: BaseException, result: str, error_type: str | None, message: str | None
) -> None:
    with pytest.raises(type(error)) as caught, waferscope.job("overlay") as job, job.step("fit"):
        raise error
    assert caught.value is error
    assert error.__cause__ is None
    assert error.__context__ is None
    _, ended = telemetry.events()
    step, whole = telemetry.spans()
    assert ended[1]["wafer.job.result"] == whole.attributes["wafer.job.result"] == result
    assert step.attributes["wafer.step.result"] == result
    assert ended[1].get("error.type") == whole.attributes.get("error.type") == error_type
    assert ended[1].get("exception.message") == message
    failed = result == "failure"
    assert (whole.status.status_code is StatusCode.ERROR) is failed
    severity = telemetry.records()[-1].log_record.severity_number
    assert severity is (SeverityNumber.ERROR if failed else SeverityNumber.INFO)


def test_a_failure_is_an_exception_event_on_the_spans(telemetry: Any) -> None:
    with pytest.raises(ZeroDivisionError), waferscope.job("overlay") as job, job.step("fit"):
        _ = 1 / 0
    for span in telemetry.spans():
        (event,) = span.events
        assert event.name == "exception"
        assert event.attributes["exception.type"] == "ZeroDivisionError"
        assert span.start_time <= event.timestamp <= span.end_time


def test_metrics_have_few_attributes_and_no_ids(telemetry: Any) -> None:
    with waferscope.job("overlay", lot="L", equipment="OVL-02", recipe="M1", carrier="C", substrate="S") as job:
        with job.step("fit"):
            pass
        job.processed(2)
        job.processed()
    with pytest.raises(ZeroDivisionError), waferscope.job("overlay", equipment="OVL-02", recipe="M1"):
        _ = 1 / 0
    metrics = telemetry.metrics()
    base = {("wafer.job.name", "overlay"), ("wafer.equipment.id", "OVL-02"), ("wafer.recipe.id", "M1")}
    good = frozenset(base | {("wafer.job.result", "success")})
    bad = frozenset(base | {("wafer.job.result", "failure")})
    for name in ("wafer.job.duration", "wafer.job.memory.peak", "wafer.job.cpu.time"):
        assert metrics[name].keys() == {good, bad}
        assert metrics[name][good].count == 1
    assert metrics["wafer.job.errors"].keys() == {bad | {("error.type", "ZeroDivisionError")}}
    assert metrics["wafer.step.duration"].keys() == {good | {("wafer.step.name", "fit")}}
    assert metrics["wafer.substrate.processed"][good].sum == 3


def test_a_heartbeat_tells_progress_step_and_consumption(telemetry: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    current = process.current()
    assert current is not None
    monkeypatch.setattr(current.probe, "usage", lambda: NOTHING)  # no high-water mark that rises amid the test
    with waferscope.job("overlay") as job, job.step("fit"):
        job.progress(3, 25)
        job._running().sample(Memory(own=5_000_000_000_000))
        job._running().beat()
    _, beat, ended = telemetry.events()
    assert beat[0] == "wafer.job.heartbeat"
    assert (
        beat[1].items()
        >= {
            "wafer.job.sequence": 1,
            "wafer.job.progress.done": 3.0,
            "wafer.job.progress.total": 25.0,
            "wafer.step.name": "fit",
            "wafer.step.index": 0,
            "wafer.job.memory.max": 5_000_000_000_000,
        }.items()
    )
    assert ended[1]["wafer.job.sequence"] == 2
    assert ended[1]["wafer.job.memory.max"] == 5_000_000_000_000
    assert "wafer.step.name" not in ended[1]


def test_no_heartbeat_follows_the_end(telemetry: Any) -> None:
    with waferscope.job("overlay") as job:
        pass
    job._running().beat()
    assert [name for name, _ in telemetry.events()] == ["wafer.job.started", "wafer.job.ended"]


def test_peak_memory_between_heartbeats_is_seen(telemetry: Any) -> None:
    with waferscope.job("overlay"):
        block = bytearray(300_000_000)
        size = len(block)
        del block
    attributes = telemetry.events()[-1][1]
    assert attributes["wafer.job.memory.max"] >= size


def test_decorated_functions_keep_name_result_and_arguments(telemetry: Any) -> None:
    @waferscope.job("overlay", lot="L")
    def measure(slot: int, *, gain: float = 1.0) -> float:
        return fit(slot) * gain

    def fit(slot: int) -> int:
        return waferscope.current_job().step("fit")(lambda: slot + 1)()

    assert measure.__name__ == "measure"
    assert [measure(1), measure(2, gain=2.0)] == [2, 6.0]
    ids = {attributes["wafer.job.id"] for _, attributes in telemetry.events()}
    assert len(ids) == 2
    assert [span.name for span in telemetry.spans()] == ["fit", "overlay"] * 2


async def test_coroutines_are_observed_to_their_end(telemetry: Any) -> None:
    @waferscope.job("overlay")
    async def measure(slot: int) -> int:
        async with waferscope.current_job().step("fit"):
            await asyncio.sleep(0)
        return slot

    assert await asyncio.gather(*(measure(slot) for slot in range(3))) == [0, 1, 2]
    spans = telemetry.spans()
    jobs = {span.context.span_id: span.attributes["wafer.job.id"] for span in spans if span.name == "overlay"}
    steps = [span for span in spans if span.name == "fit"]
    assert len(jobs) == len(set(jobs.values())) == len(steps) == 3
    assert all(jobs[span.parent.span_id] == span.attributes["wafer.job.id"] for span in steps)


async def test_a_cancelled_task_is_a_cancelled_job(telemetry: Any) -> None:
    entered = asyncio.Event()

    async def work() -> None:
        async with waferscope.job("overlay"):
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert telemetry.events()[-1][1]["wafer.job.result"] == "cancellation"


def test_outside_of_any_job_nothing_is_recorded_and_nothing_breaks(telemetry: Any) -> None:
    job = waferscope.current_job()
    with job.step("fit"):
        job.progress(1)
        job.processed()
    assert telemetry.spans() == telemetry.events() == []


def test_a_job_of_another_thread_is_not_current_here(telemetry: Any) -> None:
    seen: list[waferscope.Job] = []
    with waferscope.job("overlay") as job:
        thread = threading.Thread(target=lambda: seen.append(waferscope.current_job()))
        thread.start()
        thread.join()
    assert seen != [job]
    assert len(telemetry.spans()) == 1


def test_a_job_entered_twice_is_recorded_once(telemetry: Any) -> None:
    job = waferscope.job("overlay")
    for _ in range(2):
        with job:
            pass
    assert len(telemetry.events()) == 2


def test_the_jobs_own_random_numbers_are_left_alone(telemetry: Any) -> None:
    random.seed(42)
    expected = [random.random() for _ in range(3)]
    random.seed(42)
    drawn = []
    ids = set()
    for _ in range(3):
        drawn.append(random.random())
        ids.add(waferscope.job("overlay").id)
    assert drawn == expected
    assert len(ids) == 3
    assert telemetry.spans() == []


def test_ids_are_uuids_that_sort_by_time() -> None:
    ids = [waferscope.job("overlay").id for _ in range(3)]
    assert all(len(item) == 36 and item[14] == "7" and item[19] in "89ab" for item in ids)
    assert [item[:13] for item in ids] == sorted(item[:13] for item in ids)


def test_a_given_id_is_kept_over_attempts(telemetry: Any) -> None:
    for attempt in (1, 2):
        with waferscope.job("overlay", id="J-1", attempt=attempt):
            pass
    assert {(said["wafer.job.id"], said["wafer.job.attempt"]) for _, said in telemetry.events()} == {
        ("J-1", 1),
        ("J-1", 2),
    }


def test_active_jobs_are_forgotten_when_they_end(telemetry: Any) -> None:
    current = process.current()
    assert current is not None
    with waferscope.job("overlay") as job:
        assert list(current.active.values()) == [job._running()]
    assert current.active == {}
    assert telemetry.events()


OF_ALL = {"cancel", "fail", "name", "skip"}


@pytest.mark.parametrize(
    ("handle", "others"),
    [
        (
            waferscope.job("overlay"),
            {"attempt", "id", "log", "processed", "progress", "record", "retry", "step", "traceparent", "track"},
        ),
        (waferscope.current_job().step("fit"), {"index"}),
    ],
    ids=["job", "step"],
)
def test_completion_shows_authors_what_is_theirs_only(handle: Any, others: set[str]) -> None:
    assert {name for name in dir(handle) if not name.startswith("_")} == OF_ALL | others


@pytest.mark.parametrize("first", [0, 1, 2])
@pytest.mark.parametrize("make", [waferscope.job, waferscope.step], ids=["jobs", "steps"])
def test_in_whatever_order_they_are_left_what_has_ended_is_never_current(telemetry: Any, make: Any, first: int) -> None:
    around = waferscope.job("around")
    with around:
        before = context.current()
        each = [make("first"), make("second"), make("third")]
        for one in each:
            one.__enter__()
        open_ones = [around, *each]
        for one in (each[first], *reversed(each[:first] + each[first + 1 :])):
            one.__exit__(None, None, None)
            open_ones.remove(one)
            assert context.innermost(context.current()) is open_ones[-1]
        assert context.current() is before
    with waferscope.job("later"):
        pass
    assert "wafer.job.parent.id" not in telemetry.spans()[-1].attributes


def test_what_ends_in_a_generator_that_its_own_block_resumes_is_looked_for_once_around(telemetry: Any) -> None:
    @waferscope.job("overlay")
    def read() -> Iterator[contextvars.Context]:
        with waferscope.step("open"):
            yield contextvars.copy_context()
            stray.__exit__(None, None, None)
            yield contextvars.copy_context()

    reading = read()
    inside = next(reading)  # where each of job and step is around the other, once the generator goes on in it
    with waferscope.job("elsewhere"):
        stray = waferscope.step("stray")
        stray.__enter__()
        inside.run(next, reading)
    reading.close()
    assert [span.name for span in telemetry.spans()] == ["stray", "elsewhere", "open", "overlay"]


def test_a_job_left_before_its_steps_is_not_current_with_them(telemetry: Any) -> None:
    job, step = waferscope.job("overlay"), waferscope.step("fit")
    before = context.current()
    job.__enter__()
    step.__enter__()
    job.__exit__(None, None, None)
    assert context.current() is before
    step.__exit__(None, None, None)
    assert context.current() is before
    assert [span.name for span in telemetry.spans()] == ["overlay", "fit"]
