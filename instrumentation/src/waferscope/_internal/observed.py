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
    from contextvars import Token

    from opentelemetry.context import Context
    from typing_extensions import Self  # typing has it from 3.11 on

P = ParamSpec("P")
R = TypeVar("R")


class Observed:
    """A block of the host's code that is observed from its beginning to its end. Never changes what it raises."""

    __slots__ = ("_declared", "_outer", "_repeats", "_suspended", "_token")

    def __init__(self) -> None:
        self._token: Token[Context] | None = None
        self._outer: Context | None = None  # what was current before
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
            self._declared = Outcome(JobResult.FAILURE, kind, None, arguments.text(reason))

    def skip(self, reason: str) -> None:
        """Declare that there was nothing to do.

        Args:
            reason: For people, `wafer.job.result_reason`.
        """
        with guard.ARGUMENTS:
            self._declared = Outcome(JobResult.SKIP, reason=arguments.text(reason))

    def cancel(self, reason: str) -> None:
        """Declare that the work was told to stop, where no exception says so.

        Args:
            reason: For people, `wafer.job.result_reason`.
        """
        with guard.ARGUMENTS:
            self._declared = Outcome(JobResult.CANCELLATION, reason=arguments.text(reason))

    def _suspend(self) -> None:
        """Give the caller's context back while a generator waits at its `yield`."""
        with guard.CONTEXT:
            self._suspended = context.current()
            self._detach()

    def _resume(self) -> None:
        """Make current again what was current in the generator."""
        try:
            with guard.CONTEXT:
                if self._suspended is not None:
                    self._outer = context.current()
                    self._token = context.attach(self._suspended)
        except BaseException:
            self._give_back()
            raise

    def _detach(self) -> None:
        """Make current again what was so before."""
        with guard.CONTEXT:
            context.detach(self._token)
            self._token = None

    def _give_back(self) -> None:
        """Make current again what was so before, where it is not known whether we have changed it."""
        with guard.CONTEXT:
            self._detach()
            if self._outer is not None and context.current() is not self._outer:
                context.attach(self._outer)

    def __enter__(self) -> Self:
        try:
            self._begin()
            return self  # noqa: TRY300 - no instruction may stand outside
        except BaseException as error:  # what a signal handler of the host's raises amid it: nobody else would end it
            self._finish(error)
            self._give_back()
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
