"""Decorated functions of every kind behave as they would undecorated, and each call is a run of its own."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import inspect
import sys
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

import waferscope
from waferscope._internal import context

observe = [waferscope.job("overlay"), waferscope.step("fit")]


def _function(lot: str, *, gain: float = 1.0) -> float:
    """Measure."""
    return len(lot) * gain


async def _coroutine(lot: str, *, gain: float = 1.0) -> float:
    """Measure."""
    return len(lot) * gain


def _generator(lot: str, *, gain: float = 1.0) -> Iterator[float]:
    """Measure."""
    yield len(lot) * gain


async def _async_generator(lot: str, *, gain: float = 1.0) -> AsyncIterator[float]:
    """Measure."""
    yield len(lot) * gain


KINDS = [inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction]


@pytest.mark.parametrize("by", observe, ids=["job", "step"])
@pytest.mark.parametrize("function", [_function, _coroutine, _generator, _async_generator])
def test_kind_signature_name_and_docstring_stay(function: Callable[..., Any], by: Any) -> None:
    observed = by(function)
    assert [is_kind(observed) for is_kind in KINDS] == [is_kind(function) for is_kind in KINDS]
    assert inspect.signature(observed) == inspect.signature(function)
    assert (observed.__name__, observed.__doc__, observed.__module__) == (function.__name__, "Measure.", __name__)


def test_wrong_arguments_of_a_plain_function_raise_at_the_call_and_are_a_job_that_failed(telemetry: Any) -> None:
    with pytest.raises(TypeError, match="_function"):
        waferscope.job("overlay")(_function)()
    assert telemetry.spans()[0].attributes["error.type"] == "TypeError"


async def test_wrong_arguments_of_what_runs_later_raise_when_it_begins_to_run(telemetry: Any) -> None:
    made = [waferscope.job("overlay")(function)() for function in (_coroutine, _generator, _async_generator)]
    assert telemetry.spans() == []
    with pytest.raises(TypeError, match="_coroutine"):
        await made[0]
    with pytest.raises(TypeError, match="_generator"):
        next(made[1])
    with pytest.raises(TypeError, match="_async_generator"):
        await anext(made[2])
    assert [span.attributes["error.type"] for span in telemetry.spans()] == ["TypeError"] * 3


class _Fit:
    async def __call__(self, lot: str) -> str:
        await asyncio.sleep(0)
        return waferscope.current_job().name + lot


class _Wafers:
    def __call__(self, lot: str) -> Iterator[str]:
        yield waferscope.current_job().name + lot


class _Arriving:
    async def __call__(self, lot: str) -> AsyncIterator[str]:
        yield waferscope.current_job().name + lot


async def test_an_object_is_observed_as_the_kind_of_function_that_its_call_is(telemetry: Any) -> None:
    by = waferscope.job("overlay")
    assert await by(_Fit())("L") == "overlayL"
    assert await by(functools.partial(_Fit().__call__, "L"))() == "overlayL"
    assert list(by(_Wafers())("L")) == ["overlayL"]
    assert [item async for item in by(_Arriving())("L")] == ["overlayL"]
    assert len(telemetry.spans()) == 4


async def test_a_plain_function_that_returns_a_coroutine_is_told_that_its_job_is_over(
    telemetry: Any, caplog: pytest.LogCaptureFixture
) -> None:
    @waferscope.job("overlay")
    def fit(lot: str) -> Any:
        return _coroutine(lot)

    assert [await fit("LOT"), await fit("L")] == [3.0, 1.0]
    assert [record.getMessage().count("fit is no coroutine function") for record in caplog.records] == [1]
    waferscope.configure(site="fab1", service="tests", strict=True)
    with pytest.raises(waferscope.UsageError, match="is no coroutine function"):
        fit("LOT")
    assert len(telemetry.spans()) == 3


def test_each_call_is_a_job_of_its_own(telemetry: Any) -> None:
    measure = waferscope.job("overlay")(_function)
    assert [measure("L"), measure("LOT", gain=2.0)] == [1.0, 6.0]
    ids = [span.attributes["wafer.job.id"] for span in telemetry.spans()]
    assert len(set(ids)) == 2


class Tool:
    @waferscope.job("method")
    def method(self, slot: int) -> tuple[Tool, int]:
        return self, slot

    @waferscope.job("outside")
    @staticmethod
    def outside(slot: int) -> int:
        return slot

    @staticmethod
    @waferscope.job("inside")
    def inside(slot: int) -> int:
        return slot

    @waferscope.job("class outside")
    @classmethod
    def class_outside(cls, slot: int) -> tuple[type[Tool], int]:
        return cls, slot

    @classmethod
    @waferscope.job("class inside")
    def class_inside(cls, slot: int) -> tuple[type[Tool], int]:
        return cls, slot


def test_methods_bind_whatever_the_order_of_decorators(telemetry: Any) -> None:
    tool = Tool()
    assert tool.method(1) == (tool, 1)
    for on in (tool, Tool):
        assert (on.outside(2), on.inside(3)) == (2, 3)
        assert on.class_outside(4) == (Tool, 4)
        assert on.class_inside(5) == (Tool, 5)
    assert len(telemetry.spans()) == 9


def test_values_come_from_the_arguments_of_each_call(telemetry: Any) -> None:
    @waferscope.job(
        "overlay",
        lot=lambda lot, **_: lot,
        slot=lambda _, slot: slot,
        id=lambda lot, slot: f"{lot}/{slot}",
        attempt=lambda *_, slot: slot - 1,
        queued_at=lambda *_, slot: 1.7e9 + slot,
        shift=lambda lot, **_: f"shift of {lot}",
    )
    def measure(lot: str, slot: int) -> str:
        assert waferscope.current_job().id == f"{lot}/{slot}"
        return waferscope.current_job().id

    assert [measure("L1", slot=3), measure("L2", slot=4)] == ["L1/3", "L2/4"]
    first, second = telemetry.spans()
    assert (
        first.attributes.items()
        >= {
            "wafer.lot.id": "L1",
            "wafer.substrate.slot": 3,
            "wafer.job.id": "L1/3",
            "wafer.job.attempt": 2,
            "shift": "shift of L1",
        }.items()
    )
    assert first.attributes["wafer.job.queue.time"] > 0
    assert second.attributes["wafer.lot.id"] == "L2"


def test_a_value_that_can_not_be_told_leaves_the_call_and_the_other_values_alone(telemetry: Any) -> None:
    @waferscope.job("overlay", lot=lambda wafer: wafer.lot, equipment="OVL-02")
    def measure(wafer: int) -> int:
        return wafer

    assert measure(7) == 7
    (span,) = telemetry.spans()
    assert span.attributes["wafer.equipment.id"] == "OVL-02"
    assert "wafer.lot.id" not in span.attributes


def test_without_a_call_to_tell_it_a_function_is_refused_and_the_rest_holds(telemetry: Any) -> None:
    with waferscope.job("overlay", id="J-1", attempt=2, lot=lambda lot: lot) as job:
        assert (job.id, job.attempt, job.name) == ("J-1", 2, "overlay")
    assert telemetry.spans()[0].attributes["wafer.job.id"] == "J-1"


@pytest.mark.parametrize("decorator", [waferscope.job, waferscope.step])
def test_a_decorator_without_a_name_takes_the_functions(telemetry: Any, decorator: Any) -> None:
    with waferscope.job("around"):
        assert decorator(_function)("LOT") == 3.0
    assert [span.name for span in telemetry.spans()] == ["_function", "around"]


def test_a_generator_takes_what_is_sent_and_thrown_and_gives_what_it_returns(telemetry: Any) -> None:
    heard: list[Any] = []

    @waferscope.job("overlay")
    def talk() -> Any:
        heard.append((yield 1))
        try:
            yield 2
        except KeyError as error:
            heard.append(error)
        yield 3
        return "done"

    talking, error = talk(), KeyError("slot")
    assert [next(talking), talking.send("a"), talking.throw(error)] == [1, 2, 3]
    with pytest.raises(StopIteration) as stop:
        next(talking)
    assert (stop.value.value, heard) == ("done", ["a", error])
    assert telemetry.spans()[0].attributes["wafer.job.result"] == "success"


async def test_an_async_generator_takes_what_is_sent_and_thrown(telemetry: Any) -> None:
    heard: list[Any] = []

    @waferscope.job("overlay")
    async def talk() -> Any:
        heard.append((yield 1))
        try:
            yield 2
        except KeyError as error:
            heard.append(error)
        yield 3

    talking, error = talk(), KeyError("slot")
    assert [await anext(talking), await talking.asend("a"), await talking.athrow(error)] == [1, 2, 3]
    with pytest.raises(StopAsyncIteration):
        await anext(talking)
    assert heard == ["a", error]
    assert telemetry.spans()[0].attributes["wafer.job.result"] == "success"


def test_between_yields_the_caller_is_in_its_own_context(telemetry: Any) -> None:
    @waferscope.job("inner")
    def wafers() -> Iterator[int]:
        for slot in range(3):
            with waferscope.step("fit") as step:
                yield slot
                assert waferscope.current_step() is step
                assert waferscope.current_job().name == "inner"

    seen = []
    with waferscope.job("outer") as outer:
        for slot in wafers():
            assert waferscope.current_job() is outer
            with waferscope.step(f"use {slot}"):
                pass
        before = context.current()
        first, second = wafers(), wafers()
        for pair in zip(first, second, strict=True):
            seen.append(pair)
            assert context.current() is before
        assert context.current() is before
    assert seen == [(0, 0), (1, 1), (2, 2)]
    spans = {span.name: span for span in telemetry.spans()}
    assert spans["use 1"].parent.span_id == spans["outer"].context.span_id
    assert spans["fit"].attributes["wafer.job.name"] == "inner"


async def test_between_yields_of_an_async_generator_the_caller_is_in_its_own_context(telemetry: Any) -> None:
    @waferscope.job("inner")
    async def wafers() -> AsyncIterator[int]:
        for slot in range(2):
            async with waferscope.step("fit"):
                yield slot
                await asyncio.sleep(0)
                assert waferscope.current_job().name == "inner"

    with waferscope.job("outer") as outer:
        before = context.current()
        async for _ in wafers():
            assert waferscope.current_job() is outer
        assert context.current() is before
    fits = [span for span in telemetry.spans() if span.name == "fit"]
    assert [span.attributes["wafer.step.result"] for span in fits] == ["success", "success"]


def _closing(log: list[str]) -> Iterator[int]:
    try:
        yield 1
    finally:
        log.append("closed")


def _returning(log: list[str]) -> Iterator[int]:
    try:
        yield 1
    except GeneratorExit:
        log.append("closed")
        return "value"


def _stubborn(log: list[str]) -> Iterator[int]:
    with contextlib.suppress(GeneratorExit):
        yield 1
    log.append("still here")
    yield 2


def _failing(log: list[str]) -> Iterator[int]:
    try:
        yield 1
    finally:
        log.append("failing")
        raise ValueError("no")


def _stopping(_: list[str]) -> Iterator[int]:
    yield 1
    next(iter(()))  # raises StopIteration by mistake


def _chaining(_: list[str]) -> Iterator[int]:
    try:
        yield 1
    except KeyError as error:
        raise ValueError("bad") from error


def _exception(error: BaseException | None) -> Any:
    if error is None:
        return None
    context, cause = _exception(error.__context__), _exception(error.__cause__)
    return type(error), error.args, context, cause, error.__suppress_context__


def _told(act: Callable[[], Any]) -> Any:
    try:
        return act()
    except BaseException as error:  # noqa: BLE001 - compared
        return _exception(error)


ACTS: dict[str, Callable[[Any], Any]] = {
    "close": lambda generator: generator.close(),
    "next": next,
    "throw": lambda generator: generator.throw(KeyError("slot")),
    "throw GeneratorExit": lambda generator: generator.throw(GeneratorExit),
    "throw StopIteration": lambda generator: generator.throw(StopIteration(5)),
}


@pytest.mark.usefixtures("telemetry")
@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("make", [_closing, _returning, _stubborn, _failing, _stopping, _chaining])
def test_a_generator_ends_exactly_as_it_would_undecorated(make: Any, act: str) -> None:
    told = []
    for function in (make, waferscope.job("overlay")(make)):
        log: list[str] = []
        generator = function(log)
        next(generator)
        told.append((_told(lambda generator=generator: ACTS[act](generator)), log, _told(lambda g=generator: next(g))))
    assert told[0] == told[1]


async def _async_closing(log: list[str]) -> AsyncIterator[int]:
    try:
        yield 1
    finally:
        await asyncio.sleep(0)
        log.append("closed")


async def _async_failing(log: list[str]) -> AsyncIterator[int]:
    try:
        yield 1
    finally:
        log.append("failing")
        raise ValueError("no")


async def _async_chaining(_: list[str]) -> AsyncIterator[int]:
    try:
        yield 1
    except KeyError as error:
        raise ValueError("bad") from error


ASYNC_ACTS: dict[str, Callable[[Any], Any]] = {
    "aclose": lambda generator: generator.aclose(),
    "anext": anext,
    "athrow": lambda generator: generator.athrow(KeyError("slot")),
    "athrow StopAsyncIteration": lambda generator: generator.athrow(StopAsyncIteration()),
}


@pytest.mark.usefixtures("telemetry")
@pytest.mark.parametrize("act", ASYNC_ACTS)
@pytest.mark.parametrize("make", [_async_closing, _async_failing, _async_chaining])
async def test_an_async_generator_ends_exactly_as_it_would_undecorated(make: Any, act: str) -> None:
    async def tell(awaitable: Any) -> Any:
        try:
            return await awaitable
        except BaseException as error:  # noqa: BLE001 - compared
            return _exception(error)

    told = []
    for function in (make, waferscope.job("overlay")(make)):
        log: list[str] = []
        generator = function(log)
        await anext(generator)
        told.append((await tell(ASYNC_ACTS[act](generator)), log, await tell(anext(generator))))
    assert told[0] == told[1]


@pytest.mark.usefixtures("telemetry")
@pytest.mark.parametrize("by", [lambda function: function, *observe], ids=["undecorated", "job", "step"])
def test_an_async_generator_left_open_is_closed_by_the_loop_as_it_would_be_undecorated(by: Any) -> None:
    told: list[Any] = []
    log: list[str] = []
    kept = []

    async def leave_open() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, said: told.append(said))
        kept.append(by(_async_closing)(log))
        assert await anext(kept[0]) == 1

    asyncio.run(leave_open())
    assert (told, log) == ([], ["closed"])


def test_an_unfinished_generator_is_a_cancelled_job_once_it_is_collected(telemetry: Any) -> None:
    generator = waferscope.job("overlay")(_closing)([])
    next(generator)
    here = context.current()
    del generator
    gc.collect()
    assert context.current() is here
    assert telemetry.spans()[0].attributes["wafer.job.result"] == "cancellation"


def test_a_generator_never_begun_is_no_job(telemetry: Any) -> None:
    waferscope.job("overlay")(_closing)([]).close()
    assert telemetry.spans() == telemetry.events() == []


def test_an_exception_thrown_in_is_not_kept_alive(telemetry: Any) -> None:
    class BigError(Exception):
        pass

    @waferscope.job("overlay")
    def through() -> Iterator[int]:
        yield 1

    generator = through()
    next(generator)
    gc.disable()
    try:
        error = BigError()
        kept = weakref.ref(error)
        with contextlib.suppress(BigError):
            generator.throw(error)
        error.__traceback__ = None
        del error
        assert kept() is None
    finally:
        gc.enable()
    assert telemetry.spans()[0].attributes["error.type"].endswith("BigError")


@pytest.mark.usefixtures("telemetry")
@pytest.mark.parametrize("by", observe, ids=["job", "step"])
def test_exceptions_keep_identity_context_and_cause(by: Any) -> None:
    cause, inner = OSError("disk"), KeyError("slot")

    @by
    def fail() -> None:
        try:
            raise inner
        except KeyError:
            raise ValueError("bad") from cause

    with pytest.raises(ValueError, match="bad") as caught:
        fail()
    assert (caught.value.__context__, caught.value.__cause__) == (inner, cause)
    assert inner.__context__ is cause.__context__ is None


@pytest.mark.usefixtures("telemetry")
def test_a_job_leaves_the_exception_being_handled_as_it_is() -> None:
    with pytest.raises(KeyError) as caught:  # noqa: PT012 - what happens while it is handled is the matter
        try:
            _ = {}["slot"]
        except KeyError:
            _told(lambda: waferscope.job("overlay")(_function)("L"))
            raise
    assert caught.value.__context__ is None
    assert sys.exc_info() == (None, None, None)


def test_recursion_nests_jobs(telemetry: Any) -> None:
    @waferscope.job("overlay")
    def down(depth: int) -> int:
        return down(depth - 1) + 1 if depth else 0

    assert down(3) == 3
    spans = telemetry.spans()
    assert [span.attributes.get("wafer.job.parent.id") for span in spans] == [
        *(span.attributes["wafer.job.id"] for span in spans[1:]),
        None,
    ]
