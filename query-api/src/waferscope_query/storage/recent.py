"""Keeping the recent past in memory, so that a board never meets a cold one."""

import asyncio
import logging
import time

from waferscope_query.storage.cache.block import WIDTH_MS
from waferscope_query.storage.errors import StorageError
from waferscope_query.storage.source import DatabaseSource

_LOGGER = logging.getLogger(__name__)
_PAUSE_S = 1.0  # between rounds, while there are queries
_IDLE_PAUSE_S = 30.0
_IDLE_S = 300.0  # without a query
_SHARE = 20  # of the time, a round takes at most one part in so many


async def keep_warm(source: DatabaseSource, window_s: float) -> None:
    """Read what was written recently, the newest first, and again what changes; until canceled.

    Args:
        source: Whose cache is filled: at most half of it, so that old ranges have their place, too.
        window_s: How far back, seconds; 0 keeps nothing warm.
    """
    first = True
    while window_s > 0:
        began = time.monotonic()
        try:
            await warm(source, window_s)
        except StorageError as error:  # the next query tells its client
            _LOGGER.debug("nothing is kept warm for now: %s", error)
        pause = _IDLE_PAUSE_S if began - source.queried_at > _IDLE_S else _PAUSE_S
        took = 0.0 if first else time.monotonic() - began  # the first round reads what was written in all the window
        first = False
        await asyncio.sleep(max(pause, _SHARE * took))


async def warm(source: DatabaseSource, window_s: float) -> int:
    """Read what isn't in memory of the recent past.

    Returns:
        How many samples were read.
    """
    now = time.time_ns() // 1_000_000
    await source.follower.refresh()
    everything = await asyncio.to_thread(source.everything)
    newest, oldest = now // WIDTH_MS, (now - round(window_s * 1000)) // WIDTH_MS
    read = 0
    for number in range(newest, oldest - 1, -1):
        for wanted in everything:
            if source.cache.bytes > source.cache.max_bytes // 2 and (wanted.name, number) not in source.cache:
                return read
            read += await source.read_block(number, wanted)
    return read
