"""Functions that run in the context in which they were handed over: in other threads, and in other processes."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from functools import update_wrapper, wraps
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, cast

from waferscope._internal import arguments, context, environment, guard
from waferscope._internal.job import Job

if TYPE_CHECKING:
    from opentelemetry.context import Context

    from waferscope._internal.spec import Spec

P = ParamSpec("P")
R = TypeVar("R")


class Carried(Generic[P, R]):
    """A function with the context that it shall run in; made by `carry`. Can be pickled where the function can."""

    def __init__(self, function: Callable[P, R], here: Context | None) -> None:
        update_wrapper(self, function)
        self._function = function
        self._context = here

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function in its context."""
        token = outer = None
        try:
            with guard.CONTEXT:
                if self._context is not None:
                    outer = context.current()
                    token = context.attach(self._context)
            return self._function(*args, **kwargs)
        finally:
            context.leave(self._context, token, outer)

    def __reduce__(self) -> tuple[Any, ...]:
        """Give what can cross to another process: the W3C headers, and what steps must know of the job."""
        headers: dict[str, str] = {}
        spec = None
        with guard.CONTEXT:
            if self._context is not None:
                headers = environment.injected(self._context)
                job = context.job_of(self._context)
                spec = job._carried() if job is not None else None
        return _arrive, (self._function, headers, spec)


def carry(function: Callable[P, R]) -> Callable[P, R]:
    """Let a function run in the current job, wherever it is called.

    `threading.Thread(target=carry(fit))`, `pool.submit(carry(fit), wafer)`, `Pool.map(carry(fit), wafers)`: threads
    and spawned processes begin in no job otherwise. Steps that it makes stand under the job; its jobs are subjobs.

    Args:
        function: Of the caller; for another process one that can be pickled.

    Returns:
        A function of the same signature.
    """
    with guard.CONTEXT:
        if not arguments.is_function("carry", function):
            return function
        here = context.current()
        if inspect.iscoroutinefunction(function):
            return cast("Callable[P, R]", _coroutine(function, here))
        return Carried(function, here)
    return function


def _coroutine(function: Callable[..., Awaitable[Any]], here: Context) -> Callable[..., Any]:
    @wraps(function)
    async def carried(*args: Any, **kwargs: Any) -> Any:
        token = outer = None
        try:
            with guard.CONTEXT:
                outer = context.current()
                token = context.attach(here)
            return await function(*args, **kwargs)
        finally:
            context.leave(here, token, outer)

    return carried


def _arrive(function: Callable[..., Any], headers: Mapping[str, str], spec: Spec | None) -> Callable[..., Any]:
    here = None
    with guard.CONTEXT:
        here = environment.extracted(headers)
        if spec is not None:
            here = Job._elsewhere(spec, here)
    return Carried(function, here)
