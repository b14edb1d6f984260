"""Real processes under test: started, awaited by their health URL, stopped, and quoted when a test fails."""

import os
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from support.wait import wait_until

WAFERSCOPE = str(Path(sys.executable).with_name("waferscope"))


class Process:
    """A child process whose output goes to files; use it as a context manager, which kills what still runs."""

    def __init__(
        self, command: Sequence[str | Path], *, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> None:
        """Start the process.

        Args:
            command: Program and arguments.
            env: Variables over this process's environment.
            cwd: The working folder.
        """
        self.command = [str(word) for word in command]
        self._folder = tempfile.TemporaryDirectory(prefix="waferscope-process-")
        self._stdout, self._stderr = (Path(self._folder.name) / name for name in ("stdout", "stderr"))
        with self._stdout.open("wb") as stdout, self._stderr.open("wb") as stderr:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                env={**os.environ, **(env or {})},
                cwd=cwd,
                start_new_session=True,
            )

    def __enter__(self) -> "Process":  # noqa: PYI034 - Self needs Python 3.11, the wrapper runs on 3.10
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self.exit_code() is None:
            self.stop()
        if error is not None:
            print(self.report())  # pytest shows it with the failure
        self._folder.cleanup()

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def stdout(self) -> str:
        """What it wrote to stdout up to now."""
        return self._stdout.read_text(errors="replace")

    @property
    def stderr(self) -> str:
        """What it wrote to stderr up to now."""
        return self._stderr.read_text(errors="replace")

    def exit_code(self) -> int | None:
        """Return None while it runs, else its exit code (negative: the signal that ended it)."""
        return self._process.poll()

    def report(self) -> str:
        """Return its command, state and the end of its output, for a failure's message."""
        state = "running" if self.exit_code() is None else f"ended with {self.exit_code()}"
        return f"$ {' '.join(self.command)} ({state})\nstdout:\n{self.stdout[-4000:]}\nstderr:\n{self.stderr[-8000:]}"

    def wait_healthy(self, url: str, *, within_s: float = 30.0) -> "Process":
        """Wait until its health URL answers with 200."""
        self._wait_alive(lambda: _answers(url), f"{url} answers", within_s)
        return self

    def wait_stdout(self, text: str = "\n", *, within_s: float = 30.0) -> str:
        """Wait until its stdout holds a text (default: a whole line), and return all of it."""
        self._wait_alive(lambda: text in self.stdout, f"stdout holds {text!r}", within_s)
        return self.stdout

    def wait_stderr(self, text: str, *, within_s: float = 30.0) -> str:
        """Wait until its stderr holds a text, and return all of it."""
        self._wait_alive(lambda: text in self.stderr, f"stderr holds {text!r}", within_s)
        return self.stderr

    def wait_exit(self, *, within_s: float = 90.0) -> int:
        """Wait until it ends, and return its exit code."""
        try:
            return self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {within_s:g} s\n{self.report()}") from None

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def stop(self, *, within_s: float = 20.0) -> int:
        """Ask it to end by SIGTERM, then kill its process group; return its exit code."""
        self._process.terminate()
        try:
            return self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self) -> int:
        """Kill its process group by SIGKILL, as the kernel does when memory is out; return its exit code."""
        if self.exit_code() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        return self._process.wait()

    def _wait_alive(self, condition: Callable[[], bool], what: str, within_s: float) -> None:
        def holds_or_ended() -> bool:
            return condition() or self.exit_code() is not None

        try:
            wait_until(holds_or_ended, what, within_s=within_s)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.report()}") from None
        if not condition():
            raise AssertionError(f"ended before: {what}\n{self.report()}")


def waferscope(*arguments: str | Path, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Process:
    """Start the `waferscope` command of this environment."""
    return Process([WAFERSCOPE, *arguments], env=env, cwd=cwd)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False
