"""What a server that was killed leaves in its cluster: processes on their way out, and a stale postmaster.pid."""

import contextlib
import signal
from pathlib import Path

import psutil

from waferscope_stack.errors import DatabaseStartError

GRACE_S = 30.0


def clear(cluster: Path) -> None:
    """End what still runs in a cluster that nobody holds any more, then remove its stale postmaster.pid.

    PostgreSQL itself takes the file for a living server's if its process id was given to another process of the same
    user, as happens after every restart of a container. It is stale if and only if no process works in the cluster:
    all of a server's processes have it as their working folder. The caller holds the data folder's lock.

    Args:
        cluster: The cluster's folder.

    Raises:
        DatabaseStartError: A process of the cluster can't be ended.
    """
    pid_file = cluster / "postmaster.pid"
    if not pid_file.exists():
        return
    processes = _processes_in(cluster)
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            # The postmaster ends its children; those without one end by themselves.
            if process.pid == _first_line(pid_file):
                process.send_signal(signal.SIGINT)
    _, alive = psutil.wait_procs(processes, timeout=GRACE_S)
    if alive:
        raise DatabaseStartError(f"{cluster}: process {alive[0].pid} of an earlier start still runs")
    pid_file.unlink(missing_ok=True)


def _processes_in(cluster: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, FileNotFoundError):
            if process.cwd() == str(cluster.resolve()):
                found.append(process)
    return found


def _first_line(pid_file: Path) -> int | None:
    try:
        return int(pid_file.read_text().splitlines()[0])
    except (OSError, IndexError, ValueError):  # gone, or cut short by a full disk
        return None
