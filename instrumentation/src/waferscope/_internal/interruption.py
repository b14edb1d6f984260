"""What the host raises amid the wrapper's code: a time limit is meant for the job, whatever line it happens to hit.

Two ways lead there. A signal handler of the host's raises (Celery's and rq's time limits): the interpreter calls it
between any two instructions. Or another thread says what shall be raised (`PyThreadState_SetAsyncExc`, as func_timeout
and stopit do): it appears at any instruction, without anybody raising it.

Nothing here costs anything until there is an exception.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import inspect
import itertools
import opcode
import signal
import sys
from collections.abc import Iterator
from types import CodeType, FrameType, FunctionType, TracebackType
from typing import Any

_RAISES = {opcode.opmap[name] for name in ("RAISE_VARARGS", "RERAISE")}
_USED = {"google", "grpc", "opentelemetry", "psutil", "pynvml", "requests", "urllib3", "waferscope"}
# Of the standard library's exceptions those that are sent to other threads; its C code raises none of them without a
# text, as it does with StopIteration, MemoryError, or queue.Empty.
_LIMITS = {Exception, TimeoutError, asyncio.TimeoutError, concurrent.futures.TimeoutError}


def is_hosts(error: BaseException | None, trace: TracebackType | None) -> bool:
    """Whether an exception is none of the code that it was caught in, but was raised amid it by the host.

    Args:
        error: What was caught.
        trace: Its traceback, from the catching frame on.
    """
    if error is None or trace is None:
        return False
    frames = _frames(trace)
    return _comes_from_a_hook(frames) or (not _is_raised(frames[-1]) and _is_sent(error))


def _frames(trace: TracebackType | None) -> list[tuple[FrameType, int]]:
    """Give the frames of a traceback, the catching one first, each with the place in it."""
    frames = []
    while trace is not None:
        frames.append((trace.tb_frame, trace.tb_lasti))
        trace = trace.tb_next
    return frames


def _comes_from_a_hook(frames: list[tuple[FrameType, int]]) -> bool:
    """Whether a signal handler, or a trace function, is among the frames: called with the frame that it interrupts."""
    handlers = set(_handlers())
    for (caller, _), (frame, _) in itertools.pairwise(frames):
        if frame.f_code in handlers or any(given is caller for given in _arguments(frame)):
            return True
    return False


def _arguments(frame: FrameType) -> Iterator[Any]:
    code = frame.f_code
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & inspect.CO_VARARGS)]
    found = frame.f_locals
    for name in names:
        given = found.get(name)
        if isinstance(given, tuple):
            yield from given
        else:
            yield given


def _handlers() -> Iterator[CodeType]:
    """Give the code of Python's signal handlers: one that deletes its arguments is known by it."""
    for number in signal.valid_signals():
        handler: Any = signal.getsignal(number)
        while isinstance(handler, functools.partial):
            handler = handler.func
        handler = getattr(handler, "__func__", handler)
        if callable(handler) and not isinstance(handler, FunctionType | type):
            handler = type(handler).__call__
        code = getattr(handler, "__code__", None)
        if isinstance(code, CodeType):
            yield code


def _is_raised(innermost: tuple[FrameType, int]) -> bool:
    """Whether there is a statement that raised it; C code that the frame calls has none, nor has another thread."""
    frame, place = innermost
    code = frame.f_code.co_code
    if place >= len(code):  # not of Python: what Cython makes looks so
        return True
    return place >= 0 and code[place] in _RAISES  # before the first instruction it is -1


def _is_sent(error: BaseException) -> bool:
    """Whether it looks like one of another thread: a bare one, and of the host's own or of a kind for time limits.

    Such a one is always made without arguments; unless its class gives itself some.
    """
    kind = type(error)
    if kind in _LIMITS:
        return not error.args
    root = kind.__module__.partition(".")[0]
    if root in sys.stdlib_module_names or root in _USED:
        return False
    return not error.args or isinstance(kind.__init__, FunctionType)
