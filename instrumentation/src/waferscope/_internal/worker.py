"""A thread of the wrapper: one for heartbeats, one for exports, none before the first job."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from time import monotonic

from waferscope._internal import guard
from waferscope._internal.helper import Helper


class Worker:
    """A daemon thread that does its work every `interval` seconds, soon after it is woken, and when asked to flush.

    Flushing runs here and not in the asking thread: that one waits for a bounded time only, and at the end of the
    interpreter no new thread could be started (Python 3.12 and newer). It is asked through a queue that is reentrant: a
    signal handler of the host's may wake it amid waking it.
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
        self._asked: queue.SimpleQueue[threading.Event | None] = queue.SimpleQueue()
        self._woken = False
        self._life: object = None

    def start(self) -> None:
        """Start the thread."""
        self._life = life = object()
        self._thread = Helper(self._run, (life,), self._name)
        self._thread.start()

    def stop(self) -> None:
        """Let the thread end after its next round of work; it may be started again."""
        self._life = None
        self._asked.put(None)

    def wake(self) -> None:
        """Let it work soon."""
        if not self._woken:
            self._woken = True
            self._asked.put(None)

    def ask(self) -> threading.Event:
        """Ask for a flush.

        Returns:
            Set once it is done; at once if no thread runs, since then nothing can be flushed, and in the thread itself,
            which can't wait for itself.
        """
        done = threading.Event()
        if self._thread is None or not self._thread.is_alive() or self._thread is threading.current_thread():
            done.set()
        else:
            self._asked.put(done)
        return done

    def _run(self, life: object) -> None:
        with guard.BACKGROUND:
            due = monotonic() + self._interval
            while self._life is life:
                waiting = self._gather(max(due - monotonic(), 0.0))
                if waiting:
                    self._answer(waiting)
                else:
                    with guard.BACKGROUND:
                        self._work()
                due = monotonic() + self._interval

    def _gather(self, patience: float) -> list[threading.Event]:
        """Wait until there is something to do; give those who wait for a flush."""
        waiting: list[threading.Event] = []
        try:
            asked = self._asked.get(timeout=patience)
            if asked is None:
                asked = self._asked.get(timeout=self._linger)
            while True:
                if asked is not None:
                    waiting.append(asked)
                asked = self._asked.get_nowait()
        except queue.Empty:
            self._woken = False
        return waiting

    def _answer(self, waiting: list[threading.Event]) -> None:
        with guard.FLUSH:
            self._flush()
        for done in waiting:
            done.set()
