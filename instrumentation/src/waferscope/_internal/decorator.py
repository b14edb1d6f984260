"""Decorators for functions of any kind: plain ones, coroutines, generators, async generators."""

from __future__ import annotations

import inspect
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import aclosing, closing
from functools import wraps
from types import CoroutineType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from waferscope._internal import arguments, guard

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
    with guard.ARGUMENTS:
        if not arguments.is_function("a decorator", function):
            return function
    if _is(inspect.iscoroutinefunction, function):
        return cast("Callable[P, R]", _coroutine(again, function))
    if _is(inspect.isasyncgenfunction, function):
        return cast("Callable[P, R]", _async_generator(again, cast("Any", function)))
    if _is(inspect.isgeneratorfunction, function):
        return cast("Callable[P, R]", _generator(again, cast("Any", function)))

    @wraps(function)
    def observed(*args: P.args, **kwargs: P.kwargs) -> R:
        with again(args, kwargs):
            returned = function(*args, **kwargs)
            if isinstance(returned, CoroutineType):
                _warn(function, returned)
            return returned

    return observed


def _is(kind: Callable[[Any], bool], function: Any) -> bool:
    """Whether a function, or an object that is called as one, is of a kind."""
    return kind(function) or kind(inspect.getattr_static(type(function), "__call__", None))


def _warn(function: Callable[..., Any], returned: CoroutineType[Any, Any, Any]) -> None:
    """Tell that a plain function has returned a coroutine: that runs later, when the job or step is over."""
    if arguments.is_strict():
        returned.close()  # nobody will get it
    with guard.ARGUMENTS:
        name = getattr(function, "__qualname__", type(function).__qualname__)
        arguments.misuse(
            "%s is no coroutine function but returns a coroutine, which runs when the job or step is over: "
            "make it an `async def` that awaits it",
            name,
        )


def _coroutine(again: Again, function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    async def observed(*args: Any, **kwargs: Any) -> Any:
        with again(args, kwargs):
            return await function(*args, **kwargs)

    return observed


def _generator(again: Again, function: Callable[..., Generator[Any, Any, Any]]) -> Callable[..., Any]:
    """Observe from the first `next` to the end; between, the caller's context is current, not the generator's.

    Whatever is thrown in, `GeneratorExit` included, is handed on: how it ends is the generator's own affair. Where
    the host raises out here, it is closed, so that what is open in it ends, and is current no more.
    """

    @wraps(function)
    def observed(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        with again(args, kwargs) as run, closing(function(*args, **kwargs)) as generator:
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
            async with aclosing(function(*args, **kwargs)) as generator:
                awaited: Awaitable[Any] | None = _first(generator)
                while True:
                    try:
                        item = await awaited  # type: ignore[misc] # set anew in each round
                    except StopAsyncIteration:
                        return
                    finally:
                        awaited = None  # an exception would keep this frame, and this frame the exception
                    run._suspend()
                    try:
                        value = yield item
                    except BaseException as thrown:  # noqa: BLE001 - handed into the generator
                        awaited = generator.athrow(thrown)
                    else:
                        awaited = generator.asend(value)
                    run._resume()

    return observed


def _first(generator: AsyncGenerator[Any, Any]) -> Awaitable[Any]:
    """Ask for the first item, unknown to the event loop: that knows the generator around it, and closes that one.

    It closes all that it knows at once when it ends; of the two the inner one would be closed twice at a time.
    """
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(None, None)
    try:
        return generator.asend(None)
    finally:
        sys.set_asyncgen_hooks(*hooks)
