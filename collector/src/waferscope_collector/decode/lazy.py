"""OTLP's logs and traces, parsed only as far as every row needs it.

These messages are read from the same bytes as OTLP's own, but texts, attributes, events, links and resources stay the
bytes that they are. So most of them are found in a cache as they stand instead of being taken apart; and a text that is
no UTF-8, or a value that is nested too deeply, costs its own record and not the request, as protobuf's rules would
have it. The classes here only declare: their annotations become the messages that protobuf parses. Numbers of fields:
opentelemetry-proto, trace.proto and logs.proto.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, cast, get_args, get_origin, get_type_hints

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from waferscope_collector.errors import MalformedError

_Kind = descriptor_pb2.FieldDescriptorProto
_BYTES, _FIXED64, _FIXED32, _UINT32, _INT32, _MESSAGE = (
    *(_Kind.TYPE_BYTES, _Kind.TYPE_FIXED64, _Kind.TYPE_FIXED32),
    *(_Kind.TYPE_UINT32, _Kind.TYPE_INT32, _Kind.TYPE_MESSAGE),
)


@dataclass(frozen=True, slots=True)
class _Field:
    number: int
    kind: Any = _BYTES


class Span:
    """A span."""

    trace_id: Annotated[bytes, _Field(1)]
    span_id: Annotated[bytes, _Field(2)]
    trace_state: Annotated[bytes, _Field(3)]
    parent_span_id: Annotated[bytes, _Field(4)]
    name: Annotated[bytes, _Field(5)]
    kind: Annotated[int, _Field(6, _INT32)]
    start: Annotated[int, _Field(7, _FIXED64)]
    end: Annotated[int, _Field(8, _FIXED64)]
    attributes: Annotated[Sequence[bytes], _Field(9)]
    dropped_attributes: Annotated[int, _Field(10, _UINT32)]
    events: Annotated[Sequence[bytes], _Field(11)]
    dropped_events: Annotated[int, _Field(12, _UINT32)]
    links: Annotated[Sequence[bytes], _Field(13)]
    dropped_links: Annotated[int, _Field(14, _UINT32)]
    status: Annotated[bytes, _Field(15)]
    flags: Annotated[int, _Field(16, _FIXED32)]


class LogRecord:
    """A log record."""

    time: Annotated[int, _Field(1, _FIXED64)]
    severity: Annotated[int, _Field(2, _INT32)]
    severity_text: Annotated[bytes, _Field(3)]
    body: Annotated[bytes, _Field(5)]
    attributes: Annotated[Sequence[bytes], _Field(6)]
    dropped_attributes: Annotated[int, _Field(7, _UINT32)]
    flags: Annotated[int, _Field(8, _FIXED32)]
    trace_id: Annotated[bytes, _Field(9)]
    span_id: Annotated[bytes, _Field(10)]
    observed: Annotated[int, _Field(11, _FIXED64)]
    event_name: Annotated[bytes, _Field(12)]

    def HasField(self, name: str) -> bool:  # noqa: N802 - protobuf's name
        """Tell whether a field is there: an empty body is a body."""
        raise NotImplementedError


class ScopeSpans:
    """Spans of one instrumentation scope."""

    scope: Annotated[bytes, _Field(1)]
    spans: Annotated[Sequence[Span], _Field(2, _MESSAGE)]


class ScopeLogs:
    """Log records of one instrumentation scope."""

    scope: Annotated[bytes, _Field(1)]
    records: Annotated[Sequence[LogRecord], _Field(2, _MESSAGE)]


class ResourceSpans:
    """Spans of one resource."""

    resource: Annotated[bytes, _Field(1)]
    scopes: Annotated[Sequence[ScopeSpans], _Field(2, _MESSAGE)]


class ResourceLogs:
    """Log records of one resource."""

    resource: Annotated[bytes, _Field(1)]
    scopes: Annotated[Sequence[ScopeLogs], _Field(2, _MESSAGE)]


class Traces:
    """A request to store spans."""

    resources: Annotated[Sequence[ResourceSpans], _Field(1, _MESSAGE)]


class Logs:
    """A request to store log records."""

    resources: Annotated[Sequence[ResourceLogs], _Field(1, _MESSAGE)]


R = TypeVar("R", Traces, Logs)


def parse(kind: type[R], body: bytes) -> R:
    """Parse a request.

    Args:
        kind: `Traces` or `Logs`.
        body: The request in protobuf.

    Raises:
        MalformedError: It is no such request.
    """
    message = _MESSAGES[kind]()
    try:
        message.ParseFromString(body)
    except DecodeError as error:
        raise MalformedError(f"the body is no protobuf of {kind.__name__.lower()}") from error
    return cast("R", message)


def _classes() -> dict[type, Any]:
    """Build the classes of the messages above."""
    file = descriptor_pb2.FileDescriptorProto(name="waferscope/lazy.proto", package="waferscope.lazy", syntax="proto2")
    kinds = (Span, LogRecord, ScopeSpans, ScopeLogs, ResourceSpans, ResourceLogs, Traces, Logs)
    for kind in kinds:
        message = file.message_type.add(name=kind.__name__)
        for name, hint in get_type_hints(kind, include_extras=True).items():
            of, told = get_args(hint)
            field = message.field.add(name=name, number=told.number, type=told.kind, label=_Kind.LABEL_OPTIONAL)
            if get_origin(of) is Sequence:
                field.label = _Kind.LABEL_REPEATED
            if told.kind == _MESSAGE:
                field.type_name = f".waferscope.lazy.{get_args(of)[0].__name__}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        kind: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"waferscope.lazy.{kind.__name__}"))
        for kind in kinds
    }


_MESSAGES = _classes()
