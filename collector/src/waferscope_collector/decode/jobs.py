"""Log events of a job's lifecycle (wafer.job.*) to job events."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from waferscope_collector.decode.attributes import Plain, json_text
from waferscope_collector.decode.limits import LONG_KEY
from waferscope_collector.decode.records import Facts, JobEvent
from waferscope_collector.decode.resource import Origin
from waferscope_collector.decode.typed import INT8_MAX, BadAttributeError, Typed

ENDED = "wafer.job.ended"
EVENTS = frozenset({"wafer.job.started", "wafer.job.heartbeat", ENDED})
RESULTS = frozenset({"success", "failure", "cancellation", "skip"})

MOST_SEQUENCE = 2**30 - 1
_LONGEST = 100 * 365 * 86_400.0  # s: no job has been running for longer


def job_event(
    name: str, *, at: datetime, attributes: Mapping[str, Plain], source: Origin, trace_id: bytes, span_id: bytes
) -> JobEvent:
    """Read an event.

    Args:
        name: The event's name, one of `EVENTS`.
        at: The event's time by the host's clock.
        attributes: Of the log record, storable.
        source: Where it comes from.
        trace_id: Of the job's span; empty for none.
        span_id: Of the job's span; empty for none.

    Returns:
        The event with all that it says of its run.

    Raises:
        BadAttributeError: It has no job id, or an attribute of the wrong type.
    """
    read = Typed(attributes)
    job_id = read.key("wafer.job.id")
    if job_id is None:
        raise BadAttributeError(f"named {name} without wafer.job.id")
    if not source.fits:
        raise BadAttributeError(LONG_KEY)
    sequence = read.integer("wafer.job.sequence", most=MOST_SEQUENCE) or 0
    elapsed = min(max(read.number("wafer.job.elapsed") or 0.0, 0.0), _LONGEST)
    raised, declared = read.text("exception.message"), read.text("wafer.job.result_reason")
    return JobEvent(
        site=source.site,
        job_id=job_id,
        attempt=read.integer("wafer.job.attempt") or 1,
        sequence=sequence,
        at=at,
        name=name,
        started_at=at - timedelta(seconds=elapsed),
        trace_id=trace_id or None,
        span_id=span_id or None,
        attributes=json_text(dict(attributes)),
        facts=Facts(
            name=read.key("wafer.job.name"),
            service=source.service or None,
            version=source.version or None,
            host=source.host or None,
            parent_job_id=read.key("wafer.job.parent.id"),
            lot=read.key("wafer.lot.id"),
            carrier=read.key("wafer.carrier.id"),
            substrate=read.key("wafer.substrate.id"),
            equipment=read.key("wafer.equipment.id"),
            module=read.key("wafer.module.id"),
            recipe=read.key("wafer.recipe.id"),
            recipe_version=read.key("wafer.recipe.version"),
            operation=read.key("wafer.operation.id"),
            result=_result(name, read),
            ended_at=at if name == ENDED else None,
            duration_s=elapsed if name == ENDED else None,
            sequence=sequence,
            heartbeat_interval=_interval(read),
            progress_done=read.number("wafer.job.progress.done"),
            progress_total=read.number("wafer.job.progress.total"),
            step_name=read.text("wafer.step.name"),
            step_index=read.integer("wafer.step.index"),
            cpu_user_s=read.number("wafer.job.cpu.user"),
            cpu_system_s=read.number("wafer.job.cpu.system"),
            memory_bytes=read.integer("wafer.job.memory.current", most=INT8_MAX),
            memory_peak_bytes=read.integer("wafer.job.memory.max", most=INT8_MAX),
            error_type=read.text("error.type"),
            error_message=raised or declared,
            trace_id=trace_id or None,
            span_id=span_id or None,
            attributes=json_text(own) if (own := read.rest()) else None,
        ),
    )


def _result(name: str, read: Typed) -> str | None:
    """Say how a run ended; an end without a known result can't be shown as one."""
    result = read.text("wafer.job.result")
    if name != ENDED:
        return None
    if result not in RESULTS:
        raise BadAttributeError(f"named {ENDED} without a known wafer.job.result")
    return result


def _interval(read: Typed) -> float | None:
    interval = read.number("wafer.job.heartbeat.interval")
    return min(interval, _LONGEST) if interval is not None and interval > 0 else None
