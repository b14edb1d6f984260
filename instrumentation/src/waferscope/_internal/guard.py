"""What keeps a fault of the wrapper away from the host job.

Every call that leaves the wrapper's own arithmetic (clock, span, event, export, fork hook ...) stands in the boundary
of its kind: `with guard.SPAN: ...`. An `Exception` inside is counted, told once in the log, and goes no further. What
the interpreter, the user or the host raises amid our code (`KeyboardInterrupt`, `SystemExit`, `CancelledError`, what
`interruption` finds) passes unchanged, and so does `UsageError`, which exists only where the author has asked for it.
"""

from __future__ import annotations

import logging
from types import TracebackType

from waferscope._internal import interruption

_logger = logging.getLogger("waferscope")


class UsageError(ValueError):
    """A wrong argument, raised at the call: only after `configure(strict=True)` or with WAFERSCOPE_STRICT=true."""


class Boundary:
    """A reusable context manager that lets no `Exception` out; holds no state of its users, so threads may share it."""

    __slots__ = ("_told", "failures", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.failures = 0
        self._told: set[str] = set()

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if kind is None or passes(error, trace):
            return False
        self.failed(error, "internal error in %s; the job goes on, some telemetry may be missing", self.name)
        return True

    def failed(self, error: BaseException | None, message: str, *args: object) -> None:
        """Count a failure; log the first one of each message.

        Args:
            error: The exception behind it, if there was one.
            message: What happened, with %-placeholders for `args`.
            *args: What the placeholders stand for.
        """
        self.failures += 1
        if message in self._told:
            return
        self._told.add(message)
        tell(message, *args, error=error)

    def reset(self) -> None:
        """Forget what was counted: a forked child counts for itself."""
        self.failures = 0
        self._told = set()


class Expected:
    """As `contextlib.suppress`, for what is no fault, but lets pass what the host raises amid it. Can be shared."""

    __slots__ = ("_kinds",)

    def __init__(self, *kinds: type[Exception]) -> None:
        self._kinds = kinds

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        return kind is not None and issubclass(kind, self._kinds) and not interruption.is_hosts(error, trace)


def passes(error: BaseException | None, trace: TracebackType | None) -> bool:
    """Whether an exception is no fault of ours, and must reach the host.

    Args:
        error: What a boundary has caught.
        trace: Its traceback, from there on.
    """
    return not isinstance(error, Exception) or isinstance(error, UsageError) or interruption.is_hosts(error, trace)


def tell(message: str, *args: object, error: BaseException | None = None) -> None:
    """Write a warning to the log, and survive a log that is itself broken."""
    with Expected(Exception):
        _logger.warning(message, *args, exc_info=error)


ARGUMENTS = Boundary("arguments")
CONFIGURE = Boundary("configuration")
JOB = Boundary("a job's beginning or end")
STEP = Boundary("a step's beginning or end")
CLOCK = Boundary("clock")
IDS = Boundary("ids")
CONTEXT = Boundary("context")
SPAN = Boundary("span")
EVENT = Boundary("event")
LOG = Boundary("log")
METRIC = Boundary("metric")
USAGE = Boundary("usage")
HEARTBEAT = Boundary("heartbeat")
BACKGROUND = Boundary("background work")
EXPORT = Boundary("export")
FLUSH = Boundary("flush")
FORK = Boundary("fork")
SIGNAL = Boundary("signal")
TERMINAL = Boundary("progress bar")

BOUNDARIES = (
    ARGUMENTS,
    CONFIGURE,
    JOB,
    STEP,
    CLOCK,
    IDS,
    CONTEXT,
    SPAN,
    EVENT,
    LOG,
    METRIC,
    USAGE,
    HEARTBEAT,
    BACKGROUND,
    EXPORT,
    FLUSH,
    FORK,
    SIGNAL,
    TERMINAL,
)
