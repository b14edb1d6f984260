"""OTLP logs to rows of log records, and to the events of jobs and of the fab among them."""

from datetime import datetime
from struct import Struct
from typing import TypedDict

import msgspec
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from waferscope_collector import cells
from waferscope_collector.decode import lazy
from waferscope_collector.decode.attributes import Plain, plain
from waferscope_collector.decode.context import Context
from waferscope_collector.decode.fab import EVENTS as FAB_EVENTS
from waferscope_collector.decode.fab import fab_event
from waferscope_collector.decode.fragments import UNREADABLE, Fragments, attribute_map, jsonb, message
from waferscope_collector.decode.jobs import EVENTS as JOB_EVENTS
from waferscope_collector.decode.jobs import job_event
from waferscope_collector.decode.limits import LONG_KEY, within_key
from waferscope_collector.decode.records import FabEvent, JobEvent, Logs, Row, instant
from waferscope_collector.decode.resource import Origin
from waferscope_collector.decode.resource_cells import RESOURCE_COLUMNS, SCOPE_COLUMNS, scope_cells, source
from waferscope_collector.decode.typed import BadAttributeError

# Columns of `Logs.records` in their order.
LOG_COLUMNS = (
    *("ts", "severity", "observed_at", "severity_text", "event_name", "body", "trace_id", "span_id", "job_id"),
    *("attributes", "flags", "dropped_attributes"),
    *RESOURCE_COLUMNS,
    *SCOPE_COLUMNS,
)
_HEAD = Struct(">hiqih")

_MOST_SEVERITY = 24
_TRACE_BYTES, _SPAN_BYTES = 16, 8
_DAY_NS = 86_400 * 10**9

_JOB = "wafer.job.id"
_FRAGMENTS = Fragments((_JOB,))
_JOB_EVENTS = frozenset(name.encode() for name in JOB_EVENTS)
_FAB_EVENTS = frozenset(name.encode() for name in FAB_EVENTS)


def decode(body: bytes, context: Context) -> Logs:
    """Decode a request.

    Args:
        body: The request in protobuf.
        context: Its surroundings; its rejects count the records that can't be stored.

    Returns:
        The records that can be stored.

    Raises:
        MalformedError: The body is no such request.
    """
    site, latest, rejects = context.site, context.latest, context.rejects
    oldest = context.oldest["log_record"]
    rows: list[Row] = []
    events: list[JobEvent] = []
    fab: list[FabEvent] = []
    days: set[int] = set()
    for resource_logs in lazy.parse(lazy.Logs, body).resources:
        for scope_logs in resource_logs.scopes:
            try:
                of = source(resource_logs.resource, site)
                tail = of.cells + scope_cells(scope_logs.scope)
            except BadAttributeError as error:
                rejects.add(str(error), len(scope_logs.records))
                continue
            for record in scope_logs.records:
                time = record.time or record.observed
                if rejects.time(time, latest, oldest):
                    continue
                name = record.event_name
                try:
                    if name in _JOB_EVENTS:
                        events.append(job_event(name.decode(), **_announced(record, time, of.origin)))
                    elif name in _FAB_EVENTS:
                        fab.append(fab_event(name.decode(), **_announced(record, time, of.origin)))
                    else:
                        rows.append((_row(record, time, name), tail))
                        days.add(time // _DAY_NS)
                except BadAttributeError as error:
                    rejects.add(str(error))
                except UnicodeDecodeError:
                    rejects.add(UNREADABLE)
    return Logs(rows, tuple(events), tuple(fab), frozenset(days))


class _Announced(TypedDict):
    at: datetime
    attributes: dict[str, Plain]
    source: Origin
    trace_id: bytes
    span_id: bytes


def _announced(record: lazy.LogRecord, time: int, source: Origin) -> _Announced:
    """Return what every event is read from."""
    trace_id, span_id = record.trace_id, record.span_id
    return _Announced(
        at=instant(time),
        attributes=attribute_map(record.attributes),
        source=source,
        trace_id=trace_id if len(trace_id) == _TRACE_BYTES else b"",
        span_id=span_id if len(span_id) == _SPAN_BYTES else b"",
    )


def _row(record: lazy.LogRecord, time: int, name: bytes) -> bytes:
    """Return the cells before those of `RESOURCE_COLUMNS`."""
    attributes, named = _FRAGMENTS.read(record.attributes)
    observed, trace_id, span_id = record.observed, record.trace_id, record.span_id
    job = cells.NULL
    if named:
        job = named[_JOB].cell
        if not within_key(named[_JOB].text):
            raise BadAttributeError(LONG_KEY)
    return b"".join(
        (
            _HEAD.pack(
                *(len(LOG_COLUMNS), 8, time // 1000 - cells.EPOCH_US),
                *(2, min(max(record.severity, 0), _MOST_SEVERITY)),
            ),
            cells.instant(observed) if 0 < observed < 2**63 else cells.NULL,
            cells.utf8(record.severity_text),
            cells.utf8(name),
            _body(record),
            cells.binary(trace_id) if len(trace_id) == _TRACE_BYTES else cells.NULL,
            cells.binary(span_id) if len(span_id) == _SPAN_BYTES else cells.NULL,
            job,
            attributes,
            cells.bigint(flags) if (flags := record.flags) else cells.NULL,
            cells.few(record.dropped_attributes),
        )
    )


def _body(record: lazy.LogRecord) -> bytes:
    body = record.body
    if body:
        return jsonb(msgspec.json.encode(plain(message(AnyValue, body))))
    return cells.json(b"null") if record.HasField("body") else cells.NULL
