"""A thread of the wrapper: one for heartbeats, one for exports, none before the first job."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from time import monotonic

from waferscope._internal import guard


class Worker:
    """A daemon thread that does its work every `interval` seconds, soon after it is woken, and when asked to flush.

    Flushing runs here and not in the asking thread: that one waits for a bounded time only, and at the end of the
    interpreter no new thread could be started (Python 3.12 and newer).
    """

    def __init__(
        self, name: str, interval: float, work: Callable[[], None], flush: Callable[[], None], linger: float = 0.0
    ) -> None:
        """Describe the thread.

        Args:
            name: Of the thread.
            interval: Seconds between two rounds of work.
            work: One round.
            flush: A round that leaves nothing behind.
            linger: Seconds between being woken and the work: what comes meanwhile is done with it.
        """
        self._name = name
        self._interval = interval
        self._work = work
        self._flush = flush
        self._linger = linger
        self.renew()

    def renew(self) -> None:
        """Have no thread: at first, and in the child of a fork, where the parent's does not live on."""
        self._thread: threading.Thread | None = None
        self._wake = threading.Event()
        self._urgent = threading.Event()
        self._asked: deque[threading.Event] = deque()

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Let it work soon."""
        if not self._wake.is_set():
            self._wake.set()

    def ask(self) -> threading.Event:
        """Ask for a flush.

        Returns:
            Set once it is done; at once if no thread runs, since then there is nothing to flush.
        """
        done = threading.Event()
        if self._thread is None or not self._thread.is_alive():
            done.set()
        else:
            self._asked.append(done)
            self._urgent.set()
            self._wake.set()
        return done

    def _run(self) -> None:
        due = monotonic() + self._interval
        while True:
            if self._wake.wait(max(due - monotonic(), 0.0)):
                self._urgent.wait(self._linger)
            self._wake.clear()
            self._urgent.clear()
            if self._asked:
                self._answer()
            else:
                with guard.BACKGROUND:
                    self._work()
            due = monotonic() + self._interval

    def _answer(self) -> None:
        asked = [self._asked.popleft() for _ in range(len(self._asked))]
        with guard.FLUSH:
            self._flush()
        for done in asked:
            done.set()
