"""CPU time and memory of this process."""

from __future__ import annotations

import os
import sys
from time import monotonic
from typing import NamedTuple

from waferscope._internal import guard

if sys.platform != "win32":
    from resource import RUSAGE_SELF, getrusage

_PEAK_UNIT = 1 if sys.platform == "darwin" else 1024  # getrusage(2): ru_maxrss is in bytes on macOS, in KiB on Linux
_FRESH = 0.1  # s: a resident set read this recently is good enough; reading costs as much as half a span


class Usage(NamedTuple):
    """What the process has used so far.

    Attributes:
        user: CPU time in user mode, s.
        system: CPU time in kernel mode, s.
        peak: Highest resident set ever, bytes; 0 where the system does not tell.
    """

    user: float = 0.0
    system: float = 0.0
    peak: int = 0

    def since(self, before: Usage, memory: int, sampled_peak: int) -> Consumption:
        """Tell what was used between two readings.

        Args:
            before: The earlier reading.
            memory: Resident set now, bytes.
            sampled_peak: Highest resident set that was sampled in between, bytes.

        Returns:
            The peak is exact where the process's high-water mark rose in between, else the highest sample.
        """
        peak = self.peak if self.peak > before.peak else sampled_peak
        return Consumption(self.user - before.user, self.system - before.system, memory, max(peak, memory))


class Consumption(NamedTuple):
    """What the process has used while a job ran.

    Attributes:
        cpu_user: s.
        cpu_system: s.
        memory: Resident set now, bytes.
        memory_peak: Highest resident set during the job, bytes.
    """

    cpu_user: float
    cpu_system: float
    memory: int
    memory_peak: int


NOTHING = Usage()


def read() -> Usage:
    """Read the process's CPU time and high-water mark: one system call, about 1 µs."""
    with guard.USAGE:
        if sys.platform == "win32":
            times = os.times()
            return Usage(times.user, times.system)
        used = getrusage(RUSAGE_SELF)
        return Usage(used.ru_utime, used.ru_stime, used.ru_maxrss * _PEAK_UNIT)
    return NOTHING


class Memory:
    """The resident set of this process, read anew at most every 0.1 s."""

    def __init__(self) -> None:
        import psutil  # noqa: PLC0415 - slow to import: only processes that run a job pay for it

        self._process = psutil.Process()
        self._read_at = 0.0
        self._value = 0

    def current(self) -> int:
        """Give the resident set in bytes; 0 when it never could be read."""
        with guard.USAGE:
            now = monotonic()
            if now - self._read_at > _FRESH:
                self._value = self._process.memory_info().rss
                self._read_at = now
        return self._value
