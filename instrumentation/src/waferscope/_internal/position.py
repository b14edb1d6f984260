"""How far a job is."""

from __future__ import annotations

from typing import Any

from waferscope._internal import arguments

Position = tuple[float, float | None]


def checked(done: Any, total: Any) -> Position | None:
    """Check what the author says of it.

    Args:
        done: Units of work done.
        total: Units of work in all; None where it is not known.

    Returns:
        Units done and in all; None for what can't be.
    """
    counted = arguments.number("done", done)
    in_all = None if total is None else arguments.number("total", total)
    if counted is None:
        return None
    if counted < 0:
        arguments.misuse("done is not below 0: %r; it is left out", done)
        return None
    if in_all is not None and counted > in_all:
        arguments.misuse("done is %r, more than the total of %r, which is left out", done, total)
        in_all = None
    return counted, in_all
