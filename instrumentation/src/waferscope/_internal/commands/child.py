"""The command that is run: forked at once, executed when its environment is known, waited for."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from waferscope._internal import guard
from waferscope._internal.commands.ending import NOT_FOUND, Ending
from waferscope._internal.commands.signals import Signals, is_for

if TYPE_CHECKING:
    from resource import struct_rusage

_FORWARDING = guard.Boundary("passing a signal on")


class Child:
    """The command's process.

    It is forked before anything else is imported or started, and waits. So no thread, no connection and no open file
    of the telemetry gets into it, and its highest resident set (which the kernel takes over from the process that
    executes the command) is that of a bare Python.

    Attributes:
        pid: Its process id.
        received: Signals that it was sent, by us or by the terminal.
        used: What it and its own children have used; None until it has ended.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self.received: set[int] = set()
        self.used: struct_rusage | None = None
        self._signals = Signals()
        _restore_locale()
        try:
            gate, self._gate = os.pipe()
            self._fault, fault = os.pipe()
            self.pid = os.fork()
        except OSError:  # no process or file is left for us: better unobserved than not run
            self._signals.restore()
            execute(command, os.environ)
        if self.pid == 0:
            _become(command, self._signals, gate=gate, fault=fault, others=(self._gate, self._fault))
        os.close(gate)
        os.close(fault)

    def execute(self, environment: Mapping[str, str]) -> OSError | None:
        """Let it execute the command.

        Args:
            environment: What it sees beside the environment of this process.

        Returns:
            Why the command could not be executed; None when it was.
        """
        with os.fdopen(self._gate, "wb") as gate, guard.ARGUMENTS:
            gate.write(json.dumps(dict(environment)).encode())
        with os.fdopen(self._fault, "rb") as fault:
            said = fault.read()  # empty once the command is executed, which closes the other end
        return OSError(int(said), os.strerror(int(said))) if said else None

    def wait(self) -> Ending:
        """Wait for its end, passing signals on."""
        while True:
            pid, status, used = os.wait4(self.pid, os.WNOHANG | os.WUNTRACED | os.WCONTINUED)
            if pid == 0:
                self._pass_on()
            elif os.WIFSTOPPED(status):
                self._signals.stop(os.WSTOPSIG(status))
            elif not os.WIFCONTINUED(status):
                self.used = used
                return Ending.of(status)

    def _pass_on(self) -> None:
        arrival = self._signals.next()
        self.received.add(arrival.number)
        wanted = True
        with _FORWARDING:
            wanted = is_for(self.pid, arrival)
        if wanted:
            os.kill(self.pid, arrival.number)


def execute(command: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    """Become the command, found as by execvp(3): a file without a format of its own is a shell script.

    Raises:
        OSError: It can't be executed.
    """
    if not command[0]:  # Python refuses it in another way
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    try:
        os.execvpe(command[0], list(command), dict(environment))  # noqa: S606 - what it is for
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise
    script = shutil.which(command[0], path=environment.get("PATH")) or command[0]
    os.execve("/bin/sh", ["sh", script, *command[1:]], dict(environment))  # noqa: S606 - as above


def _become(command: Sequence[str], signals: Signals, *, gate: int, fault: int, others: Sequence[int]) -> NoReturn:
    """Be the forked child: wait for the environment, then execute; never return into the caller's code."""
    number = errno.ECANCELED
    try:
        for descriptor in others:
            os.close(descriptor)
        # Bytes here and there: there may be no file descriptor left to import the codec of a text.
        with os.fdopen(gate, "rb") as waiting:
            said = waiting.read()
        with suppress(ValueError):  # nothing, where it could not be told
            os.environ.update(json.loads(said))
        signals.restore()
        execute(command, os.environ)
    except OSError as error:
        number = error.errno or number
    finally:
        os.write(fault, str(number).encode())
        os._exit(NOT_FOUND)


def _restore_locale() -> None:
    """Undo what Python has done to the environment (PEP 538: in the C locale it sets LC_CTYPE for its children)."""
    try:
        at_start = dict(
            entry.partition(b"=")[::2] for entry in Path("/proc/self/environ").read_bytes().split(b"\0") if entry
        )
    except (OSError, ValueError):
        return
    before = at_start.get(b"LC_CTYPE")
    if before is None:
        os.environ.pop("LC_CTYPE", None)
    else:
        os.environb[b"LC_CTYPE"] = before
