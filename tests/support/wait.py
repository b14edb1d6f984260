"""Waiting for a condition by polling it, never by sleeping and hoping."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
POLL_S = 0.05


def wait_until(condition: Callable[[], T], what: str, *, within_s: float = 30.0) -> T:
    """Poll a condition until it holds.

    Args:
        condition: Returns something true once it holds.
        what: The condition in words, for the failure's message.
        within_s: The deadline.

    Returns:
        What the condition returned.

    Raises:
        AssertionError: It didn't hold in time; tells what it returned last.
    """
    deadline = time.monotonic() + within_s
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s:g} s: {what} (last: {result!r})")
        time.sleep(POLL_S)
    return result


async def eventually(condition: Callable[[], Awaitable[T]], what: str, *, within_s: float = 30.0) -> T:
    """As `wait_until`, for a condition that is awaited."""
    deadline = time.monotonic() + within_s
    while not (result := await condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s:g} s: {what} (last: {result!r})")
        await asyncio.sleep(POLL_S)
    return result
