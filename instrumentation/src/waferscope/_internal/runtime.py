"""The one pipeline of a process: made by `configure` or the first job, renewed in forked children, flushed at exit."""

from __future__ import annotations

import atexit
import concurrent.futures.thread  # noqa: F401 - its fork hooks must be registered before ours may wait for an import of it
import os
import sys
import threading
from functools import partial
from importlib.metadata import version
from time import monotonic
from typing import TYPE_CHECKING

from waferscope import semconv
from waferscope._internal import guard, ids
from waferscope._internal.metrics import Meter
from waferscope._internal.settings import Settings, load
from waferscope._internal.usage import Memory
from waferscope._internal.worker import Worker

if TYPE_CHECKING:
    from opentelemetry._logs import Logger
    from opentelemetry.trace import Tracer

    from waferscope._internal.job import Job
    from waferscope._internal.providers import Signal


class Runtime:
    """Everything that a job needs to tell of itself.

    Attributes:
        settings: What configured it.
        tracer: Makes the spans.
        logger: Emits the events.
        meter: Adds up the metrics.
        memory: The process's resident set.
        lock: Held while a job emits a heartbeat or ends, so that none follows its end.
        active: Jobs begun in this process and not yet ended, by `id()`.
    """

    def __init__(self, settings: Settings) -> None:
        # The SDK and the exporters take a second to import: only processes that record something pay for it.
        from opentelemetry.sdk.util.instrumentation import InstrumentationScope  # noqa: PLC0415

        from waferscope._internal import points, providers, resource  # noqa: PLC0415

        self.settings = settings
        described = resource.build(settings)
        scope = InstrumentationScope("waferscope", version("waferscope"), semconv.SCHEMA_URL)
        self._traces: Signal = providers.traces(settings, described, scope)
        self._events: Signal = providers.events(settings, self._traces.resource, scope)
        self._metrics = providers.metrics(settings)
        self.tracer: Tracer = self._traces.source
        self.logger: Logger = self._events.source
        self.meter = Meter()
        self.memory = Memory()
        self.lock = threading.Lock()
        self.active: dict[int, Job] = {}
        self._to_sdk = partial(points.to_sdk, resource=resource.for_metrics(self._traces.resource), scope=scope)
        self._deliveries = (
            *self._traces.deliveries,
            *self._events.deliveries,
            *(metrics.delivery for metrics in self._metrics),
        )
        self._heartbeats = Worker("waferscope-heartbeat", settings.heartbeat_interval, self._beat, self._events.flush)
        self._exports = Worker("waferscope-export", settings.metric_interval, self._export, self._export_all)
        self._start_lock = threading.Lock()
        self.started = False

    def start(self) -> None:
        """Start the threads of this process and see to its end; called before the first span of each process."""
        with guard.CONFIGURE, self._start_lock:
            if self.started:
                return
            self.started = True
            self._heartbeats.start()
            self._exports.start()
            _at_end_of_process()

    def flush(self, timeout: float) -> bool:
        """Send what there is.

        Args:
            timeout: Seconds to wait at most.

        Returns:
            Whether all of it was handed over in time.
        """
        deadline = monotonic() + timeout
        asked = [self._heartbeats.ask(), self._exports.ask()]
        return all([done.wait(max(deadline - monotonic(), 0.0)) for done in asked])  # noqa: C419 - each gets its wait

    def close(self) -> None:
        """End what still runs and flush, within the time that the settings allow."""
        for job in list(self.active.values()):
            job.abandon()
        for delivery in self._deliveries:
            delivery.hurry(monotonic() + self.settings.flush_timeout)
        self.flush(self.settings.flush_timeout)

    def renew(self) -> None:
        """Begin anew in the child of a fork: no threads, no jobs, nothing recorded; the copies are the parent's."""
        self.started = False
        self._start_lock = threading.Lock()
        self.lock = threading.Lock()
        self.active = {}
        self.meter.restart()
        self.memory = Memory()
        self._heartbeats.renew()
        self._exports.renew()
        for delivery in self._deliveries:
            delivery.renew()

    def _beat(self) -> None:
        memory = self.memory.current()
        for job in list(self.active.values()):
            with guard.HEARTBEAT:
                job.beat(memory)

    def _export(self) -> None:
        delta = self.meter.take()
        for delivery in self._deliveries:
            with guard.EXPORT:
                delivery.retry()
        if delta:
            for metrics in self._metrics:
                metrics.export(self._to_sdk(delta))

    def _export_all(self) -> None:
        self._export()
        self._traces.flush()


_FORK_PATIENCE = 30.0  # s


class _Process:
    """This process's pipeline. `None` in a disabled wrapper, or when it could not be made."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.configured = False
        self.runtime: Runtime | None = None
        self._held = False

    def configure(self, settings: Settings) -> None:
        """Make the pipeline, in the place of one made before."""
        with self.lock:
            before = self.runtime
            self._make(settings)
        if before is not None:
            before.flush(before.settings.flush_timeout)

    def ensure(self) -> None:
        """Make the pipeline from the environment unless it is made."""
        with self.lock:
            if not self.configured:
                self._make(load())

    def _make(self, settings: Settings) -> None:
        self.runtime = None
        with guard.CONFIGURE:
            if not settings.disabled:
                self.runtime = Runtime(settings)
        self.configured = True

    def before_fork(self) -> None:
        """Let a pipeline that is being made be finished: the child would inherit its half-done imports, locked."""
        with guard.FORK:
            self._held = self.lock.acquire(timeout=_FORK_PATIENCE)

    def after_fork_in_parent(self) -> None:
        """Go on as before."""
        with guard.FORK:
            if self._held:
                self.lock.release()

    def after_fork_in_child(self) -> None:
        """Make the copy fit for use."""
        with guard.FORK:
            self.lock = threading.RLock()
            ids.reseed()
            for boundary in guard.BOUNDARIES:
                boundary.reset()
            if self.runtime is not None:
                self.runtime.renew()


_process = _Process()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_process.before_fork,
        after_in_parent=_process.after_fork_in_parent,
        after_in_child=_process.after_fork_in_child,
    )


def configure(settings: Settings) -> None:
    """Make this process's pipeline; a later call replaces it."""
    _process.configure(settings)


def current() -> Runtime | None:
    """Give this process's pipeline, ready for use; made from the environment if nothing configured it.

    Returns:
        None when the wrapper is disabled.
    """
    runtime = _process.runtime
    if runtime is None:
        if _process.configured:
            return None
        _process.ensure()
        runtime = _process.runtime
    if runtime is not None and not runtime.started:
        runtime.start()
    return runtime


def flush(timeout: float) -> bool:
    """Send what this process has recorded; see `Runtime.flush`."""
    runtime = _process.runtime
    return runtime.flush(timeout) if runtime is not None and runtime.started else True


def _close() -> None:
    with guard.FLUSH:
        if _process.runtime is not None and _process.runtime.started:
            _process.runtime.close()


def _at_end_of_process() -> None:
    """Flush when this process ends; multiprocessing's forked children leave by `os._exit`, past `atexit`."""
    atexit.unregister(_close)  # inherited over a fork
    atexit.register(_close)
    if "multiprocessing.util" in sys.modules and sys.modules["multiprocessing"].parent_process() is not None:
        from multiprocessing.util import Finalize  # noqa: PLC0415 - loaded already, by the host

        Finalize(None, _close, exitpriority=100)
