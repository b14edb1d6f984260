"""What is told of an exception: its type, its text and its stack, as much of them as is worth keeping."""

from __future__ import annotations

import traceback
from collections import deque

from waferscope import semconv
from waferscope._internal import arguments, guard

_MESSAGE_LENGTH = 4096  # characters of an exception's text that are kept
_STACK_LENGTH = 8192  # characters of its stack: the last ones, which tell where it was raised
_FRAMES = -100  # the innermost ones; of each exception of a chain
_CUT = "[...]\n"


def kind_of(kind: type[BaseException]) -> str:
    """Give the qualified name of an exception's class."""
    name = kind.__qualname__ if kind.__module__ in ("builtins", None) else f"{kind.__module__}.{kind.__qualname__}"
    return arguments.text(name)


def message_of(error: BaseException) -> str:
    """Give an exception's text; empty where it has none to give."""
    try:
        return arguments.text(str(error)[:_MESSAGE_LENGTH])
    except Exception as broken:
        if guard.passes(broken, broken.__traceback__):
            raise
        return ""  # an exception class of the host's whose __str__ is broken still failed the job


def stack_of(error: BaseException) -> str:
    """Give an exception's stack with those of its causes, in the order of a traceback."""
    found = traceback.TracebackException(type(error), error, error.__traceback__, limit=_FRAMES, compact=True)
    kept: deque[str] = deque()
    length, start = 0, ""
    for piece in found.format():
        kept.append(piece if len(piece) <= _MESSAGE_LENGTH else f"{piece[:_MESSAGE_LENGTH]}\n")
        length += len(kept[-1])
        while length > _STACK_LENGTH - len(_CUT):
            length -= len(kept.popleft())
            start = _CUT
    return arguments.text("".join((start, *kept)))


def described(error: BaseException) -> dict[str, str]:
    """Give the attributes of an exception (OpenTelemetry semantic conventions, "Exceptions")."""
    return {
        semconv.EXCEPTION_TYPE: kind_of(type(error)),
        semconv.EXCEPTION_MESSAGE: message_of(error),
        semconv.EXCEPTION_STACKTRACE: stack_of(error),
    }
