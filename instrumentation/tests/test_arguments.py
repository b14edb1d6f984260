"""Wrong arguments raise where strictness is asked for; else they are corrected, told once, and cost nothing else."""

from __future__ import annotations

import enum
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs

import waferscope
from waferscope._internal import arguments, guard

LONE = "lot\ud800"
LONG = "x" * 10_240
JOB_ID = "wafer.job.id"


class Unprintable:
    def __str__(self) -> str:
        raise ValueError("no text")


class Scalar:
    """As numpy's: neither int nor float, told by `tolist`."""

    shape = ()

    def __init__(self, value: Any) -> None:
        self._value = value

    def tolist(self) -> Any:
        return self._value

    def __int__(self) -> int:
        return int(self._value)

    def __float__(self) -> float:
        return float(self._value)

    def __eq__(self, other: object) -> bool:
        return self._value == other

    def __hash__(self) -> int:
        return hash(self._value)


class Array:
    """As numpy's."""

    def __init__(self, values: list[Any]) -> None:
        self._values = values
        self.shape = (len(values),)

    def tolist(self) -> list[Any]:
        return self._values

    def __float__(self) -> float:
        raise TypeError("only length-1 arrays can be converted to Python scalars")


class Shift(str, enum.Enum):
    NIGHT = "night"


class Slot(enum.IntEnum):
    FIRST = 1


@pytest.fixture
def strict() -> Iterator[None]:
    arguments.be_strict(on=True)
    yield
    arguments.be_strict(on=False)


def _in_job(act: Callable[[waferscope.Job], Any]) -> Callable[[], None]:
    def call() -> None:
        with waferscope.job("overlay") as job:
            act(job)

    return call


WRONG: dict[str, Callable[[], Any]] = {
    "name of a job": lambda: waferscope.job(42),
    "empty name": lambda: waferscope.job(""),
    "name of a job that is None": lambda: waferscope.job(None),
    "name of a step that is None": lambda: waferscope.step(None),
    "no name": lambda: waferscope.job(print),
    "name of a step": lambda: waferscope.step(42),
    "step without a name": lambda: waferscope.step(print),
    "lot": lambda: waferscope.job("overlay", lot=4711),
    "lot that is too long": lambda: waferscope.job("overlay", lot=LONG),
    "lot with half a surrogate pair": lambda: waferscope.job("overlay", lot=LONE),
    "lot that can't be printed": lambda: waferscope.job("overlay", lot=Unprintable()),
    "equipment": lambda: waferscope.job("overlay", equipment=["OVL"]),
    "recipe": lambda: waferscope.job("overlay", recipe=1),
    "recipe_version": lambda: waferscope.job("overlay", recipe_version=2),
    "carrier": lambda: waferscope.job("overlay", carrier=b"F1"),
    "substrate": lambda: waferscope.job("overlay", substrate=""),
    "slot": lambda: waferscope.job("overlay", slot="A"),
    "slot 0": lambda: waferscope.job("overlay", slot=0),
    "half a slot": lambda: waferscope.job("overlay", slot=1.5),
    "module": lambda: waferscope.job("overlay", module=1),
    "operation": lambda: waferscope.job("overlay", operation=1),
    "id": lambda: waferscope.job("overlay", id=7),
    "attempt": lambda: waferscope.job("overlay", attempt="second"),
    "attempt 0": lambda: waferscope.job("overlay", attempt=0),
    "attempt True": lambda: waferscope.job("overlay", attempt=True),
    "queued_at": lambda: waferscope.job("overlay", queued_at="yesterday"),
    "queued_at nan": lambda: waferscope.job("overlay", queued_at=float("nan")),
    "links": lambda: waferscope.job("overlay", links="00-1-1-01"),
    "links that can't be told": lambda: waferscope.job("overlay", links=7),
    "no link": lambda: waferscope.job("overlay", links=[None]),
    "a link": lambda: waferscope.job("overlay", links=["00-1-1-01"]),
    "a link to a job that has not begun": lambda: waferscope.job("next", links=[waferscope.job("other")]).__enter__(),
    "attribute that is a dict": lambda: waferscope.job("overlay", parts={"a": 1}),
    "attribute that is an object": lambda: waferscope.job("overlay", parts=Unprintable()),
    "attribute of mixed items": lambda: waferscope.job("overlay", parts=[1, "a", None]),
    "attribute of too many items": lambda: waferscope.job("overlay", parts=[1] * 10_000),
    "attribute that is too long": lambda: waferscope.job("overlay", parts=LONG),
    "attribute with half a surrogate pair": lambda: waferscope.job("overlay", parts=LONE),
    "attribute of the wrapper's": lambda: waferscope.job("overlay", **{JOB_ID: "mine"}),
    "name of an attribute": lambda: waferscope.job("overlay", **{LONE: 1}),
    "attribute of a step": lambda: waferscope.step("fit", parts={"a": 1}),
    "function without a call": lambda: waferscope.job("overlay", lot=lambda lot: lot).__enter__(),
    "function that raises": lambda: list(map(waferscope.job("overlay", lot=lambda: "L")(len), ["L"])),
    "done": _in_job(lambda job: job.progress("half")),
    "total": _in_job(lambda job: job.progress(1, float("inf"))),
    "done below 0": _in_job(lambda job: job.progress(-1)),
    "done above the total": _in_job(lambda job: job.progress(5, 3)),
    "done outside of a job": lambda: waferscope.current_job().progress("half"),
    "total of track": _in_job(lambda job: job.track([], total="many")),
    "unit of track": _in_job(lambda job: job.track([], unit=5)),
    "unit of track outside of a job": lambda: waferscope.current_job().track([], unit=5),
    "substrates": _in_job(lambda job: job.processed(-1)),
    "substrates outside of a job": lambda: waferscope.current_job().processed(-1),
    "name of a measurement": _in_job(lambda job: job.record("1st", 1.0)),
    "measurement in our namespace": _in_job(lambda job: job.record("wafer.job.duration", 1.0)),
    "measured value": _in_job(lambda job: job.record("overlay.x", "wide")),
    "measured nan": _in_job(lambda job: job.record("overlay.x", float("nan"))),
    "unit": _in_job(lambda job: job.record("overlay.x", 1.0, "µm")),
    "buckets": _in_job(lambda job: job.record("overlay.wrong", 1.0, buckets=(3, 2))),
    "buckets that are none": _in_job(lambda job: job.record("overlay.wrong", 1.0, buckets=7)),
    "level": _in_job(lambda job: job.log("hello", level="loud")),
    "attribute of a log record": _in_job(lambda job: job.log("hello", parts={"a": 1})),
    "message": _in_job(lambda job: job.log(5)),
    "message outside of a job": lambda: waferscope.current_job().log(5),
    "error_type": _in_job(lambda job: job.fail("bad", error_type=7)),
    "error_type outside of a job": lambda: waferscope.current_job().fail("bad", error_type=7),
    "no reason to fail": _in_job(lambda job: job.fail(None)),
    "exception as a reason": _in_job(lambda job: job.fail(ValueError("bad"))),
    "empty reason to skip": _in_job(lambda job: job.skip("")),
    "reason to cancel": _in_job(lambda job: job.cancel(5)),
    "no reason outside of a job": lambda: waferscope.current_job().skip(None),
    "no reason outside of a step": lambda: waferscope.current_step().fail(None),
    "no function under a job": lambda: waferscope.job("overlay")(5),
    "no function under a step": lambda: waferscope.step("fit")(property(len)),
    "no function to carry": lambda: waferscope.carry(5),
    "timeout": lambda: waferscope.flush("long"),
    "timeout below 0": lambda: waferscope.flush(-1),
    "entered twice": _in_job(lambda job: job.__enter__()),
    "step entered within itself": _in_job(lambda job: [step := job.step("fit"), step.__enter__(), step.__enter__()]),
    "state": lambda: waferscope.equipment("OVL-02").state("WORKING"),
    "module of a state": lambda: waferscope.equipment("OVL-02").state("PRD", module=1),
    "reason of a state": lambda: waferscope.equipment("OVL-02").state("PRD", reason=5),
    "since when": lambda: waferscope.equipment("OVL-02").state("PRD", at="now"),
    "no equipment": lambda: waferscope.equipment(None),
    "no carrier": lambda: waferscope.carrier(None),
    "carrier nowhere": lambda: waferscope.carrier("F1").arrived(None),
    "no version": lambda: waferscope.deployment(None),
    "site": lambda: waferscope.configure(site=1),
    "service": lambda: waferscope.configure(service=LONE),
    "endpoint": lambda: waferscope.configure(endpoint="otelcol:4318"),
    "export_logs": lambda: waferscope.configure(export_logs="loud"),
    "gc_pauses": lambda: waferscope.configure(gc_pauses="no"),
    "strict": lambda: waferscope.configure(strict="no"),
}


@pytest.mark.usefixtures("telemetry", "strict")
@pytest.mark.parametrize("what", WRONG)
def test_strictly_a_wrong_argument_raises_at_the_call(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAFERSCOPE_STRICT", "true")  # for `configure`
    with pytest.raises(waferscope.UsageError):
        WRONG[what]()
    assert not [boundary.name for boundary in guard.BOUNDARIES if boundary.failures]


@pytest.mark.usefixtures("telemetry")
@pytest.mark.parametrize("what", WRONG)
def test_leniently_a_wrong_argument_is_told_as_one_and_no_internal_error(
    what: str, caplog: pytest.LogCaptureFixture
) -> None:
    WRONG[what]()
    assert guard.ARGUMENTS.failures >= 1
    assert [boundary.name for boundary in guard.BOUNDARIES if boundary.failures] == ["arguments"]
    assert not [record.message for record in caplog.records if "internal error" in record.message]


RIGHT = {
    "a scalar of numpy": (Scalar(7), 7),
    "a bool of numpy": (Scalar(value=True), True),
    "an array of numpy": (Array([1.5, 2.5]), (1.5, 2.5)),
    "a list of scalars of numpy": ([Scalar(1), Scalar(2)], (1, 2)),
    "whole numbers among others": ([0, 0.5], (0.0, 0.5)),
    "an enum of texts": (Shift.NIGHT, "night"),
    "an enum of numbers": (Slot.FIRST, 1),
    "the largest integer": (2**63 - 1, 2**63 - 1),
    "no value": (None, None),
    "an empty text": ("", ""),
    "an empty list": ([], ()),
    "true": (True, True),
}


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize("what", RIGHT)
def test_strictly_what_can_be_carried_passes(telemetry: Any, what: str) -> None:
    given, carried = RIGHT[what]
    with waferscope.job("overlay", value=given):
        pass
    found = telemetry.spans()[0].attributes.get("value")
    assert found == carried
    assert isinstance(found, type(carried))


CORRECTED = {
    "a dict": ({"a": 1}, "{'a': 1}"),
    "mixed items": ([1, "a", None], "[1, 'a', None]"),
    "items that are none": ([None], "[None]"),
    "nested lists": ([[1], [2]], "[[1], [2]]"),
    "bools among numbers": ([True, 2], "[True, 2]"),
    "an integer of over 64 bits": (2**63, str(2**63)),
    "one of them in a list": ([1, 2**64], f"[1, {2**64}]"),
    "half a surrogate pair": (LONE, "lot?"),
    "half a surrogate pair in a list": ([LONE], ("lot?",)),
    "10 kB": (LONG, LONG[:8192]),
    "what can't be printed": (Unprintable(), "<Unprintable>"),
    "bytes": (b"F1", "b'F1'"),
}


@pytest.mark.parametrize("what", CORRECTED)
def test_leniently_an_attribute_becomes_what_can_be_sent(telemetry: Any, what: str) -> None:
    given, carried = CORRECTED[what]
    with waferscope.job("overlay", lot="L", value=given) as job, job.step("fit", value=given):
        job.log("hello", value=given)
    step, whole = telemetry.spans()
    records = telemetry.records()
    for said in (step.attributes, whole.attributes, *(record.log_record.attributes for record in records)):
        found = said["value"]
        assert (tuple(found) if isinstance(found, list) else found) == carried
    assert whole.attributes["wafer.lot.id"] == "L"
    assert encode_logs(records).ByteSize() > 0


IDS = {
    "a number": (4711, "4711"),
    "too long": ("ß" * 300, "ß" * 256),
    "half a surrogate pair": (LONE, "lot?"),
    "unprintable": (Unprintable(), "<Unprintable>"),
}


@pytest.mark.parametrize("what", IDS)
def test_leniently_an_id_becomes_a_text_that_the_site_can_store(telemetry: Any, what: str) -> None:
    given, carried = IDS[what]
    with waferscope.job(given, id=given, lot=given, equipment=given):
        with waferscope.step(given), waferscope.job("inner"):
            pass
        waferscope.equipment(given).state("PRD", reason=given)
    inner, step, whole = telemetry.spans()
    assert (whole.name, step.name, inner.attributes["wafer.lot.id"]) == (carried, carried, carried)
    assert whole.attributes[JOB_ID] == inner.attributes["wafer.job.parent.id"] == carried
    assert encode_logs(telemetry.records()).ByteSize() > 0


def test_leniently_a_wrong_slot_is_left_out_and_a_wrong_attempt_is_the_first(telemetry: Any) -> None:
    with waferscope.job("overlay", slot="A", attempt=-3):
        pass
    said = telemetry.spans()[0].attributes
    assert "wafer.substrate.slot" not in said
    assert said["wafer.job.attempt"] == 1


def test_leniently_an_impossible_position_is_left_out_and_an_exceeded_total_is_no_more(telemetry: Any) -> None:
    with waferscope.job("overlay") as job:
        job.progress(5, 3)
        job.progress(-1, 3)
    ended = telemetry.events()[-1][1]
    assert ended["wafer.job.progress.done"] == 5.0
    assert "wafer.job.progress.total" not in ended


def test_leniently_a_reason_that_is_none_is_left_out_and_another_is_written(telemetry: Any) -> None:
    with waferscope.job("overlay") as job:
        job.fail(None)
    with waferscope.job("overlay") as job:
        job.fail(ValueError("bad"))
    told = [span.attributes.get("wafer.job.result_reason") for span in telemetry.spans()]
    assert told == [None, "bad"]


@pytest.mark.usefixtures("strict")
def test_numbers_of_numpy_are_numbers_everywhere(telemetry: Any) -> None:
    with waferscope.job("overlay", slot=Scalar(3), attempt=Scalar(2)) as job:
        job.progress(Scalar(1), Scalar(4))
        job.processed(Scalar(2))
        job.record("overlay.scalar", Scalar(0.5), "nm")
    ended = telemetry.events()[-1][1]
    assert (ended["wafer.substrate.slot"], ended["wafer.job.attempt"]) == (3, 2)
    assert (ended["wafer.job.progress.done"], ended["wafer.job.progress.total"]) == (1.0, 4.0)


INSTANTS: dict[str, Callable[[], Any]] = {
    "with a zone": lambda: datetime.now(timezone(timedelta(hours=9))),
    "local": datetime.now,
    "Unix seconds": time.time,
}


@pytest.mark.parametrize("kind", INSTANTS)
def test_the_time_in_the_queue_is_measured_from_any_instant(telemetry: Any, kind: str) -> None:
    now = INSTANTS[kind]()
    ago = 100 if isinstance(now, float) else timedelta(seconds=100)
    with waferscope.job("overlay", lot="L", queued_at=now - ago):
        pass
    assert 100 <= telemetry.spans()[0].attributes["wafer.job.queue.time"] < 250
    ((attributes, state),) = telemetry.metrics()["wafer.job.queue.duration"].items()
    assert dict(attributes) == {"wafer.job.name": "overlay"}
    assert 100 <= state.sum < 250


def test_a_queue_that_lies_in_the_future_took_no_time(telemetry: Any) -> None:
    with waferscope.job("overlay", queued_at=datetime.now(timezone.utc) + timedelta(hours=1)):
        pass
    assert telemetry.spans()[0].attributes["wafer.job.queue.time"] == 0.0


def test_a_poisonous_record_costs_no_other(receiver: Any, run: Any) -> None:
    ended = run(
        r"""
        import logging, waferscope
        waferscope.configure(export_logs="INFO")
        class Unprintable:
            def __str__(self): raise ValueError
        poison = ["\ud800", 2**70, {"a": {1, 2}}, [1, None, "\ud800"], Unprintable(), float("nan"), "\0", b"\xff"]
        for number, value in enumerate(poison):
            with waferscope.job("overlay", lot=f"L{number}", **{"poison\ud800": value}, poison=value) as job:
                job.log("hello", poison=value)
                logging.getLogger("host").error("hello %s", number, extra={"poison": value, "poison\ud800": value})
        """,
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
    )
    assert ended.code == 0
    assert "dropped" not in ended.err
    names = [name for name, _ in receiver.events()]
    assert (names.count("wafer.job.ended"), names.count("")) == (8, 16)
    assert len(receiver.spans()) == 8
