"""The wrapper's only clocks, so that tests can set them and a fault in one is caught in one place."""

from __future__ import annotations

import time

from waferscope._internal import guard

wall = time.time_ns  # bound now: whoever replaces time.time_ns later means the job, not its telemetry
ticks = time.perf_counter_ns


_LATEST = 2**63  # ns: what the site can store


def now() -> int:
    """Give the Unix time in ns; 0 when the clock fails, or tells what can't be."""
    with guard.CLOCK:
        read = int(wall())
        return read if 0 <= read < _LATEST else 0
    return 0


def monotonic() -> int:
    """Give ns by the monotonic clock; 0 when it fails."""
    with guard.CLOCK:
        return int(ticks())
    return 0
