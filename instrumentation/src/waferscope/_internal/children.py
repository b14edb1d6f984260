"""The live children of this process, and theirs: those that have ended are in its own accounts."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from waferscope._internal import guard

if TYPE_CHECKING:
    import psutil


class Account(NamedTuple):
    """What processes have used so far; what they hold.

    Attributes:
        user: CPU time in user mode, s.
        system: CPU time in kernel mode, s.
        read: Bytes read from storage; 0 where it is not told: on other systems than Linux, of processes of other users.
        written: Bytes written to storage; 0 likewise.
        voluntary: Context switches by waiting; on Linux those of main threads only. 0 where they are not told.
        involuntary: Context switches by losing the CPU; likewise.
        memory: Resident sets, bytes.
    """

    user: float = 0.0
    system: float = 0.0
    read: int = 0
    written: int = 0
    voluntary: int = 0
    involuntary: int = 0
    memory: int = 0


class Children:
    """What the live children use, as of the last look.

    Attributes:
        account: Of all of them, added up, with the children of theirs that have ended.
    """

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        self.account = Account()

    def look(self) -> None:
        """Look at them: one system call where there are none, some 100 µs for each otherwise."""
        self.account = added_up(descendants(self._process)) if _has_children() else Account()


def added_up(processes: Iterable[psutil.Process]) -> Account:
    """Add up what processes use.

    Args:
        processes: Those that have ended meanwhile don't count: whoever has waited for them has their account.
    """
    from psutil import Error  # noqa: PLC0415 - loaded already, by whoever made the process objects

    accounts = [Account()]
    for process in processes:
        with guard.Expected(Error):
            accounts.append(_account(process))
    return Account(*map(sum, zip(*accounts, strict=True)))


def _account(process: psutil.Process) -> Account:
    """Read one process's account.

    proc(5): /proc/pid/io counts for all threads of a process and for the children that it has waited for, as wait4(2)
    does; the context switches of /proc/pid/status are those of its main thread. To read each thread's would cost more
    than all the rest where a numerical library has one for every CPU.
    """
    from psutil import Error  # noqa: PLC0415 - as above

    times = process.cpu_times()
    user = times.user + getattr(times, "children_user", 0.0)
    system = times.system + getattr(times, "children_system", 0.0)
    memory = process.memory_info().rss
    read = written = voluntary = involuntary = 0
    # Kernels and containers may keep these from us (AccessDenied), or lack the file, or its lines.
    if sys.platform == "linux":  # elsewhere other things than bytes of storage are counted
        with guard.Expected(Error, AttributeError, RuntimeError, ValueError):
            counted = process.io_counters()
            read, written = counted.read_bytes, counted.write_bytes
    if sys.platform != "win32":  # where those of this process aren't told either
        with guard.Expected(Error, RuntimeError):
            voluntary, involuntary = process.num_ctx_switches()
    return Account(user, system, read, written, voluntary, involuntary, memory)


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
        with guard.Expected(Error):
            yield Process(pid)
            pids += _children_of(pid)


def _children_of(pid: int) -> list[int]:
    """Read proc(5), /proc/pid/task/tid/children: each thread has those that it has started."""
    found: list[int] = []
    with guard.Expected(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - names are all that is needed
            with guard.Expected(OSError), open(f"/proc/{pid}/task/{task}/children", "rb") as file:  # noqa: PTH123
                found += map(int, file.read().split())
    return found
