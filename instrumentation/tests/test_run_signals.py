"""Signals reach the command of `waferscope run` once, from wherever they come."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

pytestmark = pytest.mark.skipif(not hasattr(signal, "sigwaitinfo"), reason="who sent a signal is not known here")

RUN = [
    sys.executable, "-c", "import sys; from waferscope._internal.cli import main; sys.exit(main())",
    "run", "--name", "wrapped", "--",
]  # fmt: skip
# Writes the name of each signal that arrives; ends with `exit`'s code by SIGTERM, else at the end of its input.
COUNTER = """
import os, signal, sys
def note(number, frame):
    os.write(1, f"{signal.Signals(number).name}\\n".encode())
    if number == signal.SIGTERM:
        os._exit(143)
for name in ("HUP", "INT", "QUIT", "TERM", "USR1", "USR2", "ALRM", "WINCH"):
    signal.signal(getattr(signal, f"SIG{name}"), note)
os.write(1, b"ready\\n")
while os.read(0, 1):
    pass
"""


class Wrapped:
    """A command under `waferscope run`, with pipes."""

    def __init__(self, url: str, command: list[str]) -> None:
        own = ("OTEL_", "WAFERSCOPE_")
        env = {key: value for key, value in os.environ.items() if not key.startswith(own)}
        self.process = subprocess.Popen(
            [*RUN, *command], env={**env, "OTEL_EXPORTER_OTLP_ENDPOINT": url}, start_new_session=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0,
        )  # fmt: skip

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().decode().strip()

    def child(self) -> int:
        (found,) = psutil.Process(self.process.pid).children()
        return int(found.pid)

    def end(self) -> tuple[list[str], int]:
        out, _ = self.process.communicate(timeout=60)
        return out.decode().split(), self.process.returncode


@pytest.fixture
def wrapped(receiver: Any) -> Iterator[Any]:
    started: list[Wrapped] = []

    def begin(*command: str) -> Wrapped:
        started.append(Wrapped(receiver.url, list(command)))
        return started[-1]

    yield begin
    for one in started:
        if one.process.poll() is None:
            os.killpg(one.process.pid, signal.SIGKILL)
        one.process.communicate()


def results(receiver: Any) -> list[str]:
    return [said["wafer.job.result"] for name, said in receiver.events() if name == "wafer.job.ended"]


@pytest.mark.parametrize("name", ["SIGHUP", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGWINCH"])
def test_a_signal_sent_to_the_wrapper_reaches_the_command_once(wrapped: Any, name: str) -> None:
    command = wrapped(sys.executable, "-c", COUNTER)
    assert command.line() == "ready"
    os.kill(command.process.pid, getattr(signal, name))
    assert command.line() == name
    assert command.end() == ([], 0)


def test_a_command_that_ends_by_sigterm_was_cancelled(wrapped: Any, receiver: Any) -> None:
    """The result needs Job.cancel."""
    command = wrapped(sys.executable, "-c", COUNTER)
    assert command.line() == "ready"
    os.kill(command.process.pid, signal.SIGTERM)
    assert command.line() == "SIGTERM"
    assert command.end() == ([], 143)
    assert results(receiver) == ["cancellation"]


def test_the_wrapper_dies_by_the_signal_that_it_passed_on(wrapped: Any) -> None:
    command = wrapped("sh", "-c", "echo ready; exec sleep 60")
    assert command.line() == "ready"
    os.kill(command.process.pid, signal.SIGTERM)
    assert command.end() == ([], -signal.SIGTERM)


def test_the_wrapper_dies_as_the_command_was_killed(wrapped: Any) -> None:
    command = wrapped("sh", "-c", "echo ready; exec sleep 60")
    assert command.line() == "ready"
    os.kill(command.child(), signal.SIGKILL)
    assert command.end() == ([], -signal.SIGKILL)


def test_a_command_that_signals_its_own_group_is_not_signalled_again(wrapped: Any) -> None:
    script = f"{COUNTER.split('while', maxsplit=1)[0]}\nos.killpg(0, signal.SIGUSR1)\nwhile os.read(0, 1):\n    pass"
    command = wrapped(sys.executable, "-c", script)
    assert [command.line(), command.line()] == ["ready", "SIGUSR1"]
    os.kill(command.process.pid, signal.SIGUSR2)  # read after the other: that one has been dealt with by then
    assert command.line() == "SIGUSR2"
    assert command.end() == ([], 0)


class Terminal:
    """A program in the foreground of a terminal of its own; we are the terminal, and its parent."""

    def __init__(self, url: str, program: list[str]) -> None:
        self.pid, self.screen = pty.fork()
        if self.pid == 0:
            os.execve(program[0], program, {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": url})
        self.seen = ""

    def wait_for(self, text: str) -> None:
        while text not in self.seen:
            self.seen += os.read(self.screen, 4096).decode()

    def press(self, key: bytes) -> None:
        os.write(self.screen, key)

    def end(self) -> int:
        try:
            while chunk := os.read(self.screen, 4096):
                self.seen += chunk.decode()
        except OSError:  # EIO: the other side is closed
            pass
        _, status = os.waitpid(self.pid, 0)
        os.close(self.screen)
        return os.waitstatus_to_exitcode(status)


# Stands for a shell with job control: puts its job into the foreground, continues it once it has stopped.
SHELL = """
import os, signal, sys
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
job = os.fork()
if job == 0:
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpgrp())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    os.execv(sys.argv[1], sys.argv[1:])
while True:
    _, status = os.waitpid(job, os.WUNTRACED)
    if not os.WIFSTOPPED(status):
        break
    print("stopped by", signal.Signals(os.WSTOPSIG(status)).name, flush=True)
    os.tcsetpgrp(0, job)
    os.killpg(job, signal.SIGCONT)
print("status", os.waitstatus_to_exitcode(status), flush=True)
"""


@pytest.mark.filterwarnings("ignore:.*forkpty:DeprecationWarning")
@pytest.mark.parametrize("wrapper", [RUN, []], ids=["wrapped", "plain"])
def test_ctrl_c_at_the_terminal_reaches_the_command_once(receiver: Any, wrapper: list[str]) -> None:
    program = [sys.executable, "-c", SHELL, *wrapper, sys.executable, "-c", COUNTER]
    terminal = Terminal(receiver.url, program)
    terminal.wait_for("ready")
    terminal.press(b"\x03")
    terminal.wait_for("SIGINT")
    terminal.press(b"\x1c")  # Ctrl-\\: read after the other: that one has been dealt with by then
    terminal.wait_for("SIGQUIT")
    terminal.press(b"\n\x04")
    assert terminal.end() == 0
    assert (terminal.seen.count("SIGINT"), terminal.seen.count("SIGQUIT")) == (1, 1)
    assert "status 0" in terminal.seen


@pytest.mark.filterwarnings("ignore:.*forkpty:DeprecationWarning")
@pytest.mark.parametrize("wrapper", [RUN, []], ids=["wrapped", "plain"])
def test_ctrl_z_stops_and_the_shell_continues(receiver: Any, wrapper: list[str]) -> None:
    program = [sys.executable, "-c", SHELL, *wrapper, sys.executable, "-c", COUNTER]
    terminal = Terminal(receiver.url, program)
    terminal.wait_for("ready")
    terminal.press(b"\x1a")
    terminal.wait_for("stopped by SIGTSTP")
    terminal.press(b"\x03")
    terminal.wait_for("SIGINT")
    terminal.press(b"\n\x04")
    assert terminal.end() == 0
    assert terminal.seen.count("stopped by") == 1


@pytest.mark.filterwarnings("ignore:.*forkpty:DeprecationWarning")
@pytest.mark.parametrize("wrapper", [RUN, []], ids=["wrapped", "plain"])
def test_a_hangup_reaches_the_command_of_the_sessions_leader(
    receiver: Any, tmp_path: Path, until: Any, wrapper: list[str]
) -> None:
    """As by `ssh -t host waferscope run -- command`: the kernel tells only the leader, which is the wrapper then."""
    note = tmp_path / "note"
    script = f"trap 'echo hangup >> {note}; exit 0' HUP; echo ready; while :; do sleep 0.05; done"
    terminal = Terminal(receiver.url, [*wrapper, "/bin/sh", "-c", script])
    terminal.wait_for("ready")
    os.close(terminal.screen)
    until(note.exists)
    assert os.waitpid(terminal.pid, 0)[1] == 0
    assert note.read_text() == "hangup\n"
