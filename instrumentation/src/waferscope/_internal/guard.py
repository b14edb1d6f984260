"""What keeps a fault of the wrapper away from the host job.

Every call that leaves the wrapper's own arithmetic (clock, span, log, export, fork hook ...) stands in the boundary of
its kind: `with guard.SPAN: ...`. An `Exception` inside is counted, told once in the log, and goes no further. What the
interpreter or the user raises through us (`KeyboardInterrupt`, `SystemExit`, `CancelledError`) passes unchanged.
"""

from __future__ import annotations

import contextlib
import logging
from types import TracebackType

_logger = logging.getLogger("waferscope")


class Boundary:
    """A reusable context manager that lets no `Exception` out; holds no state of its users, so threads may share it."""

    __slots__ = ("_told", "failures", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.failures = 0
        self._told = False

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> bool:
        if kind is None or not issubclass(kind, Exception):
            return False
        self.failed(error, "internal error in %s; the job goes on, some telemetry may be missing", self.name)
        return True

    def failed(self, error: BaseException | None, message: str, *args: object, count: int = 1) -> None:
        """Count a failure; log the first one.

        Args:
            error: The exception behind it, if there was one.
            message: What happened, with %-placeholders for `args`.
            *args: What the placeholders stand for.
            count: How many items were lost by it.
        """
        self.failures += count
        if self._told:
            return
        self._told = True
        with contextlib.suppress(Exception):  # the last resort: a log handler of the host's may itself be broken
            _logger.warning(message, *args, exc_info=error)

    def reset(self) -> None:
        """Forget what was counted: a forked child counts for itself."""
        self.failures = 0
        self._told = False


ARGUMENTS = Boundary("arguments")
CONFIGURE = Boundary("configuration")
CLOCK = Boundary("clock")
CONTEXT = Boundary("context")
SPAN = Boundary("span")
EVENT = Boundary("event")
METRIC = Boundary("metric")
USAGE = Boundary("usage")
HEARTBEAT = Boundary("heartbeat")
BACKGROUND = Boundary("background work")
EXPORT = Boundary("export")
FLUSH = Boundary("flush")
FORK = Boundary("fork")

BOUNDARIES = (
    ARGUMENTS,
    CONFIGURE,
    CLOCK,
    CONTEXT,
    SPAN,
    EVENT,
    METRIC,
    USAGE,
    HEARTBEAT,
    BACKGROUND,
    EXPORT,
    FLUSH,
    FORK,
)
