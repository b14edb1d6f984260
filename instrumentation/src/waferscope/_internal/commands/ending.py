"""How a command ended, and how this process ends the same way."""

from __future__ import annotations

import atexit
import os
import resource
import signal
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from waferscope._internal.commands import signals

NOT_EXECUTABLE = 126  # POSIX, Shell Command Language, 2.8.2 "Exit Status for Commands"
NOT_FOUND = 127
_SIGNALLED = 128  # a shell reports death by signal n as 128 + n

_CANCELLING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of a command.

    Attributes:
        code: Its exit code; None when a signal ended it.
        signal: The signal that ended it; None when it has exited.
        error: Why it could not be executed; None when it was.
    """

    code: int | None = None
    signal: int | None = None
    error: OSError | None = None

    @classmethod
    def of(cls, status: int) -> Ending:
        """Read a wait status."""
        if os.WIFSIGNALED(status):
            return cls(signal=os.WTERMSIG(status))
        return cls(code=os.WEXITSTATUS(status))

    @classmethod
    def unexecuted(cls, error: OSError) -> Ending:
        """Give the end of a command that could not be executed, with the exit code that a shell gives it."""
        missing = isinstance(error, (FileNotFoundError, NotADirectoryError))
        return cls(code=NOT_FOUND if missing else NOT_EXECUTABLE, error=error)

    @property
    def reason(self) -> str:
        """One of few words for it: `exit 3`, `SIGSEGV`, `not found`, `not executable`."""
        if self.error is not None:
            return "not found" if self.code == NOT_FOUND else "not executable"
        return f"exit {self.code}" if self.signal is None else signals.name(self.signal)

    def result(self, received: Collection[int]) -> Literal["success", "failure", "cancellation"]:
        """Judge the end.

        Args:
            received: Signals that the command was sent. One that asks to end makes an exit code of 128 + signal a
                cancellation, as death by it always is.
        """
        if self.code == 0:
            return "success"
        ended_by = self.signal or (self.code or 0) - _SIGNALLED
        asked = self.signal is not None or ended_by in received
        return "cancellation" if ended_by in _CANCELLING and asked else "failure"


class Farewell:
    """Ends this process as the command ended, after everything else that is done at its exit.

    Made before the first job: handlers of `atexit` run in reverse order, so the telemetry is delivered by then.
    """

    def __init__(self) -> None:
        self._signal: int | None = None
        atexit.register(self._act)

    def like(self, ending: Ending) -> int:
        """Prepare to end like that; give the exit code to leave with."""
        self._signal = ending.signal
        return ending.code if ending.code is not None else _SIGNALLED + (ending.signal or 0)

    def _act(self) -> None:
        if self._signal is not None:
            _die_by(self._signal)


def _die_by(number: int) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    # core(5): no dump of ours beside the command's own. 1 is less than any file takes, and the only limit that a
    # handler behind a pipe respects.
    resource.setrlimit(resource.RLIMIT_CORE, (0 if most == 0 else 1, most))
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    os.kill(os.getpid(), number)
    os._exit(_SIGNALLED + number)  # the first process of a container can't be killed by itself
