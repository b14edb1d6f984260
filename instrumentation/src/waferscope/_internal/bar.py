"""A progress bar on standard error, when that is a terminal."""

from __future__ import annotations

import os
import sys
from time import monotonic

from waferscope._internal import guard

_REDRAW = 0.1  # s
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_ASCII = " #"
_COLUMNS = 80  # where the terminal does not tell
_WIDTH = 12  # characters of the bar itself: the whole line fits into 80

_shown: list[Bar] = []  # the bar that is drawn now, if one is


class Bar:
    """One line that is written over and over."""

    def __init__(self, name: str, total: int | None, unit: str) -> None:
        self._name = name
        self._total = total
        self._unit = unit
        self._marks = _marks(sys.stderr.encoding)
        self._began = monotonic()
        self._drawn = 0.0
        self._done = 0
        self._draw(self._began)

    def update(self, done: int) -> None:
        """Show how many are done, ten times a second at the most."""
        with guard.TERMINAL:
            self._done = done
            now = monotonic()
            if now - self._drawn >= _REDRAW:
                self._draw(now)

    def close(self) -> None:
        """Show the last state and leave the line."""
        with guard.TERMINAL:
            self._draw(monotonic())
            sys.stderr.write("\n")
            sys.stderr.flush()

    def _draw(self, now: float) -> None:
        self._drawn = now
        line = line_of(self._name, self._done, self._total, self._unit, now - self._began, marks=self._marks)
        columns = os.get_terminal_size(sys.stderr.fileno()).columns or _COLUMNS
        sys.stderr.write(f"\r{line[: columns - 1]}\x1b[K")
        sys.stderr.flush()


def show(name: str, total: int | None, unit: str) -> Bar | None:
    """Draw a bar; None where nobody would see it, or WAFERSCOPE_PROGRESS_BAR=false says so, or another one is drawn.

    A terminal has one line for it: of iterations within each other the outermost is shown, it ends the last.

    Args:
        name: Of the job.
        total: How many there are, where known.
        unit: Of what.
    """
    with guard.TERMINAL:
        wanted = os.environ.get("WAFERSCOPE_PROGRESS_BAR", "").strip().lower() != "false"
        if wanted and not _shown and os.environ.get("TERM") != "dumb" and _is_terminal():
            _shown.append(Bar(name, total, unit))
            return _shown[0]
    return None


def close(bar: Bar | None) -> None:
    """Leave the line of a bar that was drawn."""
    if bar is not None:
        bar.close()
        _shown.clear()


def line_of(name: str, done: int, total: int | None, unit: str, elapsed: float, *, marks: str = _EIGHTHS) -> str:
    """Write the line.

    Args:
        name: Of the job.
        done: How many are done.
        total: How many there are, where known.
        unit: Of what.
        elapsed: Since the beginning, s.
        marks: What the bar is drawn with, from an empty place to a full one.
    """
    rate = done / elapsed if elapsed > 0 else 0.0
    speed = f"{rate:.2f} {unit}/s" if rate >= 1 or not rate else f"{1 / rate:.2f} s/{unit}"
    if not total:
        return f"{name}: {done} {unit} [{_time(elapsed)}, {speed}]"
    share = min(done / total, 1.0)
    full, part = divmod(round(share * _WIDTH * (len(marks) - 1)), len(marks) - 1)
    filled = (marks[-1] * full + (marks[part] if part else "")).ljust(_WIDTH)
    left = _time((total - done) / rate) if rate else "?"
    return f"{name}: {share:4.0%} |{filled}| {done}/{total} {unit} [{_time(elapsed)}<{left}, {speed}]"


def _is_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()


def _marks(encoding: str | None) -> str:
    """Give what a terminal of an encoding can show."""
    try:
        _EIGHTHS.encode(encoding or "ascii")
    except (UnicodeError, LookupError):
        return _ASCII
    return _EIGHTHS


def _time(seconds: float) -> str:
    minutes, rest = divmod(max(int(seconds), 0), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes:02d}:{rest:02d}"
