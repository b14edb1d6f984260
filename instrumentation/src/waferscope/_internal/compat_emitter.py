"""The predecessor's emitter: what is sent by hand goes the way of all events."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from opentelemetry._logs import SeverityNumber

from waferscope import semconv
from waferscope._internal import arguments, context, guard
from waferscope._internal.compat_app import runtime_of, said_of
from waferscope._internal.records import Record

if TYPE_CHECKING:
    from typing_extensions import Self

    from waferscope._internal.compat_models import JobEvent

_INTERVAL = 3600.0  # s: who sends events by hand promises no heartbeats; stale after three of them
_REMEMBERED = 10_000  # jobs whose events are counted
_MIB = 1024 * 1024
_NAMES = {"started": semconv.EVENT_WAFER_JOB_STARTED}
_ENDS = {"finished", "error", "canceled"}
_RESULTS = {
    "succeeded": semconv.JobResult.SUCCESS,
    "failed": semconv.JobResult.FAILURE,
    "canceled": semconv.JobResult.CANCELLATION,
}


class SidecarEmitter:
    """Takes the predecessor's events. Its arguments are accepted and not needed: the Collector spools and retries."""

    def __init__(
        self, base_url: str | None = None, timeout: float = 5.0, max_retries: int = 3, enable_retries: bool = True
    ) -> None:
        """Take what the predecessor's emitter took.

        Args:
            base_url: Is not needed: OTEL_EXPORTER_OTLP_ENDPOINT says where to.
            timeout: Is not needed.
            max_retries: Is not needed.
            enable_retries: Is not needed.
        """
        self.base_url = base_url
        self.timeout = timeout
        self.max_retries = max_retries if enable_retries else 1
        self._runs: OrderedDict[str, tuple[datetime, Iterator[int]]] = OrderedDict()

    def send(self, ev: JobEvent) -> None:
        """Send one event.

        Args:
            ev: A `progress` or `metric` counts as a heartbeat; `finished`, `error` and `canceled` end the job.
        """
        with guard.EVENT:
            runtime = runtime_of(ev.site_id, ev.app)
            if runtime is not None:
                runtime.emit(self._record(ev), wake=True)

    def send_batch(self, events: Iterable[JobEvent]) -> None:
        """Send several events.

        Args:
            events: As for `send`.
        """
        for event in events:
            self.send(event)

    def close(self) -> None:
        """Hold nothing that must be closed."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _record(self, ev: JobEvent) -> Record:
        ended = ev.event.kind in _ENDS
        began, numbers = self._run(str(ev.entity.id), ev.event.at)
        said: dict[str, Any] = {
            **said_of(ev.app, ev.entity, ev.event.metadata),
            semconv.WAFER_JOB_ID: str(ev.entity.id),
            semconv.WAFER_JOB_NAME: arguments.identifier("the name of the application", ev.app.name) or "unknown",
            semconv.WAFER_JOB_ATTEMPT: 1,
            semconv.WAFER_JOB_SEQUENCE: next(numbers),
            semconv.WAFER_JOB_HEARTBEAT_INTERVAL: _INTERVAL,
            semconv.WAFER_JOB_ELAPSED: max((ev.event.at - began).total_seconds(), 0.0),
        }
        if ev.entity.parent_id is not None:
            said[semconv.WAFER_JOB_PARENT_ID] = str(ev.entity.parent_id)
        said.update(_measured(ev))
        severity = SeverityNumber.INFO
        if ended:
            said[semconv.WAFER_JOB_RESULT] = result = _result(ev)
            severity = SeverityNumber.ERROR if result == semconv.JobResult.FAILURE else SeverityNumber.INFO
        name = semconv.EVENT_WAFER_JOB_ENDED if ended else _NAMES.get(ev.event.kind, semconv.EVENT_WAFER_JOB_HEARTBEAT)
        return Record(name, context.current(), said, severity=severity, time=int(ev.event.at.timestamp() * 1e6) * 1000)

    def _run(self, job_id: str, at: datetime) -> tuple[datetime, Iterator[int]]:
        """Give the beginning of a job, as far as it went through here, and the numbers of its events."""
        run = self._runs.setdefault(job_id, (at, itertools.count()))
        if len(self._runs) > _REMEMBERED:
            self._runs.popitem(last=False)
        return run


def _measured(ev: JobEvent) -> dict[str, Any]:
    metrics = ev.event.metrics
    said: dict[str, Any] = {}
    for key, name in (("cpu_user_s", semconv.WAFER_JOB_CPU_USER), ("cpu_system_s", semconv.WAFER_JOB_CPU_SYSTEM)):
        if key in metrics:
            said[name] = float(metrics[key])
    if "mem_max_mb" in metrics:
        said[semconv.WAFER_JOB_MEMORY_MAX] = int(metrics["mem_max_mb"] * _MIB)
    if "duration_s" in metrics:
        said[semconv.WAFER_JOB_ELAPSED] = max(float(metrics["duration_s"]), 0.0)
    if "error" in ev.event.metadata:
        said[semconv.EXCEPTION_MESSAGE] = arguments.text(ev.event.metadata["error"])
    if "error_type" in ev.event.metadata:
        said[semconv.ERROR_TYPE] = arguments.text(ev.event.metadata["error_type"])
    return said


def _result(ev: JobEvent) -> str:
    if ev.event.kind == "canceled":
        return semconv.JobResult.CANCELLATION
    if ev.event.kind == "error":
        return semconv.JobResult.FAILURE
    return _RESULTS.get(ev.event.status, semconv.JobResult.SUCCESS)
