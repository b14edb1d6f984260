"""SIGTERM: the process dies of it as it would without the wrapper, a moment later, with its jobs ended and told.

A handler of Python's would run in the main thread only, between two bytecodes: a job amid a long native call would no
longer die. So the signal's default action is replaced below Python, by `faulthandler`, whose handler writes into a pipe
at once; a thread of ours reads it, ends the jobs, gives the signal its default action back, and sends it again.
`signal.getsignal` still tells SIG_DFL, and a handler that the host installs, before or later, is the only one.
"""

from __future__ import annotations

import faulthandler
import os
import select
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from waferscope._internal import guard

_SIGNAL = signal.SIGTERM
_BIT = 1 << (_SIGNAL - 1)


class Termination:
    """Watches for SIGTERM in this process, where nobody else handles it."""

    def __init__(self, close: Callable[[], None]) -> None:
        """Prepare.

        Args:
            close: Ends the jobs and sends what there is, in bounded time.
        """
        self._close = close
        self._pipe: tuple[int, int] | None = None
        self._thread: threading.Thread | None = None
        self.received = False

    def watch(self) -> None:
        """Begin to watch, unless the signal is handled or ignored already."""
        with guard.SIGNAL:
            if self._pipe is not None or not hasattr(faulthandler, "register") or not _has_default_action():
                return
            reader, writer = os.pipe()
            os.set_blocking(writer, False)  # a handler must never wait
            self._pipe = reader, writer
            self._thread = threading.Thread(target=self._wait, args=(reader,), name="waferscope-term", daemon=True)
            self._thread.start()
            self._catch()

    def pause(self) -> None:
        """Let the signal do its default during a fork: the child would write into its parent's pipe."""
        if self._pipe is not None:
            faulthandler.unregister(_SIGNAL)

    def go_on(self) -> None:
        """Watch again after a fork, in the parent."""
        if self._pipe is not None and _has_default_action():
            self._catch()

    def renew(self) -> None:
        """Watch nothing yet, in the child of a fork."""
        pipe, self._pipe = self._pipe, None
        if pipe is not None:
            faulthandler.unregister(_SIGNAL)
        self._thread = None
        self.received = False
        for end in pipe or ():
            with suppress(OSError):
                os.close(end)

    def join(self) -> None:
        """Die of the signal if it has come: the process must not look as if it had ended by itself."""
        if self.received and self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _catch(self) -> None:
        if self._pipe is not None:
            faulthandler.register(_SIGNAL, file=self._pipe[1], all_threads=False, chain=False)

    def _wait(self, reader: int) -> None:
        with guard.SIGNAL:
            poll = select.poll()
            poll.register(reader, select.POLLIN)
            poll.poll()
            if self._pipe is None or self._pipe[0] != reader:
                return
            self.received = True
            try:
                with guard.SIGNAL:
                    self._close()
            finally:
                faulthandler.unregister(_SIGNAL)
                os.kill(os.getpid(), _SIGNAL)


def _has_default_action() -> bool:
    """Whether the signal kills: neither Python nor, where the kernel tells it, native code handles or ignores it."""
    if signal.getsignal(_SIGNAL) is not signal.SIG_DFL:
        return False
    if sys.platform == "linux":
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
            name, _, mask = line.partition(":")
            if name in ("SigCgt", "SigIgn") and int(mask, 16) & _BIT:
                return False
    return True
