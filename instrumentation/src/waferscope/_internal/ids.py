"""Ids of jobs, traces and spans, drawn from a generator of our own.

Never from `random`'s shared one: a job that seeds it for reproducible results would give every process the same ids,
and drawing from it would change those results.
"""

from __future__ import annotations

from random import Random

from waferscope._internal import clock, guard

_random = Random()  # noqa: S311 - ids must be unique, not secret


def reseed(seed: int | None = None) -> None:
    """Part from the parent's sequence after a fork, or begin a known one in a test.

    Args:
        seed: Of the sequence; None draws one from the system.
    """
    _random.seed(seed)  # None: from the system, and where that has none to give, from time and process id


def random_bits(count: int) -> int:
    """Give an integer of `count` random bits."""
    return _random.getrandbits(count)


def new_job_id() -> str:
    """Give a fresh UUID version 7 (RFC 9562, section 5.7): ids sort by time of creation, kind to the database's index.

    Returns:
        The canonical 36 characters; empty when none could be made.
    """
    with guard.IDS:
        random = _random.getrandbits(74)
        bits = (
            (clock.now() // 1_000_000 << 80)
            | (7 << 76)
            | (random >> 62 << 64)
            | (2 << 62)
            | (random & 0x3FFF_FFFF_FFFF_FFFF)
        )
        text = f"{bits:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
    return ""
