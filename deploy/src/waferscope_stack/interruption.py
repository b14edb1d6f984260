"""SIGTERM, Ctrl-C and a closed terminal as one exception in the main thread."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Interrupted(BaseException):
    """Someone wants the program to stop; no `except Exception` may swallow it."""


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Raise `Interrupted` at the first of the signals, and swallow it at the end of the block.

    Later ones change nothing: what was started is stopped in order, and each step of that has its time limit.
    """
    before = {number: signal.signal(number, _interrupt) for number in SIGNALS}
    try:
        yield
    except Interrupted:
        pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise Interrupted
