"""When samples are taken: at multiples of the interval, so that all writers and all series share their times."""

import asyncio
import time
from collections.abc import AsyncIterator

_NS = 1_000_000_000


async def rounds(interval: float) -> AsyncIterator[int]:
    """Yield the times of samples as they come, Unix time in ns; one that came too late is left out.

    Args:
        interval: Seconds between them.
    """
    step = int(interval * _NS)
    last = time.time_ns() // step * step
    while True:
        due = max(last + step, time.time_ns() // step * step)
        await asyncio.sleep(max(0, due - time.time_ns()) / _NS)
        last = due
        yield due
