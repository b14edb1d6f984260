"""Ties a child process to this one, so that not even `kill -9` of this one leaves the child behind (on Linux).

The kernel sends the child a signal when its parent ends, if the child asked for it. So the child first runs this file
as a program, which asks and then becomes the real one. (`preexec_fn` could ask as well, but is unsafe beside threads.)
This file imports nothing of ours: it runs without site-packages.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

PR_SET_PDEATHSIG = 1


def tethered(
    command: Sequence[str | Path], end: signal.Signals = signal.SIGTERM, identity: tuple[int, int] | None = None
) -> list[str]:
    """Return the command line that runs a command tied to this process.

    The signal comes when the *thread* that starts the command ends: start it from one that lives long enough. Where
    the system has no such request, the command runs untied: there, only an orderly end stops the children.

    Args:
        command: Program (with its path) and arguments.
        end: The signal that makes the program stop.
        identity: The user and group id to run as, if others than ours. They are changed before the request, which
            the kernel forgets at such a change.

    Returns:
        The words for `subprocess`.
    """
    uid, gid = identity or (os.geteuid(), os.getegid())
    ours = [sys.executable, "-I", "-S", __file__, str(os.getpid()), str(int(end)), str(uid), str(gid)]
    return [*ours, *(str(word) for word in command)]


def main(parent: int, end: int, uid: int, gid: int, command: list[str]) -> None:
    """Change the user, ask to be told of the parent's end, become the command."""
    if (uid, gid) != (os.geteuid(), os.getegid()):
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, end, 0, 0, 0)
    if os.getppid() != parent:  # it ended before we could ask
        sys.exit(1)
    os.execv(command[0], command)  # noqa: S606 - what the parent wants run


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5:])
