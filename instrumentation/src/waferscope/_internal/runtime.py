"""A pipeline: everything that jobs need to tell of themselves, with the threads that tell it."""

from __future__ import annotations

import threading
from time import monotonic
from typing import TYPE_CHECKING

from waferscope import semconv
from waferscope._internal import guard
from waferscope._internal.lots import Lots
from waferscope._internal.metrics import Meter
from waferscope._internal.settings import Settings
from waferscope._internal.usage import Process
from waferscope._internal.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.context import Context
    from opentelemetry.trace import Tracer

    from waferscope._internal.delivery import Channel, Log
    from waferscope._internal.records import Record
    from waferscope._internal.run import Run
    from waferscope._internal.usage import Probe
    from waferscope._internal.ways import Flush, Ways

_SAMPLING = 1.0  # s between samples of memory
_BRIEFLY = 0.1  # s


class Runtime:
    """Everything that a job needs to tell of itself.

    Attributes:
        settings: What configured it.
        tracer: Makes the spans.
        meter: Adds up the metrics.
        probe: Tells what the process uses.
        gc: Pauses of the garbage collector so far, s; None unless they are measured.
        service: `service.name` of what it sends.
        gpu: Memory that the process holds on GPUs; None where `pynvml` is not installed.
        inherited: The context that the process was started with, by its environment.
        lock: Held while a job emits a heartbeat or ends, so that none follows its end; reentrant, since the garbage
            collector or a signal handler of the host's may end a job in a thread that holds it.
        lots: The newest job of each lot.
        active: Runs begun in this process and not yet ended, by `id()`.
        started: The threads run in this process.
        captures: A test holds what is told; nothing else takes its place meanwhile.
    """

    def __init__(self, settings: Settings, find: Callable[[Settings, Log, Flush], Ways] | None = None) -> None:
        """Make a pipeline.

        Args:
            settings: What configures it.
            find: Finds the ways out; None looks for the host's SDK and sets up what it lacks.
        """
        # The SDK and the exporters take a second to import: only processes that record something pay for it.
        from waferscope._internal import environment, gc_pauses, gpu, log_export, ways  # noqa: PLC0415
        from waferscope._internal.delivery import Log as DeliveryLog  # noqa: PLC0415 - imports requests

        self.settings = settings
        self.meter = Meter(exponential=settings.exponential, exemplars=settings.exemplars)
        self._lost = 0
        self._log = DeliveryLog(self._dropped)
        self._ways = (find or ways.find)(settings, self._log, self.flush)
        self.service = str(self._ways.traces.resource.attributes.get(semconv.SERVICE_NAME, ""))
        self.tracer: Tracer = self._ways.traces.tracer
        self.probe: Probe = Process()
        self.gc = gc_pauses.PAUSES.watch() if settings.gc_pauses else None
        self.gpu = gpu.find()
        self.inherited: Context = environment.inherited()
        self.lock = threading.RLock()
        self.active: dict[int, Run] = {}
        self.lots = Lots()
        self._records = (*self._ways.events.channels, *self._ways.traces.channels, *self._ways.events.logs)
        self._channels: tuple[Channel, ...] = (*self._records, *self._ways.metrics)
        self._heartbeats = Worker(
            "waferscope-heartbeat", min(_SAMPLING, settings.heartbeat_interval), self._tick, self._nothing
        )
        tick = min(settings.span_delay, settings.metric_interval)
        self._exports = Worker("waferscope-export", tick, self._export, self._export_all, settings.linger)
        self._next_beat = self._next_metrics = 0.0
        self._faults: dict[str, int] = {}
        self._delivered = False  # by the last flush: all of it
        self._is_reached = True  # the receiver, as far as is known
        self._start_lock = threading.RLock()
        self.started = self.captures = self._renewed = False
        log_export.install(settings.export_logs, self)

    def start(self) -> bool:
        """Start the threads of this process, before its first span.

        Returns:
            Whether it was this call that did it.
        """
        with self._start_lock:
            if self.started:
                return False
            self.started = True
            if self._renewed:
                self._renewed, self.probe = False, Process()
                for settle in (self._ways.traces.settle, self._ways.events.settle):
                    with guard.FORK:
                        settle()
            now = monotonic()
            self._next_beat = now + self.settings.heartbeat_interval
            self._next_metrics = now + self.settings.metric_interval
            self._heartbeats.start()
            self._exports.start()
        return True

    def emit(self, record: Record, *, wake: bool = False) -> None:
        """Let an event or a log record wait for the exporting thread.

        Args:
            record: What to tell.
            wake: Tell it soon: something has begun or ended.
        """
        events = self._ways.events
        for channel in events.channels if record.name is not None else events.logs:
            channel.put(record)
        if wake:
            self._exports.wake()

    def flush(self, timeout: float) -> bool:
        """Send what there is.

        Args:
            timeout: Seconds to wait at most.

        Returns:
            Whether all of it was taken in time.
        """
        lost = self._lost
        done = self._exports.ask()
        delivered = done.wait(max(timeout, 0.0)) and (self._delivered or not self.waits())
        return delivered and self._lost == lost

    def settle(self) -> bool:
        """Send what there is where the host waits for it without having asked: with one try, and in bounded time.

        Once that has failed, the next ones wait only briefly until everything has been delivered again.

        Returns:
            Whether all of it was taken in time.
        """
        for channel in self._channels:
            channel.hurry()
        self._is_reached = self.flush(self.settings.flush_timeout if self._is_reached else _BRIEFLY)
        return self._is_reached

    def beat(self) -> None:
        """Let every active job tell that it still runs."""
        memory, used = self.probe.memory(), self.probe.usage()
        for run in list(self.active.values()):
            with guard.HEARTBEAT:
                run.sample(memory)
                run.beat(used)

    def close(self, reason: str) -> None:
        """End what still runs and send what there is, within the time that the settings allow.

        Args:
            reason: Why the jobs end.
        """
        if not self.started:
            return
        for run in list(self.active.values()):
            run.abandon(reason)
        for channel in self._channels:
            channel.last(monotonic() + self.settings.flush_timeout)
        if not self.flush(self.settings.flush_timeout) and (waiting := self.waits()):
            lost = waiting + self._log.dropped
            guard.tell("telemetry could not all be delivered before the process ended: %d records are lost", lost)

    def retire(self) -> bool:
        """Let the threads end, where another pipeline has taken over; a late step would start them again.

        Returns:
            Whether it was possible: no job runs and nothing waits any more.
        """
        if self.active or self.waits():
            return False
        with self._start_lock:
            self.started = False
            self._heartbeats.stop()
            self._exports.stop()
        return True

    def renew(self) -> None:
        """Begin anew in the child of a fork: no threads, no jobs, nothing recorded; the copies are the parent's.

        Most children run no job and must not pay for us: what takes time is left to `start` and to the first export.
        """
        self.started = False
        self._start_lock = threading.RLock()
        self.lock = threading.RLock()
        self.active = {}
        self._faults = {}
        self._delivered = False
        self._is_reached = True
        self._log.renew()
        self._heartbeats.renew()
        self._exports.renew()
        self.meter.restart()
        for channel in self._channels:
            with guard.FORK:
                channel.renew()
        self._renewed = True

    def waits(self) -> int:
        """Tell how many records wait to be sent."""
        return sum(channel.waits() for channel in self._channels)

    def _tick(self) -> None:
        if not self.active:
            return
        if monotonic() >= self._next_beat:
            self.beat()
            self._next_beat = monotonic() + self.settings.heartbeat_interval
            return
        memory = self.probe.memory()
        for run in list(self.active.values()):
            with guard.HEARTBEAT:
                run.sample(memory)

    def _export(self) -> None:
        for channel in self._records:
            channel.send()
        self.meter.fold()
        if monotonic() >= self._next_metrics:
            self._next_metrics = monotonic() + self.settings.metric_interval
            self._send_metrics()

    def _export_all(self) -> None:
        sent = [channel.send(hurry=True) for channel in self._records]
        self._delivered = self._send_metrics(hurry=True) and all(sent)  # others may record on, meanwhile
        self._is_reached = self._is_reached or self._delivered
        for channel in self._channels:
            channel.calm()
        self._ways.events.flush()
        self._ways.traces.flush()

    def _send_metrics(self, *, hurry: bool = False) -> bool:
        """Send what has waited; only then take what was recorded since: while the receiver is away, it adds up."""
        if not all([channel.send(hurry=hurry) for channel in self._ways.metrics]):  # noqa: C419 - each gets its try
            return False
        self._count_faults()
        delta = self.meter.take()
        if delta is None:
            return True
        for channel in self._ways.metrics:
            channel.put(delta)
        return all([channel.send(hurry=hurry) for channel in self._ways.metrics])  # noqa: C419 - each gets its try

    def _count_faults(self) -> None:
        if excess := self.meter.excess():
            self._dropped("metrics", "too_many", excess)
        for boundary in guard.BOUNDARIES:
            new = boundary.failures - self._faults.get(boundary.name, 0)
            if new > 0:
                self._faults[boundary.name] = boundary.failures
                labels = ((semconv.WAFER_TELEMETRY_BOUNDARY, boundary.name),)
                self.meter.record(semconv.METRIC_WAFER_TELEMETRY_FAULTS, new, labels)

    def _dropped(self, signal: str, reason: str, count: int) -> None:
        self._lost += count
        labels = ((semconv.WAFER_TELEMETRY_SIGNAL, signal), (semconv.ERROR_TYPE, reason))
        self.meter.record(semconv.METRIC_WAFER_TELEMETRY_DROPPED, count, labels)

    def _nothing(self) -> None:
        """Flush nothing: heartbeats wait for no one."""
