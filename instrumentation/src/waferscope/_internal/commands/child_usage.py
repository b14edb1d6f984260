"""What a child process uses: sampled while it runs, exact once it has ended."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from waferscope._internal import guard
from waferscope._internal.usage import NOTHING, Memory, Usage, of_rusage

if TYPE_CHECKING:
    from resource import struct_rusage

_FRESH = 0.1  # s
_GROWTH = 2 * 2**20  # bytes that a copy of ours grows by on its way to the command, at most


class ChildUsage:
    """Usage and memory of a child and its descendants: a `Probe` of the job around it.

    Args:
        pid: Of the child, not yet waited for.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._used = NOTHING
        self._memory = 0
        self._inherited = 0
        self._is_command = True
        self._ended = False
        self._read_at = 0.0

    def wait_for_command(self) -> None:
        """Tell nothing for now: the child is still a copy of ours.

        The kernel takes that copy's highest resident set over into the command's account.
        """
        self._is_command = False
        with guard.USAGE:
            import psutil  # noqa: PLC0415 - see `_sample`

            self._inherited = psutil.Process(self._pid).memory_info().rss + _GROWTH

    def executed(self) -> None:
        """Tell from now on what the child uses: it has become the command."""
        self._is_command = True

    def usage(self) -> Usage:
        """Tell what was used so far.

        Returns:
            While it runs what can be read (see `children.Account`) of the child, of its descendants that it has waited
            for and of those that run, and the highest resident set that was sampled over all of them together; once it
            has ended all that the kernel kept, the highest resident set being at least that of the largest of them
            (where that may be our copy's the highest one that was sampled, if any was).
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
        sampled = self._used.peak
        own = told.peak if told.peak > self._inherited or not sampled else 0  # else it may be that of the copy of ours
        self._used = told._replace(peak=max(own, sampled))
        self._memory = self._memory or own

    def _sample(self) -> None:
        if self._ended or not self._is_command or monotonic() - self._read_at < _FRESH:
            return
        import psutil  # noqa: PLC0415 - slow to import: not for a command that merely lists this one

        from waferscope._internal.children import added_up, descendants  # noqa: PLC0415 - as above

        self._read_at = monotonic()
        with guard.USAGE:
            child = psutil.Process(self._pid)
            now, before = added_up((child, *descendants(child))), self._used
            # A descendant that ended and was not waited for takes its account along: no sum may fall.
            self._used = Usage(
                max(before.user, now.user),
                max(before.system, now.system),
                max(before.read, now.read),
                max(before.written, now.written),
                max(before.voluntary, now.voluntary),
                max(before.involuntary, now.involuntary),
                max(before.peak, now.memory),
            )
            self._memory = now.memory or self._memory
