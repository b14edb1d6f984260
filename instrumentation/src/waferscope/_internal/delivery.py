"""Ways out for records: each waits in an outbox, leaves in batches, and stays while the receiver is away."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from enum import Enum
from time import monotonic
from typing import Any, Protocol

from waferscope._internal import guard
from waferscope._internal.outbox import Outbox
from waferscope._internal.transport import Failure, Route

_PAUSE = 5.0  # s between two tries while the receiver is away
_delivering = threading.local()

Count = Callable[[str, str, int], None]  # is told of records that were dropped: signal, reason, how many


class Log:
    """What is told of deliveries in the host's log: once when the receiver is away, once when it is back.

    Attributes:
        dropped: Records dropped since it was last told how many.
    """

    def __init__(self, count: Count) -> None:
        """Begin with a receiver that is there.

        Args:
            count: Is told of records that were dropped: signal, reason, how many.
        """
        self._count = count
        self.renew()

    def renew(self) -> None:
        """Begin anew in the child of a fork: what the parent has dropped is the parent's to tell."""
        self._away: set[str] = set()
        self._has_overrun = False
        self.dropped = 0

    def lost(self, signal: str, reason: str, count: int) -> None:
        """Count records that were dropped.

        Args:
            signal: `spans`, `events` or `metrics`.
            reason: `queue_full` or `refused`, `error.type` of the metric.
            count: How many.
        """
        self.dropped += count
        self._count(signal, reason, count)

    def overrun(self, signal: str, count: int) -> None:
        """Count records that gave way to newer ones; of a receiver that is there, tell it the first time.

        Args:
            signal: As for `lost`.
            count: How many.
        """
        self.lost(signal, "queue_full", count)
        if self._away or self._has_overrun:
            return
        self._has_overrun = True
        dropped, self.dropped = self.dropped, 0
        guard.tell("telemetry comes faster than it is taken: %d records were dropped; more are only counted", dropped)

    def away(self, signal: str) -> None:
        """Note that the receiver does not take a signal now."""
        if not self._away:
            guard.tell("telemetry can't be delivered now; it waits, trying again")
        self._away.add(signal)

    def back(self, signal: str) -> None:
        """Note that the receiver takes a signal."""
        if signal not in self._away:
            return
        self._away.remove(signal)
        if not self._away:
            dropped, self.dropped = self.dropped, 0
            if dropped:
                guard.tell("telemetry is delivered again; %d records were dropped meanwhile", dropped)


class Channel(Protocol):
    """One signal's way to one receiver."""

    def put(self, item: Any) -> None:
        """Let a record wait; from any thread, at next to no cost."""

    def send(self, *, hurry: bool = False) -> bool:
        """Send what waits; in the exporting thread.

        Args:
            hurry: Try at once, though the last try has just failed.

        Returns:
            Whether nothing waits any more.
        """

    def hurry(self) -> None:
        """Try what is sent next only once: somebody waits for it. From any thread."""

    def calm(self) -> None:
        """Have as many tries again as before."""

    def last(self, deadline: float) -> None:
        """Prepare for the last tries before the process ends.

        Args:
            deadline: By the monotonic clock, s.
        """

    def renew(self) -> None:
        """Start empty in the child of a fork: what waits is the parent's to send."""

    def waits(self) -> int:
        """Tell how many records wait."""


class Exported:
    """Records that an exporter of ours sends.

    A batch that the receiver did not take for a passing reason waits and is sent again, byte for byte, so that the
    writer's ledger knows it if only the answer was lost. All else stays in the outbox meanwhile, where the oldest gives
    way when it is full: counted, and told once the receiver is back.
    """

    def __init__(
        self,
        signal: str,
        success: Enum,
        route: Route,
        *,
        outbox: Outbox,
        batch: int,
        prepare: Callable[[list[Any]], Any],
        log: Log,
    ) -> None:
        """Open the way.

        Args:
            signal: `spans`, `events` or `metrics`.
            success: What the exporter answers when all went well.
            route: The exporter.
            outbox: Where records wait.
            batch: Records in one request.
            prepare: Turns records into what the exporter takes.
            log: Tells how it goes.
        """
        self._signal = signal
        self._success = success
        self._route = route
        self._outbox = outbox
        self._batch = batch
        self._prepare = prepare
        self._log = log
        self._lock = threading.Lock()
        self._waiting: list[tuple[int, Any]] = []  # prepared batches with their number of records
        self._away = False
        self._not_before = 0.0
        self.put = outbox.put

    def send(self, *, hurry: bool = False) -> bool:
        """See `Channel.send`."""
        if not self._waiting and not self._outbox:
            return True
        with self._lock, guard.EXPORT:
            try:
                if self._away and not hurry and monotonic() < self._not_before:
                    return False
                while self._fill():
                    if not self._deliver():
                        return False
                return True
            finally:
                self._count_overrun()  # afterwards: a try takes seconds, and then nothing may wait any more
        return False

    def hurry(self) -> None:
        """See `Channel.hurry`."""
        self._route.hurry()

    def calm(self) -> None:
        """See `Channel.calm`."""
        self._route.calm()

    def last(self, deadline: float) -> None:
        """See `Channel.last`."""
        self._route.last(deadline)

    def renew(self) -> None:
        """See `Channel.renew`."""
        self._lock = threading.Lock()
        self._waiting = []
        self._outbox.clear()
        self._away = False
        self._route.renew()

    def waits(self) -> int:
        """See `Channel.waits`."""
        return sum(count for count, _ in self._waiting) + len(self._outbox)

    def _fill(self) -> bool:
        """Make the next batch unless one waits; tell whether there is one."""
        while not self._waiting:
            taken = self._outbox.take(self._batch)
            if not taken:
                return False
            self._waiting = self._prepared(taken)
        return True

    def _prepared(self, taken: list[Any]) -> list[tuple[int, Any]]:
        """Give batches of what was taken: one, unless there is a record that can't be prepared, which is dropped."""
        with guard.EXPORT:
            return [(len(taken), self._prepare(taken))]
        if len(taken) == 1:
            self._log.lost(self._signal, "refused", 1)
            return []
        half = len(taken) // 2
        return [*self._prepared(taken[:half]), *self._prepared(taken[half:])]

    def _deliver(self) -> bool:
        """Send the first batch; False when it has to wait."""
        count, batch = self._waiting[0]
        failure = self._attempt(batch)
        if failure is Failure.PASSING:
            self._not_before = monotonic() + _PAUSE
            self._away = True
            self._log.away(self._signal)
            return False
        self._waiting.pop(0)
        self._away = False
        self._log.back(self._signal)
        if failure is None:
            return True
        if failure is Failure.DIVISIBLE and count > 1 and isinstance(batch, Sequence):
            half = count // 2  # one record that can't be encoded, or too many at once: the others shall pass
            self._waiting[:0] = [(half, batch[:half]), (count - half, batch[half:])]
        else:
            self._log.lost(self._signal, "refused", count)
            guard.EXPORT.failed(None, "%s were dropped: they could not be sent, or were refused", self._signal)
        return True

    def _attempt(self, batch: Any) -> Failure | None:
        _delivering.active = True
        try:
            with guard.EXPORT:
                if self._route.exporter.export(batch) is self._success:
                    return None
            return self._route.failure()
        finally:
            _delivering.active = False

    def _count_overrun(self) -> None:
        if count := self._outbox.overrun():
            self._log.overrun(self._signal, count)


class Emitted:
    """Records that the host's SDK sends: handed over by the exporting thread, off the job's path."""

    def __init__(self, signal: str, outbox: Outbox, emit: Callable[[Any], None], log: Log) -> None:
        """Open the way.

        Args:
            signal: `events`.
            outbox: Where records wait.
            emit: Hands one to the host's SDK.
            log: Tells how it goes.
        """
        self._signal = signal
        self._outbox = outbox
        self._emit = emit
        self._log = log
        self.put = outbox.put

    def send(self, *, hurry: bool = False) -> bool:
        """See `Channel.send`."""
        del hurry
        while taken := self._outbox.take(self._outbox.limit):
            _delivering.active = True
            try:
                for item in taken:
                    with guard.EVENT:
                        self._emit(item)
                        continue
                    self._log.lost(self._signal, "refused", 1)
            finally:
                _delivering.active = False
        if count := self._outbox.overrun():
            self._log.overrun(self._signal, count)
        return True

    def hurry(self) -> None:
        """See `Channel.hurry`: how often the host's SDK tries is its own affair."""

    def calm(self) -> None:
        """See `Channel.calm`."""

    def last(self, deadline: float) -> None:
        """See `Channel.last`: how the host's SDK ends is its own affair."""

    def renew(self) -> None:
        """See `Channel.renew`."""
        self._outbox.clear()

    def waits(self) -> int:
        """See `Channel.waits`: for us only; what the host's SDK holds is its own affair."""
        return len(self._outbox)


class Quiet(logging.Filter):
    """Keeps what exporters and their HTTP client say of our batches out of the host's log: `Exported` tells it once."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let through what is not about a batch of ours."""
        del record
        return not is_delivering()


def is_delivering() -> bool:
    """Whether this thread is just sending telemetry: what is logged meanwhile is about it."""
    return getattr(_delivering, "active", False)
