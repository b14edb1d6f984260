"""Telemetry that was kept in memory, in the words of jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from waferscope import semconv
from waferscope._internal.records import Record

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.sdk.trace import ReadableSpan

    from waferscope._internal.capture import Clock
    from waferscope._internal.metrics import Meter, State

_JOB_EVENTS = (
    semconv.EVENT_WAFER_JOB_STARTED,
    semconv.EVENT_WAFER_JOB_HEARTBEAT,
    semconv.EVENT_WAFER_JOB_ENDED,
)


@dataclass(frozen=True, slots=True)
class CapturedEvent:
    """An event.

    Attributes:
        name: `wafer.job.started`, for example.
        time: Unix time in ns.
        attributes: By their names.
        severity: `INFO`, for example.
    """

    name: str
    time: int
    attributes: Mapping[str, Any]
    severity: str


@dataclass(frozen=True, slots=True)
class CapturedLog:
    """A log record.

    Attributes:
        message: Its body.
        time: Unix time in ns.
        attributes: By their names.
        severity: `INFO`, for example.
    """

    message: str
    time: int
    attributes: Mapping[str, Any]
    severity: str


@dataclass(frozen=True, slots=True)
class CapturedStep:
    """A step that has ended.

    Attributes:
        name: Of the step.
        index: Its number in the job, from 0.
        result: `success`, `failure`, `cancellation` or `skip`.
        duration_s: Seconds.
        span: As the SDK made it.
    """

    name: str
    index: int
    result: str
    duration_s: float
    span: ReadableSpan


@dataclass(frozen=True, slots=True)
class CapturedJob:
    """One run of a job.

    Attributes:
        id: `wafer.job.id`.
        name: `wafer.job.name`.
        attempt: From 1.
        events: Its events, in order.
        steps: Its ended steps, by their index.
        span: As the SDK made it; None while the job runs.
    """

    id: str
    name: str
    attempt: int
    events: tuple[CapturedEvent, ...]
    steps: tuple[CapturedStep, ...]
    span: ReadableSpan | None

    @property
    def attributes(self) -> Mapping[str, Any]:
        """What its newest event says."""
        return self.events[-1].attributes

    @property
    def result(self) -> str | None:
        """`success`, `failure`, `cancellation` or `skip`; None while it runs."""
        return self.attributes.get(semconv.WAFER_JOB_RESULT)

    @property
    def error_type(self) -> str | None:
        """What made it fail."""
        return self.attributes.get(semconv.ERROR_TYPE)

    @property
    def reason(self) -> str | None:
        """What the author declared, or the text of the exception."""
        said = self.attributes
        return said.get(semconv.WAFER_JOB_RESULT_REASON) or said.get(semconv.EXCEPTION_MESSAGE)

    @property
    def progress(self) -> tuple[float | None, float | None]:
        """Units done and in all."""
        said = self.attributes
        return said.get(semconv.WAFER_JOB_PROGRESS_DONE), said.get(semconv.WAFER_JOB_PROGRESS_TOTAL)

    @property
    def parent_id(self) -> str | None:
        """The id of the job around it."""
        return self.attributes.get(semconv.WAFER_JOB_PARENT_ID)


@dataclass(frozen=True, slots=True)
class CapturedMetric:
    """One series of a metric.

    Attributes:
        name: Of the metric.
        unit: By UCUM.
        attributes: By their names.
        count: Number of values.
        sum: Their sum; the value of a counter.
        min: The least.
        max: The greatest.
    """

    name: str
    unit: str
    attributes: Mapping[str, Any]
    count: int
    sum: float
    min: float
    max: float


@dataclass(slots=True)
class Telemetry:
    """All that was recorded since `capture()` began, or since `clear()`.

    Attributes:
        clock: Stands still until it is told to advance.
        spans: All ended spans, as the SDK made them, in order of their ends.
    """

    clock: Clock
    _meter: Meter
    _beat: Callable[[], None]
    spans: list[ReadableSpan] = field(default_factory=list)
    records: list[Any] = field(default_factory=list)
    _metrics: list[CapturedMetric] = field(default_factory=list)

    @property
    def events(self) -> list[CapturedEvent]:
        """All events, in order."""
        found = [record for record in self.records if isinstance(record, Record) and record.name is not None]
        return [CapturedEvent(record.name or "", *record.said, record.severity.name) for record in found]

    @property
    def logs(self) -> list[CapturedLog]:
        """All log records, in order."""
        found = [record for record in self.records if isinstance(record, Record) and record.name is None]
        return [CapturedLog(record.body or "", *record.said, record.severity.name) for record in found]

    @property
    def jobs(self) -> list[CapturedJob]:
        """All runs of jobs, in order of their beginning."""
        runs: dict[tuple[str, int], list[CapturedEvent]] = {}
        for event in self.events:
            if event.name in _JOB_EVENTS:
                key = event.attributes[semconv.WAFER_JOB_ID], event.attributes[semconv.WAFER_JOB_ATTEMPT]
                runs.setdefault(key, []).append(event)
        return [self._job(*key, events) for key, events in runs.items()]

    def job(self, name: str) -> CapturedJob:
        """Give the one run of a job.

        Args:
            name: Of the job.

        Raises:
            AssertionError: There was none, or there were several.
        """
        found = [job for job in self.jobs if job.name == name]
        if len(found) != 1:
            there = ", ".join(job.name for job in self.jobs) or "none"
            raise AssertionError(f"{len(found)} runs of the job {name!r} instead of one; jobs: {there}")
        return found[0]

    @property
    def metrics(self) -> list[CapturedMetric]:
        """All series of the wrapper's metrics and of measurements, added up."""
        delta = self._meter.take()
        for recorded in delta.metrics if delta is not None else ():
            metric = recorded.metric
            for attributes, state in recorded.states.items():
                self._add(metric.name, metric.unit, dict(attributes), state)
        return list(self._metrics)

    def metric(self, name: str, **attributes: Any) -> CapturedMetric:
        """Give the one series of a metric.

        Args:
            name: Of the metric.
            **attributes: That it has, among others; dots of their names written as underscores.

        Raises:
            AssertionError: There was none, or there were several.
        """
        series = self.metrics
        found = [item for item in series if item.name == name and _has(item.attributes, attributes)]
        if len(found) != 1:
            there = ", ".join(sorted({item.name for item in series})) or "none"
            raise AssertionError(f"{len(found)} series of {name!r} with {attributes} instead of one; metrics: {there}")
        return found[0]

    def heartbeat(self) -> None:
        """Let every job that runs tell it now: heartbeats don't come by themselves here."""
        self._beat()

    def clear(self) -> None:
        """Forget what was recorded so far."""
        self._meter.take()
        self.spans.clear()
        self.records.clear()
        self._metrics.clear()

    def _job(self, job_id: str, attempt: int, events: list[CapturedEvent]) -> CapturedJob:
        name = events[0].attributes[semconv.WAFER_JOB_NAME]
        spans = [
            span
            for span in self.spans
            if _said(span).get(semconv.WAFER_JOB_ID) == job_id and _said(span).get(semconv.WAFER_JOB_ATTEMPT) == attempt
        ]
        steps = [_step(span) for span in spans if semconv.WAFER_STEP_NAME in _said(span)]
        own = next((span for span in spans if semconv.WAFER_STEP_NAME not in _said(span)), None)
        return CapturedJob(job_id, name, attempt, tuple(events), tuple(sorted(steps, key=lambda step: step.index)), own)

    def _add(self, name: str, unit: str, attributes: dict[str, Any], state: State) -> None:
        for index, item in enumerate(self._metrics):
            if (item.name, item.unit, item.attributes) == (name, unit, attributes):
                count, total = item.count + state.count, item.sum + state.sum
                low, high = min(item.min, state.min), max(item.max, state.max)
                self._metrics[index] = CapturedMetric(name, unit, attributes, count, total, low, high)
                return
        self._metrics.append(CapturedMetric(name, unit, attributes, state.count, state.sum, state.min, state.max))


def _step(span: ReadableSpan) -> CapturedStep:
    said = _said(span)
    return CapturedStep(
        name=str(said[semconv.WAFER_STEP_NAME]),
        index=int(said[semconv.WAFER_STEP_INDEX]),
        result=str(said.get(semconv.WAFER_STEP_RESULT)),
        duration_s=((span.end_time or 0) - (span.start_time or 0)) / 1e9,
        span=span,
    )


def _said(span: ReadableSpan) -> Mapping[str, Any]:
    return span.attributes or {}


def _has(said: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    known = {key.replace(".", "_"): value for key, value in said.items()}
    return all(known.get(key) == value for key, value in wanted.items())
