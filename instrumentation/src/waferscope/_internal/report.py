"""What a job says of itself: attributes of its events and spans, and its metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from waferscope import semconv

if TYPE_CHECKING:
    from waferscope._internal.identity import AttributeValue, Identity
    from waferscope._internal.metrics import Meter
    from waferscope._internal.outcome import Outcome
    from waferscope._internal.usage import Consumption


def on_steps(job_id: str, name: str, attempt: int) -> dict[str, AttributeValue]:
    """Give what the span of a step says of its job."""
    return {semconv.WAFER_JOB_ID: job_id, semconv.WAFER_JOB_NAME: name, semconv.WAFER_JOB_ATTEMPT: attempt}


def on_consumption(consumed: Consumption) -> dict[str, AttributeValue]:
    """Give what events and the job's span say of CPU and memory."""
    return {
        semconv.WAFER_JOB_CPU_USER: consumed.cpu_user,
        semconv.WAFER_JOB_CPU_SYSTEM: consumed.cpu_system,
        semconv.WAFER_JOB_MEMORY_CURRENT: consumed.memory,
        semconv.WAFER_JOB_MEMORY_MAX: consumed.memory_peak,
    }


def on_end(how: Outcome) -> dict[str, AttributeValue]:
    """Give what the ended event and the job's span say of the outcome."""
    said: dict[str, AttributeValue] = {semconv.WAFER_JOB_RESULT: how.result}
    if how.error_type is not None:
        said[semconv.ERROR_TYPE] = how.error_type
    if how.message:
        said[semconv.EXCEPTION_MESSAGE] = how.message
    return said


def record(
    meter: Meter, identity: Identity, how: Outcome, elapsed: float, *, consumed: Consumption, substrates: int
) -> None:
    """Record the metrics of a job that has ended.

    Args:
        meter: Adds them up.
        identity: Whose job it was.
        how: Its outcome.
        elapsed: Its duration, s.
        consumed: CPU time and memory.
        substrates: How many it has dealt with.
    """
    labels = (*identity.on_metrics, (semconv.WAFER_JOB_RESULT, how.result))
    meter.record(semconv.METRIC_WAFER_JOB_DURATION, elapsed, labels)
    meter.record(semconv.METRIC_WAFER_JOB_CPU_TIME, consumed.cpu_user + consumed.cpu_system, labels)
    meter.record(semconv.METRIC_WAFER_JOB_MEMORY_PEAK, consumed.memory_peak, labels)
    if how.error_type is not None:
        meter.record(semconv.METRIC_WAFER_JOB_ERRORS, 1, (*labels, (semconv.ERROR_TYPE, how.error_type)))
    if substrates:
        meter.record(semconv.METRIC_WAFER_SUBSTRATE_PROCESSED, substrates, labels)
