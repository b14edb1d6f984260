"""The live children of this process, and theirs: those that have ended are in its own accounts."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import psutil


class Cpu(NamedTuple):
    """CPU time of the live children, s."""

    user: float = 0.0
    system: float = 0.0


class Children:
    """What the live children use, as of the last look.

    Attributes:
        cpu: With the children of theirs that have ended.
        memory: Their resident sets, added up, bytes.
    """

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        self.cpu = Cpu()
        self.memory = 0

    def look(self) -> None:
        """Look at them: one system call where there are none, some 50 µs for each otherwise."""
        self.cpu, self.memory = self._added_up() if _has_children() else (Cpu(), 0)

    def _added_up(self) -> tuple[Cpu, int]:
        from psutil import Error  # noqa: PLC0415 - loaded already, by whoever made the process object

        user = system = 0.0
        memory = 0
        for child in descendants(self._process):
            with suppress(Error):  # it ended in between
                times = child.cpu_times()
                user += times.user + getattr(times, "children_user", 0.0)
                system += times.system + getattr(times, "children_system", 0.0)
                memory += child.memory_info().rss
        return Cpu(user, system), memory


def _has_children() -> bool:
    if not hasattr(os, "waitid"):
        return True
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)  # WNOWAIT: to wait for them is the host's affair
    except ChildProcessError:
        return False
    return True


def descendants(process: psutil.Process) -> Iterator[psutil.Process]:
    """Find the live children of a process, and theirs.

    Args:
        process: Whose.
    """
    from psutil import Error, Process  # noqa: PLC0415 - loaded already

    if sys.platform != "linux" or not Path(f"/proc/{process.pid}/task/{process.pid}/children").exists():
        yield from process.children(recursive=True)  # reads the whole table of processes
        return
    pids = _children_of(process.pid)
    while pids:
        pid = pids.pop()
        with suppress(Error):
            yield Process(pid)
            pids += _children_of(pid)


def _children_of(pid: int) -> list[int]:
    """Read proc(5), /proc/pid/task/tid/children: each thread has those that it has started."""
    found: list[int] = []
    with suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - names are all that is needed
            with suppress(OSError), open(f"/proc/{pid}/task/{task}/children", "rb") as file:  # noqa: PTH123
                found += map(int, file.read().split())
    return found
