"""The wrapper's own threads: out of the way of what the host does with signals, and with all the threads it sees."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

# The C function itself: the Python one around it may be interrupted by a signal handler of the host's before it has
# given the host's mask back.
_sigmask: Any = getattr(sys.modules.get("_signal"), "pthread_sigmask", None)
# What a thread does wrong by itself comes to that thread: blocked, it would kill without the host's `faulthandler`.
_OWN_FAULTS = ("SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGSEGV", "SIGSYS", "SIGTRAP")


class Helper(threading.Thread):
    """A daemon thread that takes no signals: a host that blocks one in its threads must not get it nevertheless.

    Nor does it keep anybody waiting who joins all threads that there are: they would wait for ever.
    """

    def __init__(self, target: Callable[..., None], args: tuple[Any, ...], name: str) -> None:
        super().__init__(target=target, args=args, name=name, daemon=True)

    def start(self) -> None:
        """Start it; the kernel gives it the mask of the thread that does so."""
        if _sigmask is None:
            super().start()
            return
        before = _sigmask(signal.SIG_BLOCK, ())  # asked first: blocking may raise what a handler of the host's does
        try:
            _sigmask(signal.SIG_BLOCK, _blockable())
            super().start()
        finally:
            _sigmask(signal.SIG_SETMASK, before)

    def join(self, timeout: float | None = None) -> None:
        """Wait for nothing."""
        del timeout


def _blockable() -> set[int]:
    return set(map(int, signal.valid_signals())) - {
        getattr(signal, name) for name in _OWN_FAULTS if hasattr(signal, name)
    }
