"""What a child process uses: sampled while it runs, exact once it has ended."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from waferscope._internal import guard

if TYPE_CHECKING:
    from resource import struct_rusage

    import psutil

_PEAK_UNIT = 1 if sys.platform == "darwin" else 1024  # getrusage(2): ru_maxrss is in bytes on macOS, in KiB on Linux


class ChildUsage:
    """CPU time and memory of a child and its descendants.

    Args:
        pid: Of the child, not yet waited for.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._user = self._system = 0.0
        self._memory = self._peak = 0
        self._ended = False

    def usage(self) -> tuple[float, float, int]:
        """Give what was used so far.

        Returns:
            CPU time in user and in kernel mode, s, of the child, of its descendants that it has waited for and, while
            it runs, of those that run; the highest resident set, bytes: sampled over all of them together, or that
            of the largest one, which the kernel kept.
        """
        self._sample()
        return self._user, self._system, self._peak

    def memory(self) -> int:
        """Give the resident set of the child and its descendants, bytes; the last one known once it has ended."""
        self._sample()
        return self._memory

    def ended(self, used: struct_rusage) -> None:
        """Take over what wait4(2) told at the child's end."""
        self._ended = True
        self._user, self._system = used.ru_utime, used.ru_stime
        peak = used.ru_maxrss * _PEAK_UNIT
        self._peak = max(self._peak, peak)
        self._memory = self._memory or peak

    def _sample(self) -> None:
        if self._ended:
            return
        import psutil  # noqa: PLC0415 - slow to import: not for a command that merely lists this one

        user = system = 0.0
        memory = 0
        with guard.USAGE:
            for process in _tree(psutil.Process(self._pid)):
                try:
                    with process.oneshot():
                        times, resident = process.cpu_times(), process.memory_info().rss
                except psutil.Error:
                    continue  # it has ended meanwhile
                user += times.user + times.children_user
                system += times.system + times.children_system
                memory += resident
        # A descendant that ended and was not waited for takes its CPU time along: the sum may not fall.
        self._user, self._system = max(self._user, user), max(self._system, system)
        self._memory = memory or self._memory
        self._peak = max(self._peak, memory)


def _tree(root: psutil.Process) -> list[psutil.Process]:
    return [root, *root.children(recursive=True)]
