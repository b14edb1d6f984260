"""What a job says of itself: attributes of its events and spans, and its metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from waferscope import semconv
from waferscope._internal.usage import Consumption

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from waferscope._internal.arguments import AttributeValue
    from waferscope._internal.metrics import Meter
    from waferscope._internal.outcome import Outcome
    from waferscope._internal.spec import Spec

Said = dict[str, "AttributeValue"]


def on_events(spec: Spec, job_id: str, parent_id: str | None, queue_s: float | None) -> Said:
    """Give what every event of a run and its span say.

    Args:
        spec: Of the job.
        job_id: Of the run.
        parent_id: Of the job around it.
        queue_s: How long it waited to begin, s.
    """
    said: Said = {
        **spec.attributes,
        semconv.WAFER_JOB_ID: job_id,
        semconv.WAFER_JOB_ATTEMPT: spec.attempt,
    }
    if parent_id is not None:
        said[semconv.WAFER_JOB_PARENT_ID] = parent_id
    if queue_s is not None:
        said[semconv.WAFER_JOB_QUEUE_TIME] = queue_s
    return said


def on_steps(spec: Spec, job_id: str) -> Said:
    """Give what the spans of a job's steps and its log records say of it."""
    return {semconv.WAFER_JOB_ID: job_id, semconv.WAFER_JOB_NAME: spec.name, semconv.WAFER_JOB_ATTEMPT: spec.attempt}


def on_heartbeats(consumed: Consumption) -> Said:
    """Give what every event after the first, and the job's span, say of CPU and memory."""
    said: Said = {
        semconv.WAFER_JOB_CPU_USER: consumed.user,
        semconv.WAFER_JOB_CPU_SYSTEM: consumed.system,
        semconv.WAFER_JOB_MEMORY_CURRENT: consumed.memory,
        semconv.WAFER_JOB_MEMORY_MAX: consumed.peak,
    }
    if consumed.children:
        said[semconv.WAFER_JOB_MEMORY_CHILDREN] = consumed.children
    return said


def on_consumption(consumed: Consumption) -> Said:
    """Give all that the ended event and the job's span say of what was used."""
    said = on_heartbeats(consumed)
    said[semconv.WAFER_JOB_IO_READ] = consumed.read
    said[semconv.WAFER_JOB_IO_WRITE] = consumed.written
    said[semconv.WAFER_JOB_CONTEXT_SWITCHES_VOLUNTARY] = consumed.voluntary
    said[semconv.WAFER_JOB_CONTEXT_SWITCHES_INVOLUNTARY] = consumed.involuntary
    return said


def on_end(how: Outcome) -> Said:
    """Give what the ended event and the job's span say of the outcome."""
    said: Said = {semconv.WAFER_JOB_RESULT: how.result}
    if how.error_type is not None:
        said[semconv.ERROR_TYPE] = how.error_type
    if how.message:
        said[semconv.EXCEPTION_MESSAGE] = how.message
    if how.reason:
        said[semconv.WAFER_JOB_RESULT_REASON] = how.reason
    return said


def record(
    meter: Meter,
    spec: Spec,
    how: Outcome,
    elapsed: float,
    *,
    consumed: Consumption,
    substrates: int,
    span: Span,
    time: int,
) -> None:
    """Record the metrics of a job that has ended.

    Args:
        meter: Adds them up.
        spec: Whose job it was.
        how: Its outcome.
        elapsed: Its duration, s.
        consumed: What it used.
        substrates: How many it has dealt with.
        span: Of the job, for exemplars.
        time: Of the end, Unix time in ns.
    """
    labels = (*spec.on_metrics, (semconv.WAFER_JOB_RESULT, how.result))
    meter.record(semconv.METRIC_WAFER_JOB_DURATION, elapsed, labels, span, time)
    meter.record(semconv.METRIC_WAFER_JOB_CPU_TIME, consumed.user + consumed.system, labels, span, time)
    meter.record(semconv.METRIC_WAFER_JOB_MEMORY_PEAK, consumed.peak, labels, span, time)
    if how.error_type is not None:
        failed = (*labels, (semconv.ERROR_TYPE, how.error_type))
        meter.record(semconv.METRIC_WAFER_JOB_ERRORS, 1, failed, span, time)
    if substrates:
        meter.record(semconv.METRIC_WAFER_SUBSTRATE_PROCESSED, substrates, labels, span, time)
