"""Blocks of rows, worked through by several threads: compiled kernels hold no interpreter lock."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait

_WORKERS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
_MOST = 2_000  # rows of a block: soon over, so that a deadline is heeded
_BLOCKS_PER_WORKER = 4
_threads = ThreadPoolExecutor(_WORKERS, thread_name_prefix="kernel")


def over_blocks(
    count: int, work: Callable[[int, int], None], check: Callable[[], None] = lambda: None, least: int = 256
) -> None:
    """Call `work(first, last)` for consecutive blocks of `count` rows, and return when all are done.

    Args:
        count: Number of rows: series, or steps.
        work: Runs in any thread; it must not itself wait for other blocks.
        check: Called before each block; what it raises ends the work.
        least: Rows that a block should have: what is worth handing over.
    """
    size = max(least, min(_MOST, -(-count // (_BLOCKS_PER_WORKER * _WORKERS))))
    blocks = [(first, min(count, first + size)) for first in range(0, count, size)]

    def run(first: int, last: int) -> None:
        check()
        work(first, last)

    if len(blocks) < 2 or _WORKERS < 2:  # noqa: PLR2004 - nothing to share, or nobody to share it with
        for block in blocks:
            run(*block)
        return
    pending = [_threads.submit(run, *block) for block in blocks]
    try:
        for one in pending:
            one.result()
    finally:
        for one in pending:
            one.cancel()
        wait(pending)  # nobody may write into arrays that their owner has left
