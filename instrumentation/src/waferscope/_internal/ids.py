"""Ids of jobs, traces and spans, drawn from a generator of our own.

Never from `random`'s shared one: a job that seeds it for reproducible results would give every process the same ids,
and drawing from it would change those results.
"""

from __future__ import annotations

import os
from random import Random
from time import time_ns

_random = Random()  # noqa: S311 - ids must be unique, not secret


def reseed() -> None:
    """Part from the parent's sequence after a fork."""
    _random.seed(os.urandom(32))


def random_bits(count: int) -> int:
    """Give an integer of `count` random bits."""
    return _random.getrandbits(count)


def new_job_id() -> str:
    """Give a fresh UUID version 7 (RFC 9562, section 5.7): ids sort by time of creation, kind to the database's index.

    Returns:
        The canonical 36 characters.
    """
    now = time_ns() // 1_000_000
    random = _random.getrandbits(74)
    return (
        f"{now >> 16:08x}-{now & 0xFFFF:04x}-7{random & 0xFFF:03x}"
        f"-{0x8000 | random >> 60:04x}-{random >> 12 & 0xFFFF_FFFF_FFFF:012x}"
    )
