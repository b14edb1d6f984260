"""How a job or a step ended, told from what the author declared and from the exception that left it."""

from __future__ import annotations

import asyncio
import builtins
import concurrent.futures
import signal
from dataclasses import dataclass
from typing import Any

from waferscope._internal import failure, guard
from waferscope.semconv import JobResult

_CANCELLED = (asyncio.CancelledError, concurrent.futures.CancelledError, KeyboardInterrupt, GeneratorExit)
_CANCELLED_NAMES = {"trio.Cancelled", "greenlet.GreenletExit"}  # told by name: neither library is ours to import
_CANCELLED_CODES = {128 + signal.SIGTERM, 128 + signal.SIGINT}  # as a handler of these signals exits by custom
_GROUP: Any = getattr(builtins, "BaseExceptionGroup", None)  # from Python 3.11 on
OTHER = "_OTHER"  # error.type where there is no better one (OpenTelemetry registry, "error.type")


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a job or a step.

    Attributes:
        result: `wafer.job.result` or, with the same values, `wafer.step.result`.
        error_type: What made it fail: the qualified class name of an exception, or what the author named.
        message: The exception's text.
        reason: What the author declared, or the signal that ended the process.
    """

    result: str
    error_type: str | None = None
    message: str | None = None
    reason: str | None = None


SUCCESS = Outcome(JobResult.SUCCESS)
CANCELLATION = Outcome(JobResult.CANCELLATION)
FAILURE = Outcome(JobResult.FAILURE)


def of(error: BaseException | None, declared: Outcome | None = None) -> Outcome:
    """Tell the outcome.

    Args:
        error: What was raised through the block, or None. `sys.exit()` with code 0 or None is no error; with
            128 + SIGTERM or 128 + SIGINT it is a cancellation.
        declared: What the author said. An exception wins over it; `sys.exit()` does not.

    Returns:
        Success, cancellation, failure or skip.
    """
    if error is None:
        return declared or SUCCESS
    with guard.ARGUMENTS:
        if isinstance(error, SystemExit):
            if declared is not None:
                return declared
            if error.code in (None, 0):
                return SUCCESS
        return (
            CANCELLATION
            if is_cancellation(error)
            else Outcome(FAILURE.result, failure.kind_of(type(error)), failure.message_of(error))
        )
    return FAILURE


def is_cancellation(error: BaseException) -> bool:
    """Whether an exception says that the work was told to stop."""
    if isinstance(error, _CANCELLED) or failure.kind_of(type(error)) in _CANCELLED_NAMES:
        return True
    if isinstance(error, SystemExit):
        return error.code in _CANCELLED_CODES
    if _GROUP is not None and isinstance(error, _GROUP):
        return all(map(is_cancellation, error.exceptions))
    return False
