"""What the host raises amid the wrapper's code reaches the job: time limits, by signal handlers and from threads."""

from __future__ import annotations

import ctypes
import functools
import linecache
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import psutil
import pytest

import waferscope
from waferscope._internal import context, guard, process


class LimitError(Exception):
    """A time limit, as those of Celery and rq are."""


class WordyLimitError(Exception):
    """One whose text its class gives."""

    def __init__(self) -> None:
        super().__init__("too slow")


LIMIT = f"{__name__}.LimitError"
ENDS = ("wafer.job.started", "wafer.job.ended")
KINDS = [LimitError, WordyLimitError, TimeoutError, Exception, ValueError]


def _handler(kind: type[Exception]) -> Any:
    def handler(_: int, __: FrameType | None) -> None:
        raise kind

    return handler


def _forgetful(kind: type[Exception]) -> Any:
    def handler(number: int, frame: FrameType | None) -> None:
        del number, frame
        _give_up(kind)

    return handler


class _Limit:
    def __init__(self, kind: type[Exception]) -> None:
        self.kind = kind

    def method(self, *_: Any) -> None:
        raise self.kind

    def __call__(self, *_: Any) -> None:
        raise self.kind


def _give_up(kind: type[Exception], *_: Any) -> None:
    raise kind


HANDLERS: dict[str, Callable[[type[Exception]], Any]] = {
    "function": _handler,
    "function that deletes its arguments": _forgetful,
    "method": lambda kind: _Limit(kind).method,
    "object": _Limit,
    "partial": lambda kind: functools.partial(_give_up, kind),
    "lambda": lambda kind: lambda *_: _give_up(kind),
}


@pytest.fixture
def handle() -> Iterator[Callable[[Any], None]]:
    """Sets the handler of SIGUSR1."""
    before = signal.getsignal(signal.SIGUSR1)
    yield lambda handler: signal.signal(signal.SIGUSR1, handler)
    signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("handler", HANDLERS)
def test_what_a_signal_handler_raises_passes_all_boundaries(handler: str, kind: type[Exception], handle: Any) -> None:
    handle(HANDLERS[handler](kind))
    outer, inner = guard.Boundary("outer"), guard.Boundary("inner")
    with pytest.raises(kind), outer, inner, guard.Expected(Exception):
        signal.raise_signal(signal.SIGUSR1)
    assert outer.failures == inner.failures == 0


def _be_told(kind: type[Exception]) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(threading.get_ident()), ctypes.py_object(kind))
    for _ in range(1000):
        pass


@pytest.mark.parametrize("kind", [LimitError, WordyLimitError, TimeoutError, Exception])
def test_what_another_thread_lets_raise_passes_all_boundaries(kind: type[Exception]) -> None:
    boundary = guard.Boundary("test")
    with pytest.raises(kind), boundary:
        _be_told(kind)
    assert boundary.failures == 0


def _of_the_interpreter() -> Any:
    return next(iter(()))


def _of_a_helper() -> Any:
    raise LimitError


def _of_a_library() -> Any:
    raise psutil.NoSuchProcess(1)


@pytest.mark.parametrize(
    "fault",
    [
        _of_the_interpreter,
        _of_a_helper,
        _of_a_library,
        lambda: iter(()).__next__(),
        lambda: int("x"),
        lambda: bytes.fromhex("x"),
    ],
)
def test_a_fault_does_not_pass_even_with_signal_handlers_around(fault: Callable[[], Any], handle: Any) -> None:
    handle(_handler(LimitError))
    boundary = guard.Boundary("test")
    with boundary:
        fault()
    assert boundary.failures == 1


def test_a_fault_of_a_value_given_by_the_author_costs_the_value_only(handle: Any, telemetry: Any) -> None:
    handle(_handler(LimitError))
    with waferscope.job("overlay", lot=_of_a_helper):
        pass
    assert len(telemetry.spans()) == 1


def _before(line: str) -> str:
    """Give the line before: nothing can be done about an exception that is raised before the first statement."""
    file, _, number = line.rpartition(":")
    return linecache.getline(file, int(number) - 1)


def _is_out_of_reach(line: str) -> bool:
    """Whether it is such a line; or a `try:` itself, which the compiler leaves out of a generator's outer `with`.

    Only a trace function, as we are, can raise at the latter.
    """
    file, _, number = line.rpartition(":")
    own = linecache.getline(file, int(number)).strip()
    return "def __exit__" in _before(line) or (file.endswith("decorator.py") and own == "try:")


def _work() -> None:
    with waferscope.job("overlay", lot="LOT-1") as job:
        with job.step("fit", slot=3):
            job.progress(1, 2)
        job.processed(1)


@waferscope.step("read")
def _read() -> Iterator[int]:
    with waferscope.step("open"):
        yield 1
        yield 2


@waferscope.job("overlay", lot="LOT-1")
def _wafers() -> Iterator[int]:
    with waferscope.job("inner"):
        yield from _read()


def _iterate() -> None:
    for _ in _wafers():
        pass


def _nothing() -> None:
    """Do nothing."""


class _Alarm:
    """Lets a signal come at the n-th line of the wrapper that is run."""

    def __init__(self, at: int) -> None:
        self.left = at
        self.line = ""

    def __call__(self, frame: FrameType, *_: Any) -> Any:
        name = frame.f_globals.get("__name__", "")
        if not name.startswith("waferscope._internal"):
            return None
        frame.f_trace_lines = True
        return self._line

    def _line(self, frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            self.left -= 1
            if self.left == 0:
                self.line = f"{frame.f_code.co_filename}:{frame.f_lineno}"
                sys.settrace(None)
                signal.raise_signal(signal.SIGUSR1)
        return self._line


@pytest.mark.parametrize("work", [_work, _iterate])
def test_wherever_a_time_limit_hits_it_reaches_the_host_and_nothing_is_left_behind(
    work: Callable[[], None], handle: Any, telemetry: Any
) -> None:
    handle(_handler(LimitError))
    runtime = process.current()
    assert runtime is not None
    work()
    hits, lost, faults = 0, 0, []
    for boundary in guard.BOUNDARIES:
        boundary.reset()
    before = context.current()
    while True:
        alarm = _Alarm(hits + 1)
        sys.settrace(alarm)
        try:
            work()
        except LimitError:
            hits += 1
            is_left = context.current() is not before
        else:
            break
        finally:
            sys.settrace(None)
        if is_left or runtime.active:
            faults.append(alarm.line)
            lost += len(runtime.active)
            context.attach(before)
            runtime.active.clear()
    assert alarm.left > 0, alarm.line
    assert hits > 100
    assert [line for line in faults if not _is_out_of_reach(line)] == []
    told = {name: {said["wafer.job.id"] for found, said in telemetry.events() if found == name} for name in ENDS}
    assert len(told["wafer.job.started"] - told["wafer.job.ended"]) <= lost
    assert [said["error.type"] for name, said in telemetry.events() if "error.type" in said].count(LIMIT) > 50


def test_time_limits_from_threads_reach_jobs(receiver: Any, run: Any) -> None:
    script = """
        import ctypes, threading, time, waferscope
        class LimitError(Exception):
            pass
        reached = []
        def work():
            with waferscope.job("overlay") as job:
                begun.set()
                while time.monotonic() < deadline:
                    with job.step("fit"):
                        pass
        def limited():  # in a frame of its own: a jump between blocks may raise outside of the handlers of its frame
            try:
                work()
            except LimitError:
                reached.append(True)
        for _ in range(20):
            deadline, begun = time.monotonic() + 10, threading.Event()
            thread = threading.Thread(target=limited)
            thread.start()
            begun.wait()
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(LimitError))
            thread.join()
        print(len(reached))
    """
    ended = run(script, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
    assert (ended.code, ended.out, ended.err) == (0, "20\n", "")
    ends = [said for name, said in receiver.events() if name == "wafer.job.ended"]
    assert len(ends) == 20
    assert [said.get("error.type") for said in ends].count("__main__.LimitError") >= 19  # see _before


def test_a_carried_function_leaves_no_context_behind(handle: Any, telemetry: Any) -> None:
    del telemetry
    handle(_handler(LimitError))
    with waferscope.job("overlay"):
        carried = waferscope.carry(_nothing)
    before, at, hit = context.current(), 0, True
    while hit:
        at, hit = at + 1, False
        alarm = _Alarm(at)
        sys.settrace(alarm)
        try:
            carried()
        except LimitError:
            hit = True
        finally:
            sys.settrace(None)
        if context.current() is not before:
            assert "finally:" in _before(alarm.line) or '"""' in _before(alarm.line), alarm.line
            context.attach(before)
    assert at > 10
