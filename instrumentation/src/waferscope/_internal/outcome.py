"""How a job or a step ended, told from the exception that left it."""

from __future__ import annotations

import asyncio
import concurrent.futures
from dataclasses import dataclass

from waferscope._internal import guard
from waferscope.semconv import JobResult

_CANCELLED = (asyncio.CancelledError, concurrent.futures.CancelledError, KeyboardInterrupt, GeneratorExit)
_MESSAGE_LENGTH = 4096  # characters of an exception's text that are kept


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a job or a step.

    Attributes:
        result: `wafer.job.result` or, with the same values, `wafer.step.result`.
        error_type: Qualified class name of the exception that made it fail.
        message: The exception's text.
    """

    result: str
    error_type: str | None = None
    message: str | None = None


SUCCESS = Outcome(JobResult.SUCCESS)
CANCELLATION = Outcome(JobResult.CANCELLATION)
FAILURE = Outcome(JobResult.FAILURE)


def of(error: BaseException | None) -> Outcome:
    """Tell the outcome.

    Args:
        error: What was raised through the block, or None. `sys.exit()` with code 0 or None is a success.

    Returns:
        Success, cancellation or failure.
    """
    if error is None or (isinstance(error, SystemExit) and error.code in (None, 0)):
        return SUCCESS
    if isinstance(error, _CANCELLED):
        return CANCELLATION
    with guard.ARGUMENTS:
        return Outcome(FAILURE.result, _type_name(type(error)), _text(error))
    return FAILURE


def _type_name(kind: type[BaseException]) -> str:
    return kind.__qualname__ if kind.__module__ in ("builtins", None) else f"{kind.__module__}.{kind.__qualname__}"


def _text(error: BaseException) -> str:
    try:
        return str(error)[:_MESSAGE_LENGTH]
    except Exception:  # noqa: BLE001 - an exception class of the host's whose __str__ is broken still failed the job
        return ""
