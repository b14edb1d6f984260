"""OTLP traces to rows of spans, and to steps."""

from struct import Struct

import msgspec
from opentelemetry.proto.trace.v1 import trace_pb2 as otlp

from waferscope_collector import cells
from waferscope_collector.decode import lazy
from waferscope_collector.decode.attributes import Plain, plain_map, storable
from waferscope_collector.decode.context import Context
from waferscope_collector.decode.fragments import UNREADABLE, Fragments, Named, attribute_map, few, jsonb, message
from waferscope_collector.decode.jobs import RESULTS
from waferscope_collector.decode.limits import LONG_KEY, within_key
from waferscope_collector.decode.records import Row, Step, Traces, instant
from waferscope_collector.decode.resource_cells import RESOURCE_COLUMNS, SCOPE_COLUMNS, Source, scope_cells, source
from waferscope_collector.decode.typed import BadAttributeError, Typed

# Columns of `Traces.spans` in their order. The key comes first and has one length: rows sort by it as bytes.
SPAN_COLUMNS = (
    *("trace_id", "span_id", "start"),
    *("start_ns", "duration_ns", "kind", "status", "parent_span_id", "name", "status_message"),
    *("job_id", "job_name", "step_name", "lot", "equipment", "attributes"),
    *("flags", "trace_state", "events", "links", "dropped_attributes", "dropped_events", "dropped_links"),
    *RESOURCE_COLUMNS,
    *SCOPE_COLUMNS,
)
_HEAD = Struct(">h i16s i8s iq iq iq ih ih")
KEY_BYTES = Struct(">h i16s i8s iq").size

_TRACE_BYTES, _SPAN_BYTES = 16, 8
_KINDS = range(6)
_STATUSES = range(3)
_DAY_NS = 86_400 * 10**9

_JOB, _STEP = "wafer.job.id", "wafer.step.name"
_NAMED = (_JOB, "wafer.job.name", _STEP, "wafer.lot.id", "wafer.equipment.id")
_FRAGMENTS = Fragments(_NAMED)

_NONE_NAMED = cells.NULL * len(_NAMED)
_EMPTY_LIST = cells.json(b"[]")
_PLAIN_END = b"".join((cells.NULL, _EMPTY_LIST, _EMPTY_LIST, cells.NULL * 3))
_UNSET = (0, cells.text(""))


def decode(body: bytes, context: Context) -> Traces:
    """Decode a request.

    Args:
        body: The request in protobuf.
        context: Its surroundings; its rejects count the spans that can't be stored.

    Returns:
        The spans that can be stored.

    Raises:
        MalformedError: The body is no such request.
    """
    site, latest, rejects = context.site, context.latest, context.rejects
    oldest = context.oldest["span"]
    rows: list[Row] = []
    steps: list[Step] = []
    days: set[int] = set()
    for resource_spans in lazy.parse(lazy.Traces, body).resources:
        for scope_spans in resource_spans.scopes:
            try:
                of = source(resource_spans.resource, site)
                tail = of.cells + scope_cells(scope_spans.scope)
            except BadAttributeError as error:
                rejects.add(str(error), len(scope_spans.spans))
                continue
            for span in scope_spans.spans:
                start = span.start
                if rejects.time(start, latest, oldest):
                    continue
                try:
                    attributes, named = _FRAGMENTS.read(span.attributes)
                    row = _row(span, start, attributes, named), tail
                    if _STEP in named and (step := _step(span, start, of)) is not None:
                        steps.append(step)
                except BadAttributeError as error:
                    rejects.add(str(error))
                    continue
                except UnicodeDecodeError:
                    rejects.add(UNREADABLE)
                    continue
                rows.append(row)
                days.add(start // _DAY_NS)
    return Traces(rows, tuple(steps), frozenset(days))


def span_ids(row: Row) -> tuple[bytes, bytes]:
    """Return the trace id and the span id of a row."""
    _, _, trace_id, _, span_id, *_ = _HEAD.unpack_from(row[0])
    return trace_id, span_id


def _row(span: lazy.Span, start: int, attributes: bytes, named: dict[str, Named]) -> bytes:
    """Return the cells before those of `RESOURCE_COLUMNS`."""
    trace_id, span_id, parent = span.trace_id, span.span_id, span.parent_span_id
    if len(trace_id) != _TRACE_BYTES or len(span_id) != _SPAN_BYTES:
        raise BadAttributeError("without a trace id of 16 and a span id of 8 bytes")
    kind = span.kind
    status, status_message = _status(span.status) if span.status else _UNSET
    return b"".join(
        (
            _HEAD.pack(
                *(len(SPAN_COLUMNS), _TRACE_BYTES, trace_id, _SPAN_BYTES, span_id),
                *(8, start // 1000 - cells.EPOCH_US, 8, start, 8, _duration(span, start)),
                *(2, kind if kind in _KINDS else 0, 2, status),
            ),
            cells.binary(parent) if len(parent) == _SPAN_BYTES else cells.NULL,
            cells.utf8(span.name),
            status_message,
            _named(named) if named else _NONE_NAMED,
            attributes,
            cells.bigint(flags) if (flags := span.flags) else cells.NULL,
            _end(span),
        )
    )


def _duration(span: lazy.Span, start: int) -> int:
    """Return the duration in nanoseconds; a span that ends before its start lasts nothing."""
    return min(max(span.end - start, 0), 2**63 - 1 - start)


def _status(status: bytes) -> tuple[int, bytes]:
    found = message(otlp.Status, status)
    return found.code if found.code in _STATUSES else 0, cells.text(storable(found.message))


def _named(named: dict[str, Named]) -> bytes:
    """Return the cells of the attributes that have columns."""
    if _JOB in named and not within_key(named[_JOB].text):
        raise BadAttributeError(LONG_KEY)
    return b"".join([named[key].cell if key in named else cells.NULL for key in _NAMED])


def _end(span: lazy.Span) -> bytes:
    """Return the cells from trace_state to dropped_links."""
    events, links = span.events, span.links
    state = span.trace_state
    dropped = (span.dropped_attributes, span.dropped_events, span.dropped_links)
    if not events and not links and not state and not any(dropped):
        return _PLAIN_END
    few(events)
    few(links)
    return b"".join(
        (
            cells.utf8(state) if state else cells.NULL,
            jsonb(msgspec.json.encode([*map(_event, events)])) if events else _EMPTY_LIST,
            jsonb(msgspec.json.encode([*map(_link, links)])) if links else _EMPTY_LIST,
            *map(cells.few, dropped),
        )
    )


def _event(body: bytes) -> dict[str, Plain]:
    event = message(otlp.Span.Event, body)
    found: dict[str, Plain] = {
        "time_unix_nano": event.time_unix_nano,
        "name": storable(event.name),
        "attributes": plain_map(event.attributes),
    }
    if dropped := event.dropped_attributes_count:
        found["dropped_attributes"] = dropped
    return found


def _link(body: bytes) -> dict[str, Plain]:
    link = message(otlp.Span.Link, body)
    found: dict[str, Plain] = {
        "trace_id": link.trace_id.hex(),
        "span_id": link.span_id.hex(),
        "attributes": plain_map(link.attributes),
    }
    more: dict[str, Plain] = {
        "trace_state": storable(link.trace_state),
        "flags": link.flags,
        "dropped_attributes": link.dropped_attributes_count,
    }
    return found | {key: value for key, value in more.items() if value}


def _step(span: lazy.Span, start: int, of: Source) -> Step | None:
    """Read the step that a span tells of; None for a span that is no step of a job."""
    attributes = attribute_map(span.attributes)
    read = Typed(attributes)
    name, job_id = read.text(_STEP), read.key(_JOB)
    if name is None or job_id is None:
        return None
    if not within_key(of.origin.site):
        raise BadAttributeError(LONG_KEY)
    result = read.text("wafer.step.result")
    if result not in RESULTS:
        status, _ = _status(span.status)
        result = "failure" if status == otlp.Status.STATUS_CODE_ERROR else "success"
    duration = _duration(span, start)
    parent = span.parent_span_id
    return Step(
        site=of.origin.site,
        job_id=job_id,
        attempt=read.integer("wafer.job.attempt") or 1,
        span_id=span.span_id,
        name=name,
        index=read.integer("wafer.step.index") or 0,
        result=result,
        started_at=instant(start),
        ended_at=instant(start + duration),
        duration_s=duration / 1e9,
        error_type=read.text("error.type"),
        trace_id=span.trace_id,
        parent_span_id=parent if len(parent) == _SPAN_BYTES else None,
        attributes=msgspec.json.encode(attributes).decode(),
    )
