"""What a child process uses: sampled while it runs, exact once it has ended."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from waferscope._internal import guard
from waferscope._internal.usage import NOTHING, Memory, Usage, of_rusage

if TYPE_CHECKING:
    from resource import struct_rusage

_FRESH = 0.1  # s


class ChildUsage:
    """CPU time and memory of a child and its descendants: a `Probe` of the job around it.

    Args:
        pid: Of the child, not yet waited for.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._used = NOTHING
        self._memory = 0
        self._ended = False
        self._read_at = 0.0

    def usage(self) -> Usage:
        """Tell what was used so far.

        Returns:
            While it runs CPU time only, of the child, of its descendants that it has waited for and of those that run,
            and the highest resident set that was sampled over all of them together; once it has ended all that the
            kernel kept, the highest resident set being at least that of the largest of them.
        """
        self._sample()
        return self._used

    def memory(self) -> Memory:
        """Tell the resident sets of the child and its descendants, added up; the last one once it has ended."""
        self._sample()
        return Memory(self._memory)

    def ended(self, used: struct_rusage) -> None:
        """Take over what wait4(2) told at the child's end."""
        self._ended = True
        told = of_rusage(used)
        self._used = told._replace(peak=max(told.peak, self._used.peak))
        self._memory = self._memory or told.peak

    def _sample(self) -> None:
        if self._ended or monotonic() - self._read_at < _FRESH:
            return
        import psutil  # noqa: PLC0415 - slow to import: not for a command that merely lists this one

        from waferscope._internal.children import descendants  # noqa: PLC0415 - as above

        self._read_at = monotonic()
        user = system = 0.0
        memory = 0
        with guard.USAGE:
            child = psutil.Process(self._pid)
            for process in (child, *descendants(child)):
                try:
                    times, resident = process.cpu_times(), process.memory_info().rss
                except psutil.Error:
                    continue  # it has ended meanwhile
                user += times.user + times.children_user
                system += times.system + times.children_system
                memory += resident
        # A descendant that ended and was not waited for takes its CPU time along: the sum may not fall.
        self._memory = memory or self._memory
        self._used = Usage(
            max(self._used.user, user), max(self._used.system, system), peak=max(self._used.peak, memory)
        )
