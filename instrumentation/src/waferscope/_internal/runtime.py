"""A pipeline: everything that jobs need to tell of themselves, with the threads that tell it."""

from __future__ import annotations

import threading
from functools import partial
from importlib.metadata import version
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
    from opentelemetry.context import Context
    from opentelemetry.trace import Tracer

    from waferscope._internal.delivery import Channel
    from waferscope._internal.records import Record
    from waferscope._internal.run import Run

_SAMPLING = 1.0  # s between samples of memory


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
        lock: Held while a job emits a heartbeat or ends, so that none follows its end.
        lots: The newest job of each lot.
        active: Runs begun in this process and not yet ended, by `id()`.
        started: The threads run in this process.
    """

    def __init__(self, settings: Settings) -> None:
        # The SDK and the exporters take a second to import: only processes that record something pay for it.
        from opentelemetry.sdk.util.instrumentation import InstrumentationScope  # noqa: PLC0415

        from waferscope._internal import environment, gc_pauses, gpu, log_export, points, providers, resource  # noqa: PLC0415
        from waferscope._internal.delivery import Log  # noqa: PLC0415

        self.settings = settings
        described = resource.build(settings)
        scope = InstrumentationScope("waferscope", version("waferscope"), semconv.SCHEMA_URL)
        self.meter = Meter(exponential=settings.exponential, exemplars=settings.exemplars)
        log = Log(self._dropped)
        self._traces = providers.traces(settings, described, scope, log, self.flush)
        self._events = providers.events(settings, self._traces.resource, scope, log, self.flush)
        self.service = str(self._traces.resource.attributes.get(semconv.SERVICE_NAME, ""))
        to_sdk = partial(points.to_sdk, resource=resource.for_metrics(self._traces.resource), scope=scope)
        self._metrics = providers.metrics(settings, to_sdk, log)
        self.tracer: Tracer = self._traces.tracer
        self.probe = Process()
        self.gc = gc_pauses.PAUSES.watch() if settings.gc_pauses else None
        self.gpu = gpu.find()
        self.inherited: Context = environment.inherited()
        self.lock = threading.Lock()
        self.active: dict[int, Run] = {}
        self.lots = Lots()
        self._channels: tuple[Channel, ...] = (*self._traces.channels, *self._events.channels, *self._metrics)
        self._heartbeats = Worker(
            "waferscope-heartbeat", min(_SAMPLING, settings.heartbeat_interval), self._beat, self._nothing
        )
        tick = min(settings.span_delay, settings.metric_interval)
        self._exports = Worker("waferscope-export", tick, self._export, self._export_all, settings.linger)
        self._next_beat = self._next_metrics = 0.0
        self._faults: dict[str, int] = {}
        self._start_lock = threading.Lock()
        self.started = False
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
        for channel in self._events.channels:
            channel.put(record)
        if wake:
            self._exports.wake()

    def flush(self, timeout: float) -> bool:
        """Send what there is.

        Args:
            timeout: Seconds to wait at most.

        Returns:
            Whether all of it was handed over in time.
        """
        done = self._exports.ask()
        return done.wait(max(timeout, 0.0)) and not self.waits()

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
        if not self.flush(self.settings.flush_timeout):
            guard.tell("%d records were not delivered before the process ended", self.waits())

    def renew(self) -> None:
        """Begin anew in the child of a fork: no threads, no jobs, nothing recorded; the copies are the parent's."""
        self.started = False
        self._start_lock = threading.Lock()
        self.lock = threading.Lock()
        self.active = {}
        self.meter.restart()
        self.probe = Process()
        self._faults = {}
        self._heartbeats.renew()
        self._exports.renew()
        for channel in self._channels:
            channel.renew()

    def waits(self) -> int:
        """Tell how many records wait to be sent."""
        return sum(channel.waits() for channel in self._channels)

    def _beat(self) -> None:
        runs = list(self.active.values())
        if not runs:
            return
        due = monotonic() >= self._next_beat
        memory, usage = self.probe.memory(), self.probe.usage() if due else None
        for run in runs:
            with guard.HEARTBEAT:
                run.sample(memory)
                if due:
                    run.beat(usage)
        if due:
            self._next_beat = monotonic() + self.settings.heartbeat_interval

    def _export(self) -> None:
        for channel in (*self._events.channels, *self._traces.channels):
            channel.send()
        self.meter.fold()
        if monotonic() >= self._next_metrics:
            self._next_metrics = monotonic() + self.settings.metric_interval
            self._send_metrics()

    def _export_all(self) -> None:
        for channel in (*self._events.channels, *self._traces.channels):
            channel.send(hurry=True)
        self._send_metrics(hurry=True)
        self._events.flush()
        self._traces.flush()

    def _send_metrics(self, *, hurry: bool = False) -> None:
        """Send what has waited; only then take what was recorded since: while the receiver is away, it adds up."""
        if not all([channel.send(hurry=hurry) for channel in self._metrics]):  # noqa: C419 - each gets its try
            return
        self._count_faults()
        delta = self.meter.take()
        if delta is not None:
            for channel in self._metrics:
                channel.put(delta)
                channel.send(hurry=hurry)

    def _count_faults(self) -> None:
        for boundary in guard.BOUNDARIES:
            new = boundary.failures - self._faults.get(boundary.name, 0)
            if new > 0:
                self._faults[boundary.name] = boundary.failures
                labels = ((semconv.WAFER_TELEMETRY_BOUNDARY, boundary.name),)
                self.meter.record(semconv.METRIC_WAFER_TELEMETRY_FAULTS, new, labels)

    def _dropped(self, signal: str, reason: str, count: int) -> None:
        labels = ((semconv.WAFER_TELEMETRY_SIGNAL, signal), (semconv.ERROR_TYPE, reason))
        self.meter.record(semconv.METRIC_WAFER_TELEMETRY_DROPPED, count, labels)

    def _nothing(self) -> None:
        """Flush nothing: heartbeats wait for no one."""
