"""What this process and its children use: CPU time, memory, storage, context switches."""

from __future__ import annotations

import os
import sys
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple, Protocol

from waferscope._internal import guard
from waferscope._internal.children import Account, Children

if TYPE_CHECKING:
    import psutil

if sys.platform != "win32":
    from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage, struct_rusage

_PEAK_UNIT = 1 if sys.platform == "darwin" else 1024  # getrusage(2): ru_maxrss is in bytes on macOS, in KiB on Linux
_BLOCK = 512 if sys.platform == "linux" else 0  # bytes of an in- or outblock; elsewhere they count operations
_FRESH = 0.1  # s: a resident set read this recently is good enough; reading costs as much as half a span


class Usage(NamedTuple):
    """What a process and its children have used so far.

    Attributes:
        user: CPU time in user mode, s.
        system: CPU time in kernel mode, s.
        read: Bytes read from storage.
        written: Bytes written to storage.
        voluntary: Context switches by waiting.
        involuntary: Context switches by losing the CPU.
        peak: Highest resident set of the process ever, bytes; 0 where the system does not tell.
    """

    user: float = 0.0
    system: float = 0.0
    read: int = 0
    written: int = 0
    voluntary: int = 0
    involuntary: int = 0
    peak: int = 0


class Memory(NamedTuple):
    """Resident sets, bytes.

    Attributes:
        own: Of the process.
        children: Of its live children, added up; pages that they share count for each.
    """

    own: int = 0
    children: int = 0


class Consumption(NamedTuple):
    """What was used while a job ran; the first six as in `Usage`.

    Attributes:
        memory: Resident set of the process now, bytes.
        children: Of its live children.
        peak: Highest resident set of the process during the job, bytes.
    """

    user: float
    system: float
    read: int
    written: int
    voluntary: int
    involuntary: int
    memory: int
    children: int
    peak: int


NOTHING = Usage()


class Probe(Protocol):
    """Whatever can tell what a job uses."""

    def usage(self) -> Usage:
        """Tell what has been used so far."""

    def memory(self) -> Memory:
        """Tell the resident sets now."""


def between(before: Usage, after: Usage, memory: Memory, sampled_peak: int) -> Consumption:
    """Tell what was used between two readings.

    Args:
        before: The earlier reading.
        after: The later one.
        memory: Resident sets at its time.
        sampled_peak: Highest resident set that was sampled in between, bytes.

    Returns:
        The peak is exact where the process's high-water mark rose in between, else the highest sample.
    """
    user, system, read, written, voluntary, involuntary, high = after
    peak = high if high > before.peak else sampled_peak
    return Consumption(
        max(user - before.user, 0.0),  # a child that has ended may be in no account for a moment; a reading may fail
        max(system - before.system, 0.0),
        max(read - before.read, 0),
        max(written - before.written, 0),
        max(voluntary - before.voluntary, 0),
        max(involuntary - before.involuntary, 0),
        memory.own,
        memory.children,
        max(peak, memory.own),
    )


def of_rusage(used: struct_rusage) -> Usage:
    """Read what the kernel kept of a process and of the children that it has waited for.

    Args:
        used: By getrusage(2) or wait4(2).
    """
    return Usage(
        used.ru_utime,
        used.ru_stime,
        used.ru_inblock * _BLOCK,
        used.ru_oublock * _BLOCK,
        used.ru_nvcsw,
        used.ru_nivcsw,
        used.ru_maxrss * _PEAK_UNIT,
    )


class Process:
    """This process with its children. Reading costs some µs; children that live are looked at every 0.1 s at most."""

    def __init__(self) -> None:
        self._process: psutil.Process | None = None
        self._children: Children | None = None
        self._read_at = 0.0
        self._ended: object = None
        self._memory = Memory()
        with guard.USAGE:  # without it only what it tells is missing
            import psutil  # noqa: PLC0415 - slow to import: only processes that run a job pay for it

            self._process = psutil.Process()
            self._children = Children(self._process)

    def usage(self) -> Usage:
        """Tell what the process, its ended and its live children have used: three system calls where none lives."""
        with guard.USAGE:
            if sys.platform == "win32":
                self._refresh()
                times, live = os.times(), self._live()
                return Usage(times.user + live.user, times.system + live.system)
            own, ended = getrusage(RUSAGE_SELF), getrusage(RUSAGE_CHILDREN)
            self._refresh(ended)
            live = self._live()
            return Usage(
                own.ru_utime + ended.ru_utime + live.user,
                own.ru_stime + ended.ru_stime + live.system,
                (own.ru_inblock + ended.ru_inblock) * _BLOCK + live.read,
                (own.ru_oublock + ended.ru_oublock) * _BLOCK + live.written,
                own.ru_nvcsw + ended.ru_nvcsw + live.voluntary,
                own.ru_nivcsw + ended.ru_nivcsw + live.involuntary,
                own.ru_maxrss * _PEAK_UNIT,
            )
        return NOTHING

    def memory(self) -> Memory:
        """Tell the resident sets; zeros when they never could be read."""
        self._refresh()
        return self._memory

    def _live(self) -> Account:
        return self._children.account if self._children is not None else Account()

    def _refresh(self, ended: object = None) -> None:
        """Look anew after 0.1 s, or when a child has ended since: what it used is in the process's own account now.

        Args:
            ended: That account; None where it is not asked for.
        """
        with guard.USAGE:
            if self._process is None or self._children is None:
                return
            now = monotonic()
            changed = ended is not None and ended != self._ended and any(self._children.account)
            if now - self._read_at > _FRESH or changed:
                self._read_at = now
                self._ended = ended
                self._children.look()
                self._memory = Memory(self._process.memory_info().rss, self._children.account.memory)
