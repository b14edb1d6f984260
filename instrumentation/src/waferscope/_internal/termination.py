"""SIGTERM: the process dies of it as it would without the wrapper, a moment later, with its jobs ended and told.

A handler of Python's would run in the main thread only, between two bytecodes: a job amid a long native call would no
longer die. So the signal's default action is replaced below Python, by `faulthandler`, whose handler writes into a
socket at once; a thread of ours reads it, ends the jobs, gives the signal its default action back, and sends it again.
`signal.getsignal` still tells SIG_DFL, and a handler that the host installs, before or later, is the only one: in
Python, in native code, or by `faulthandler`. Before the action is given back, it is looked at whether it is still ours.

A child that native code has forked has the handler and the socket, too, until it executes its program. The kernel tells
who wrote: a signal that came to a child is sent there again. Whoever closes the socket's file descriptor, as daemons
close all they don't know, ends the watch.

What remains: `faulthandler` writes nothing in a thread that Python does not know. The kernel gives the signal to the
main thread unless that blocks it, as it does for some µs while it starts another one; then the signal may get lost,
where a library of the host's has such threads that don't block it. Ours block it.
(`all_threads=True` would write there, too, but reads the frames of running threads, and may crash.)
"""

from __future__ import annotations

import _thread
import faulthandler
import os
import select
import signal
import socket
import struct
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from types import BuiltinFunctionType

from waferscope._internal import guard, sigaction
from waferscope._internal.helper import Helper

_SIGNAL = signal.SIGTERM
_CREDENTIALS = struct.Struct("3i")  # unix(7), struct ucred: pid, uid, gid
_PATIENCE = 1.0  # s until the thread has begun
_AGAIN = 0.01  # s until a child gets its signal again
_INIT = 1  # the kernel keeps signals from it that it does not handle

Ends = tuple[socket.socket, socket.socket]


class Termination:
    """Watches for SIGTERM in this process, where nobody else handles it.

    Attributes:
        received: It has come.
    """

    def __init__(self, close: Callable[[], None]) -> None:
        """Prepare.

        Args:
            close: Ends the jobs and sends what there is, in bounded time.
        """
        self._close = close
        self._ends: Ends | None = None
        self._thread: threading.Thread | None = None
        self._registered: weakref.ref[_Writer] | None = None
        self._handler = sigaction.DEFAULT
        self._is_over = False  # nobody reads the socket any more
        self.received = False

    def watch(self) -> None:
        """Begin to watch, unless the signal is handled or ignored already."""
        with guard.SIGNAL:
            if self._ends is not None or not _can_watch() or not _has_default_action():
                return
            ends, ready = _connected(), threading.Event()
            thread = Helper(self._wait, (ends, ready), "waferscope-term")
            thread.start()
            ready.wait(_PATIENCE)
            self._ends, self._thread = ends, thread
            self._catch()

    def pause(self) -> None:
        """Let the signal do its default during a fork: the child must not hold it up."""
        if self._ends is not None:
            self._give_back()

    def go_on(self) -> None:
        """Watch again after a fork, in the parent."""
        if self._ends is not None and _has_default_action():
            self._catch()

    def renew(self) -> None:
        """Watch nothing yet, in the child of a fork."""
        ends, self._ends = self._ends, None
        self._thread = None
        self._is_over = self.received = False
        if ends is not None:
            self._give_back()
            for end in ends:
                end.close()

    def stop(self) -> None:
        """Watch no longer, as the process ends; die of the signal if it has come, as it would have without us."""
        ends, thread = self._ends, self._thread
        if ends is None or thread is None or thread is threading.current_thread():
            return
        self._release()
        while thread.is_alive() and _has_said(ends[0]):
            time.sleep(_AGAIN)

    def _catch(self) -> None:
        if self._ends is not None and not self._is_over:
            writer = _Writer(self._ends[1].fileno())
            faulthandler.unregister(_SIGNAL)  # else, once a handler of the host's is gone again, nothing is registered
            faulthandler.register(_SIGNAL, file=writer, all_threads=False, chain=False)
            self._registered = weakref.ref(writer)
            self._handler = sigaction.handler(_SIGNAL)
            if self._is_over:
                self._release()  # type: ignore[unreachable] # the thread has ended meanwhile

    def _release(self) -> None:
        """Give the signal its default action back, unless the host has taken it over."""
        registered = self._registered is not None and self._registered() is not None
        if registered and sigaction.handler(_SIGNAL) == self._handler:
            faulthandler.unregister(_SIGNAL)

    def _wait(self, ends: Ends, ready: threading.Event) -> None:
        try:
            with guard.SIGNAL:
                ready.set()  # from here on the kernel keeps the socket for us, whoever closes its file descriptor
                if not _came(ends[0]):
                    self._lose(ends)
                    return
                self.received = True
                with guard.SIGNAL:
                    self._close()
        finally:
            self._is_over = True
            self._give_back()
            if self.received or _has_said(ends[0]):
                os.kill(os.getpid(), _SIGNAL)

    def _give_back(self) -> None:
        """Give the signal its default action back, by all means: nobody waits for it any more."""
        with guard.SIGNAL:
            self._release()
            return
        with guard.SIGNAL:
            faulthandler.unregister(_SIGNAL)

    def _lose(self, ends: Ends) -> None:
        """Leave the file descriptors, which may be the host's by now."""
        self._ends = None
        for end in ends:
            end.detach()


class _Writer:
    """A file for `faulthandler`, which holds the only reference: it is gone once the host registers one of its own."""

    __slots__ = ("__weakref__", "_descriptor")

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        """Give the file descriptor."""
        return self._descriptor

    def flush(self) -> None:
        """Hold nothing back."""


def _connected() -> Ends:
    reader, writer = socket.socketpair()
    if hasattr(socket, "SO_PASSCRED"):
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    os.set_blocking(writer.fileno(), False)  # a handler must never wait
    return reader, writer


def _came(reader: socket.socket) -> bool:
    """Wait for a signal to this process, which is left in the socket for `stop` to see; False if it was closed."""
    while True:
        said, sent_with, _, _ = reader.recvmsg(1, socket.CMSG_SPACE(_CREDENTIALS.size), socket.MSG_PEEK)
        if not said:
            return False
        sender = next((_CREDENTIALS.unpack(data)[0] for _, _, data in sent_with), os.getpid())
        if sender == os.getpid():
            return True
        reader.recv(4096)
        time.sleep(_AGAIN)
        if sender > 0:
            with suppress(ProcessLookupError):
                os.kill(sender, _SIGNAL)


def _has_said(reader: socket.socket) -> bool:
    """Whether a signal has come that is not dealt with."""
    with guard.Expected(OSError, ValueError):  # it is closed
        return bool(select.select([reader], [], [], 0)[0])
    return False


def _can_watch() -> bool:
    """Whether a thread can: one of gevent's or eventlet's would run only when all others wait."""
    native = isinstance(_thread.start_new_thread, BuiltinFunctionType)
    return native and hasattr(faulthandler, "register") and os.getpid() != _INIT


def _has_default_action() -> bool:
    """Whether the signal kills: neither Python nor native code handles or ignores it."""
    return signal.getsignal(_SIGNAL) is signal.SIG_DFL and sigaction.handler(_SIGNAL) == sigaction.DEFAULT
