"""A block of the host's code that is observed: by `with`, by `async with`, or as a decorator of a function."""

from __future__ import annotations

from abc import abstractmethod
from types import TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from waferscope._internal import arguments, context, decorator, guard
from waferscope._internal.outcome import OTHER, Outcome
from waferscope.semconv import JobResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.context import Context
    from typing_extensions import Self  # typing has it from 3.11 on

    from waferscope._internal.job import Job
    from waferscope._internal.step import Step

P = ParamSpec("P")
R = TypeVar("R")


class Observed:
    """A block of the host's code that is observed from its beginning to its end. Never changes what it raises."""

    __slots__ = ("_declared", "_outer", "_repeats", "_suspended")

    def __init__(self) -> None:
        self._outer: Context | None = None  # what is current again after it; None while it is not entered
        self._suspended: Context | None = None
        self._declared: Outcome | None = None
        self._repeats = 0  # entries amid the first one, which alone begins and ends it

    @abstractmethod
    def _begin(self) -> None:
        """Note the beginning; must not raise."""

    @abstractmethod
    def _finish(self, error: BaseException | None) -> None:
        """Note the end; must not raise anything of its own, and can be called again where the host has raised amid it.

        Args:
            error: What was raised through the block.
        """

    @abstractmethod
    def _again(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Self:
        """Make another one like this, not yet begun: each call of a decorated function is a run of its own.

        Args:
            args: Of the call.
            kwargs: Of the call.
        """

    def fail(self, reason: str, error_type: str = OTHER) -> None:
        """Declare the failure of a block that raises nothing.

        Args:
            reason: For people, `wafer.job.result_reason`.
            error_type: `error.type`, of low cardinality: it becomes a metric label.
        """
        with guard.ARGUMENTS:
            kind = arguments.identifier("error_type", error_type) or OTHER
            self._declare(Outcome(JobResult.FAILURE, kind, None, arguments.reason(reason)))

    def skip(self, reason: str) -> None:
        """Declare that there was nothing to do.

        Args:
            reason: For people, `wafer.job.result_reason`.
        """
        with guard.ARGUMENTS:
            self._declare(Outcome(JobResult.SKIP, reason=arguments.reason(reason)))

    def cancel(self, reason: str) -> None:
        """Declare that the work was told to stop, where no exception says so.

        Args:
            reason: For people, `wafer.job.result_reason`.
        """
        with guard.ARGUMENTS:
            self._declare(Outcome(JobResult.CANCELLATION, reason=arguments.reason(reason)))

    def _declare(self, how: Outcome) -> None:
        """Keep what the author says of the end."""
        self._declared = how

    def _outside(self) -> None:
        """Make current again what was so before; what has been entered in its block and is still open stays current.

        Ended elsewhere than begun, in another task or thread, it leaves alone what is current there. Can be called
        again where the host has raised amid it.
        """
        with guard.CONTEXT:
            outer = self._outer
            if outer is None:
                return
            here = context.current()
            if self._holds(here):
                context.attach(outer)
            else:
                self._slip_out(here, outer)
            self._outer = None

    def _slip_out(self, here: Context, outer: Context) -> None:
        """Let what is around it be around what has been entered in its block and is still open."""
        passed: set[Observed] = set()
        inner = context.innermost(here)
        while inner is not None and inner not in passed:  # a generator may be resumed by a task of its own block
            passed.add(inner)
            inner = inner._skip(self, outer)

    def _skip(self, ended: Observed, outer: Context) -> Job | Step | None:
        """Not make current again, after this one, what has ended before it.

        Args:
            ended: That was entered before this one.
            outer: What is current after that.

        Returns:
            What is around this one, unless the ended one was.
        """
        if self._outer is None:
            return None
        if ended._holds(self._outer):
            self._outer = outer
            return None
        return context.innermost(self._outer)

    @abstractmethod
    def _holds(self, here: Context) -> bool:
        """Whether a context is one of its block."""

    def _suspend(self) -> None:
        """Give the caller's context back while a generator waits at its `yield`."""
        with guard.CONTEXT:
            if self._outer is not None:
                self._suspended = context.current()
                context.attach(self._outer)

    def _resume(self) -> None:
        """Make current again what was current in the generator."""
        with guard.CONTEXT:
            if self._suspended is not None:
                self._outer = context.current()
                context.attach(self._suspended)

    def __enter__(self) -> Self:
        try:
            self._begin()
            return self  # noqa: TRY300 - no instruction may stand outside
        except BaseException as error:  # what a signal handler of the host's raises amid it: nobody else would end it
            self._finish(error)
            raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        try:
            self._finish(error)
        except BaseException as interruption:
            self._finish(interruption)
            raise

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Observe each call of a function, coroutine function, generator or async generator function.

        Args:
            function: What to decorate.

        Returns:
            A function of the same kind and signature.
        """
        return decorator.decorate(self._again, function)
