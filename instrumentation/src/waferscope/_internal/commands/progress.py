"""The file by which a command of any language tells its job how far it is."""

from __future__ import annotations

import logging
import math
import os
import shutil
import tempfile
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from time import monotonic
from typing import Any, Protocol

from waferscope._internal import guard

_INTERVAL = 0.25  # s between two looks
_CHUNK = 65536  # bytes; a line may be no longer
_LAST_LOOK = 1.0  # s that reading what is left may take once the command has ended
_SHOWN = 80  # characters of a line that is not understood

_READING = guard.Boundary("reading the progress file")
_logger = logging.getLogger("waferscope")


class Target(Protocol):
    """What the lines speak to: a job."""

    def progress(self, done: float, total: float | None = None) -> None: ...
    def processed(self, substrates: int = 1) -> None: ...
    def step(self, name: str, /) -> AbstractContextManager[Any]: ...
    def record(self, name: str, value: float, unit: str) -> None: ...
    def log(self, message: str) -> None: ...


class Lines:
    """Understands the lines, in order.

    Attributes:
        verdict: What the command said of its own result, its last word: the verb and the reason.
        nonsense: How many lines were not understood.
    """

    def __init__(self, target: Target) -> None:
        self.verdict: tuple[str, str] | None = None
        self.nonsense = 0
        self._first_nonsense = ""
        self._target = target
        self._step: AbstractContextManager[Any] | None = None
        self._verbs: dict[str, Callable[[str], None]] = {
            "progress": self._progress,
            "step": self._begin_step,
            "processed": lambda rest: target.processed(_whole(rest)),
            "log": lambda rest: target.log(_text(rest)),
            "record": self._record,
            "fail": lambda rest: self._judge("fail", rest),
            "skip": lambda rest: self._judge("skip", rest),
            "cancel": lambda rest: self._judge("cancel", rest),
        }

    def take(self, line: str) -> None:
        """Do what a line says; count one that says nothing known."""
        verb, _, rest = line.strip().partition(" ")
        if not verb:
            return
        try:
            self._verbs[verb](rest.strip())
        except (KeyError, ValueError):
            self.refuse(line)

    def refuse(self, line: str) -> None:
        """Count a line that is not understood."""
        self.nonsense += 1
        self._first_nonsense = self._first_nonsense or line[:_SHOWN]

    def end(self) -> None:
        """End the step that is open, and tell what was not understood."""
        self._end_step()
        if self.nonsense:
            _logger.warning(
                "WAFERSCOPE_PROGRESS: %d line(s) were not understood, the first one: %r",
                self.nonsense,
                self._first_nonsense,
            )

    def _progress(self, rest: str) -> None:
        done, *total = map(_number, rest.split())
        if len(total) > 1:
            raise ValueError
        self._target.progress(done, *total)

    def _record(self, rest: str) -> None:
        name, value, unit = rest.split()
        self._target.record(name, _number(value), unit)

    def _judge(self, verb: str, reason: str) -> None:
        self.verdict = (verb, _text(reason))

    def _begin_step(self, name: str) -> None:
        self._end_step()
        if name:
            self._step = self._target.step(name)
            self._step.__enter__()

    def _end_step(self) -> None:
        step, self._step = self._step, None
        if step is not None:
            step.__exit__(None, None, None)


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError
    return value


def _whole(text: str) -> int:
    value = int(text)
    if value < 0:
        raise ValueError
    return value


def _text(text: str) -> str:
    if not text:
        raise ValueError
    return text


class ProgressFile:
    """A file in a private folder, read in a thread of its own while the command appends lines to it.

    Attributes:
        path: Of the file.
    """

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="waferscope-"))  # for its owner alone
        self.path = self._folder / "progress"
        self.path.touch(mode=0o600)
        self._file = self.path.open("rb", buffering=0)
        self._rest = b""
        self._over_long = False
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def follow(self, lines: Lines) -> None:
        """Begin to read.

        Args:
            lines: What understands them; used in the reading thread only.
        """
        self._thread = threading.Thread(target=self._read, args=(lines,), name="waferscope-progress", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Read what is left, once the command has ended, and remove the file."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(2 * _LAST_LOOK)
        self._file.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _read(self, lines: Lines) -> None:
        while not self._ended.wait(_INTERVAL):
            with _READING:
                self._look(lines, monotonic() + _INTERVAL)
        with _READING:
            self._look(lines, monotonic() + _LAST_LOOK)
            if self._rest:
                self._take(self._rest, lines)  # nobody will end this line any more
        with _READING:
            lines.end()

    def _look(self, lines: Lines, deadline: float) -> None:
        if os.fstat(self._file.fileno()).st_size < self._file.tell():
            self._file.seek(0)  # it was written anew instead of appended to
            self._rest = b""
        while monotonic() < deadline and (chunk := self._file.read(_CHUNK)):
            *whole, self._rest = (self._rest + chunk).split(b"\n")
            for line in whole:
                self._take(line, lines)
            if len(self._rest) > _CHUNK:
                self._rest, self._over_long = b"", True

    def _take(self, line: bytes, lines: Lines) -> None:
        text = line.decode(errors="replace")
        over_long, self._over_long = self._over_long, False
        if over_long:
            lines.refuse(text)
            return
        with _READING:
            lines.take(text)
