"""Decorators for functions of any kind: plain ones, coroutines, generators, async generators."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable, Generator
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

if TYPE_CHECKING:
    from waferscope._internal.observed import Observed

P = ParamSpec("P")
R = TypeVar("R")

Again = Callable[[tuple[Any, ...], dict[str, Any]], "Observed"]


def decorate(again: Again, function: Callable[P, R]) -> Callable[P, R]:
    """Observe each call of a function.

    Args:
        again: Makes what observes one call, from the call's arguments.
        function: What to decorate.

    Returns:
        A function of the same kind and signature.
    """
    if isinstance(function, staticmethod | classmethod):
        return cast("Callable[P, R]", type(function)(decorate(again, function.__func__)))
    if inspect.iscoroutinefunction(function):
        return cast("Callable[P, R]", _coroutine(again, function))
    if inspect.isasyncgenfunction(function):
        return cast("Callable[P, R]", _async_generator(again, function))
    if inspect.isgeneratorfunction(function):
        return cast("Callable[P, R]", _generator(again, function))

    @wraps(function)
    def observed(*args: P.args, **kwargs: P.kwargs) -> R:
        with again(args, kwargs):
            return function(*args, **kwargs)

    return observed


def _coroutine(again: Again, function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    async def observed(*args: Any, **kwargs: Any) -> Any:
        with again(args, kwargs):
            return await function(*args, **kwargs)

    return observed


def _generator(again: Again, function: Callable[..., Generator[Any, Any, Any]]) -> Callable[..., Any]:
    """Observe from the first `next` to the end; between, the caller's context is current, not the generator's.

    Whatever is thrown in, `GeneratorExit` included, is handed on: how it ends is the generator's own affair.
    """

    @wraps(function)
    def observed(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        with again(args, kwargs) as run:
            generator = function(*args, **kwargs)
            proceed, value = generator.send, None
            while True:
                try:
                    item = proceed(value)
                except StopIteration as stop:
                    return stop.value
                finally:
                    value = None  # an exception would keep this frame, and this frame the exception
                run._suspend()
                try:
                    value = yield item
                except BaseException as thrown:  # noqa: BLE001 - handed into the generator, as `yield from` does
                    proceed, value = generator.throw, thrown
                else:
                    proceed = generator.send
                run._resume()

    return observed


def _async_generator(again: Again, function: Callable[..., AsyncGenerator[Any, Any]]) -> Callable[..., Any]:
    """Observe as `_generator` does."""

    @wraps(function)
    async def observed(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        with again(args, kwargs) as run:
            generator = function(*args, **kwargs)
            proceed, value = generator.asend, None
            while True:
                try:
                    item = await proceed(value)
                except StopAsyncIteration:
                    return
                finally:
                    value = None
                run._suspend()
                try:
                    value = yield item
                except BaseException as thrown:  # noqa: BLE001 - handed into the generator
                    proceed, value = generator.athrow, thrown
                else:
                    proceed = generator.asend
                run._resume()

    return observed
