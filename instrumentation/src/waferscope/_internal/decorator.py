"""What makes a job and a step usable by `with`, by `async with` and as a decorator."""

from __future__ import annotations

import inspect
from abc import abstractmethod
from collections.abc import Callable
from functools import wraps
from types import TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

if TYPE_CHECKING:
    from typing_extensions import Self  # typing has it from 3.11 on

P = ParamSpec("P")
R = TypeVar("R")


class Observed:
    """A block of the host's code that is observed from its beginning to its end. Never changes what it raises."""

    __slots__ = ()

    @abstractmethod
    def begin(self) -> None:
        """Note the beginning; must not raise."""

    @abstractmethod
    def finish(self, error: BaseException | None) -> None:
        """Note the end; must not raise.

        Args:
            error: What was raised through the block.
        """

    @abstractmethod
    def again(self) -> Self:
        """Make another one like this, not yet begun: each call of a decorated function is a run of its own."""

    def __enter__(self) -> Self:
        self.begin()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.finish(error)

    async def __aenter__(self) -> Self:
        self.begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.finish(error)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Observe each call of a function or coroutine function.

        Args:
            function: What to decorate.

        Returns:
            A function of the same signature.
        """
        if inspect.iscoroutinefunction(function):

            @wraps(function)
            async def observed_coroutine(*args: P.args, **kwargs: P.kwargs) -> Any:
                with self.again():
                    return await function(*args, **kwargs)

            return cast("Callable[P, R]", observed_coroutine)

        @wraps(function)
        def observed(*args: P.args, **kwargs: P.kwargs) -> R:
            with self.again():
                return function(*args, **kwargs)

        return observed
