"""OTLP logs to log records, and to the events of jobs and of the fab among them."""

from datetime import datetime
from typing import TypedDict

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1 import logs_pb2 as otlp

from waferscope_collector.decode.attributes import Plain, json_text, plain, plain_map, storable
from waferscope_collector.decode.fab import EVENTS as FAB_EVENTS
from waferscope_collector.decode.fab import fab_event
from waferscope_collector.decode.jobs import EVENTS as JOB_EVENTS
from waferscope_collector.decode.jobs import job_event
from waferscope_collector.decode.limits import Rejects
from waferscope_collector.decode.records import FabEvent, JobEvent, LogRecord, Logs, instant
from waferscope_collector.decode.resource import Origin, origin
from waferscope_collector.decode.typed import BadAttributeError, Typed

_MOST_SEVERITY = 24
_TRACE_BYTES, _SPAN_BYTES = 16, 8


def decode(request: ExportLogsServiceRequest, *, site: str, latest: int, rejects: Rejects) -> Logs:
    """Decode a request.

    Args:
        request: The parsed request.
        site: The site of telemetry that names none.
        latest: The last timestamp that is accepted, Unix time in nanoseconds.
        rejects: Counts the records that can't be stored.

    Returns:
        The records that can be stored.
    """
    records: list[LogRecord] = []
    events: list[JobEvent] = []
    fab: list[FabEvent] = []
    for resource_logs in request.resource_logs:
        source = origin(resource_logs.resource.attributes, site)
        resource = json_text(plain_map(resource_logs.resource.attributes))
        for scope_logs in resource_logs.scope_logs:
            scope = storable(scope_logs.scope.name)
            for record in scope_logs.log_records:
                if rejects.time(record.time_unix_nano or record.observed_time_unix_nano, latest):
                    continue
                attributes = plain_map(record.attributes)
                try:
                    if record.event_name in JOB_EVENTS:
                        events.append(job_event(record.event_name, **_announced(record, attributes, source)))
                    elif record.event_name in FAB_EVENTS:
                        fab.append(fab_event(record.event_name, **_announced(record, attributes, source)))
                    else:
                        records.append(_record(record, attributes, source, resource, scope))
                except BadAttributeError as error:
                    rejects.add(str(error))
    return Logs(tuple(records), tuple(events), tuple(fab))


class _Announced(TypedDict):
    at: datetime
    attributes: dict[str, Plain]
    source: Origin
    trace_id: bytes
    span_id: bytes


def _announced(record: otlp.LogRecord, attributes: dict[str, Plain], source: Origin) -> _Announced:
    """Return what every event is read from."""
    at = instant(record.time_unix_nano or record.observed_time_unix_nano)
    trace_id, span_id = _context(record)
    return _Announced(at=at, attributes=attributes, source=source, trace_id=trace_id, span_id=span_id)


def _record(
    record: otlp.LogRecord, attributes: dict[str, Plain], source: Origin, resource: str, scope: str
) -> LogRecord:
    observed = record.observed_time_unix_nano
    trace_id, span_id = _context(record)
    return LogRecord(
        ts=instant(record.time_unix_nano or observed),
        observed_at=instant(observed) if 0 < observed < 2**63 else None,
        severity=min(max(record.severity_number, 0), _MOST_SEVERITY),
        severity_text=storable(record.severity_text),
        event_name=storable(record.event_name),
        body=json_text(plain(record.body)) if record.HasField("body") else None,
        trace_id=trace_id or None,
        span_id=span_id or None,
        site=source.site,
        service=source.service,
        host=source.host,
        job_id=Typed(attributes).key("wafer.job.id"),
        attributes=json_text(attributes),
        resource=resource,
        scope=scope,
    )


def _context(record: otlp.LogRecord) -> tuple[bytes, bytes]:
    """Return trace and span id, each empty unless it has its length."""
    trace_id, span_id = record.trace_id, record.span_id
    return trace_id if len(trace_id) == _TRACE_BYTES else b"", span_id if len(span_id) == _SPAN_BYTES else b""
