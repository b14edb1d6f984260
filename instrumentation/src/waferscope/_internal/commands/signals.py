"""The signals of a process that stands in front of another: held back, read one by one, passed on or not."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import NamedTuple

# What says that this process itself is broken, can't be held back, or is its own resource limit.
_OWN = {
    "SIGBUS", "SIGFPE", "SIGILL", "SIGKILL", "SIGPIPE", "SIGPROF", "SIGSEGV", "SIGSTOP", "SIGSYS", "SIGTRAP",
    "SIGVTALRM", "SIGXCPU", "SIGXFSZ",
}  # fmt: skip
_BY_TERMINAL = {"SIGINT", "SIGQUIT", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGWINCH"}
_SENT = {0, -1, -6}  # sigaction(2), si_code: SI_USER, SI_QUEUE, SI_TKILL; the kernel's own are positive
_MISSING = 1  # si_code of a system that does not tell
_MASK = frozenset[int]


class Arrival(NamedTuple):
    """A signal that has arrived.

    Attributes:
        number: Of the signal.
        sent: By a process; False: by the kernel, which tells a terminal's whole foreground group; None: not known.
        sender: Process id of who sent it; 0 where it is not known.
    """

    number: int
    sent: bool | None
    sender: int


def name(number: int) -> str:
    """Give a signal's name: `SIGTERM`; of a real-time signal `SIGRTMIN+2`."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIGRTMIN+{number - signal.SIGRTMIN}"


def _held() -> set[int]:
    return {number for number in signal.valid_signals() if name(number) not in _OWN}


class Signals:
    """Holds back every signal meant for the command, from before the first thread until the process ends.

    Attributes:
        mask: The signals that were blocked before.
        child_ignored: Whether the end of children was ignored before (SIGCHLD): then nobody could wait for them.
    """

    def __init__(self) -> None:
        self._held = _held()
        self.mask: _MASK = frozenset(signal.pthread_sigmask(signal.SIG_BLOCK, self._held))
        # A handler, though it never runs: ignored, the child's status would be lost; left to its default, macOS drops
        # the signal even while it is blocked.
        self.child_ignored = signal.signal(signal.SIGCHLD, lambda *_: None) is signal.SIG_IGN

    def next(self) -> Arrival:
        """Wait for the next signal."""
        if not hasattr(signal, "sigwaitinfo"):
            return Arrival(signal.sigwait(self._held), None, 0)
        found = signal.sigwaitinfo(self._held)
        return Arrival(found.si_signo, found.si_code in _SENT, found.si_pid)

    def restore(self) -> None:
        """Make dispositions and mask what they were before: in a forked child, right before it executes the command.

        Python ignores SIGPIPE and SIGXFSZ from its start and can't tell what they were: they become the default, as
        the standard library's `subprocess` has it, too.
        """
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN if self.child_ignored else signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, self.mask)

    def stop(self, number: int) -> None:
        """Stop this process as the child has stopped, so that the shell sees its job stopped; return once continued.

        Args:
            number: The signal that stopped the child. SIGSTOP is not followed: who sends it to the child alone
                continues the child alone.
        """
        if name(number) not in _BY_TERMINAL:
            return
        if hasattr(signal, "sigtimedwait"):
            signal.sigtimedwait({number}, 0)  # the terminal's own, not yet read: it would stop us twice
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
        os.kill(os.getpid(), number)
        signal.pthread_sigmask(signal.SIG_BLOCK, {number})


def is_for(child: int, arrival: Arrival) -> bool:
    """Tell whether a signal must be passed on.

    What the kernel sends on behalf of a terminal (Ctrl-C, Ctrl-Z, a new window size) reaches the child without us.
    Only a hangup goes to the session's leader alone. A signal that comes out of the child's own process tree, as by
    `kill 0` of a script, has reached the child or is not meant for it.

    Args:
        child: Its process id.
        arrival: What has arrived.
    """
    if arrival.number == signal.SIGCHLD:
        return False
    if arrival.sent is None:
        return name(arrival.number) not in _BY_TERMINAL or not _in_foreground()
    if not arrival.sent:
        return arrival.number in (signal.SIGHUP, signal.SIGCONT) and os.getsid(0) == os.getpid()
    return not _descends(arrival.sender, child)


def _in_foreground() -> bool:
    try:
        terminal = os.open(os.ctermid(), os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


def _descends(process: int, ancestor: int) -> bool:
    if process in (0, os.getpid()):
        return False
    if process == ancestor:
        return True
    import psutil  # noqa: PLC0415 - slow to import, and seldom needed

    with contextlib.suppress(psutil.Error):  # it has ended already: nothing speaks against passing its signal on
        return any(parent.pid == ancestor for parent in psutil.Process(process).parents())
    return False
