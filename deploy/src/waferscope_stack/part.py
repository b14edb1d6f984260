"""A part of the stack that runs as a child process."""

import contextlib
import os
import signal
import subprocess
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from waferscope_stack.errors import PartEndedError
from waferscope_stack.tether import tethered

STOP_S = 30.0  # the writer commits what it has taken in


class Part(Protocol):
    """What the stack must know of anything that it runs."""

    @property
    def name(self) -> str:
        """What people call it."""

    @property
    def log(self) -> Path:
        """Where it writes its log."""

    def poll(self) -> int | None:
        """Return None while it runs, else its exit code (negative: the signal that ended it)."""

    def stop(self) -> int:
        """Stop it in good order, and return its exit code."""


class Child:
    """A program of ours or a stock one, tied to this process.

    Attributes:
        name: What people call it.
        log: Where its output goes; appended to.
    """

    def __init__(self, name: str, command: Sequence[str | Path], environment: Mapping[str, str], log: Path) -> None:
        """Start the program.

        Args:
            name: What people call it.
            command: Program (with its path) and arguments.
            environment: Variables over this process's own.
            log: Where its output goes.
        """
        self.name = name
        self.log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 - own arguments
                tethered(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **environment},
                start_new_session=True,  # Ctrl-C is for us alone: the parts stop in order
            )

    def poll(self) -> int | None:
        """Return None while it runs, else its exit code (negative: the signal that ended it)."""
        return self._process.poll()

    def stop(self) -> int:
        """Ask it to end, then make it and all that it started; return its exit code."""
        if self._process.poll() is None:
            self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_S)
        with contextlib.suppress(ProcessLookupError):  # as it should be: the group is empty
            os.killpg(self._process.pid, signal.SIGKILL)
        return self._process.wait()


def waferscope(*arguments: str) -> list[str]:
    """Return the command line of the `waferscope` command that is installed with us."""
    return [str(Path(sysconfig.get_path("scripts"), "waferscope")), *arguments]


def require_running(parts: Sequence[Part]) -> None:
    """Check that no part has ended by itself.

    Args:
        parts: All that should run.

    Raises:
        PartEndedError: One has; the message says how it ended and quotes its last line. Its exit code becomes ours.
    """
    for part in parts:
        code = part.poll()
        if code is not None:
            how = f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
            raise PartEndedError(f"the {part.name} ended with {how}: {_last_line(part.log)} (log: {part.log})", code)


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").split("\n")[-20:]
    return next((line.strip() for line in reversed(lines) if line.strip()), "it wrote nothing")
