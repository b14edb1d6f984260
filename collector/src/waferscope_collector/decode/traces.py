"""OTLP traces to spans and steps."""

from collections.abc import Iterable, Mapping

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1 import trace_pb2 as otlp

from waferscope_collector.decode.attributes import Plain, json_text, plain_map, storable
from waferscope_collector.decode.jobs import RESULTS
from waferscope_collector.decode.limits import LONG_KEY, Rejects, within_key
from waferscope_collector.decode.records import Span, Step, Traces, instant
from waferscope_collector.decode.resource import Origin, origin
from waferscope_collector.decode.typed import BadAttributeError, Typed

_TRACE_BYTES, _SPAN_BYTES = 16, 8
_KINDS = range(6)
_STATUSES = range(3)


def decode(request: ExportTraceServiceRequest, *, site: str, latest: int, rejects: Rejects) -> Traces:
    """Decode a request.

    Args:
        request: The parsed request.
        site: The site of telemetry that names none.
        latest: The last timestamp that is accepted, Unix time in nanoseconds.
        rejects: Counts the spans that can't be stored.

    Returns:
        The spans that can be stored.
    """
    spans: list[Span] = []
    steps: list[Step] = []
    for resource_spans in request.resource_spans:
        source = origin(resource_spans.resource.attributes, site)
        resource = json_text(plain_map(resource_spans.resource.attributes))
        for scope_spans in resource_spans.scope_spans:
            scope = storable(scope_spans.scope.name)
            for span in scope_spans.spans:
                if rejects.time(span.start_time_unix_nano, latest):
                    continue
                attributes = plain_map(span.attributes)
                try:
                    row = _span(span, attributes, source, resource, scope)
                    step = _step(span, attributes, row)
                except BadAttributeError as error:
                    rejects.add(str(error))
                    continue
                spans.append(row)
                if step is not None:
                    steps.append(step)
    return Traces(tuple(spans), tuple(steps))


def _span(span: otlp.Span, attributes: Mapping[str, Plain], source: Origin, resource: str, scope: str) -> Span:
    if len(span.trace_id) != _TRACE_BYTES or len(span.span_id) != _SPAN_BYTES:
        raise BadAttributeError("without a trace id of 16 and a span id of 8 bytes")
    read = Typed(attributes)
    return Span(
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_span_id=span.parent_span_id if len(span.parent_span_id) == _SPAN_BYTES else None,
        start=instant(span.start_time_unix_nano),
        start_ns=span.start_time_unix_nano,
        duration_ns=_duration(span),
        name=storable(span.name),
        kind=span.kind if span.kind in _KINDS else 0,
        status=span.status.code if span.status.code in _STATUSES else 0,
        status_message=storable(span.status.message),
        site=source.site,
        service=source.service,
        host=source.host,
        job_id=read.key("wafer.job.id"),
        job_name=read.text("wafer.job.name"),
        step_name=read.text("wafer.step.name"),
        lot=read.text("wafer.lot.id"),
        equipment=read.text("wafer.equipment.id"),
        attributes=json_text(dict(attributes)),
        resource=resource,
        scope=scope,
        events=json_text(_events(span.events)),
        links=json_text(_links(span.links)),
    )


def _duration(span: otlp.Span) -> int:
    """Return the duration in nanoseconds; a span that ends before its start lasts nothing."""
    return min(max(span.end_time_unix_nano - span.start_time_unix_nano, 0), 2**63 - 1 - span.start_time_unix_nano)


def _events(events: Iterable[otlp.Span.Event]) -> list[Plain]:
    return [
        {
            "time_unix_nano": event.time_unix_nano,
            "name": storable(event.name),
            "attributes": plain_map(event.attributes),
        }
        for event in events
    ]


def _links(links: Iterable[otlp.Span.Link]) -> list[Plain]:
    return [
        {"trace_id": link.trace_id.hex(), "span_id": link.span_id.hex(), "attributes": plain_map(link.attributes)}
        for link in links
    ]


def _step(span: otlp.Span, attributes: Mapping[str, Plain], row: Span) -> Step | None:
    """Read the step that a span tells of; None for a span that is no step of a job."""
    if row.step_name is None or row.job_id is None:
        return None
    if not within_key(row.site):
        raise BadAttributeError(LONG_KEY)
    read = Typed(attributes)
    result = read.text("wafer.step.result")
    if result not in RESULTS:
        result = "failure" if span.status.code == otlp.Status.STATUS_CODE_ERROR else "success"
    return Step(
        site=row.site,
        job_id=row.job_id,
        attempt=read.integer("wafer.job.attempt") or 1,
        span_id=row.span_id,
        name=row.step_name,
        index=read.integer("wafer.step.index") or 0,
        result=result,
        started_at=row.start,
        ended_at=instant(row.start_ns + row.duration_ns),
        duration_s=row.duration_ns / 1e9,
        error_type=read.text("error.type"),
        trace_id=row.trace_id,
        parent_span_id=row.parent_span_id,
        attributes=row.attributes,
    )
