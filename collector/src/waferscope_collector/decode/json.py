"""OTLP/JSON to the same messages that protobuf bodies give.

Source: OpenTelemetry protocol specification, "JSON Protobuf Encoding": proto3 JSON with ids in hexadecimal, enums as
numbers, 64-bit integers as strings or numbers, lowerCamelCase names (the original ones are accepted), unknown fields
ignored.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import msgspec
from google.protobuf import json_format
from google.protobuf.message import Message

from waferscope_collector.errors import MalformedError

M = TypeVar("M", bound=Message)
T = TypeVar("T")

# Where ids are: the path of repeated fields from the request to the messages that hold them.
_RESOURCES = ("resourceSpans", "resource_spans", "resourceLogs", "resource_logs", "resourceMetrics", "resource_metrics")
_SCOPES = ("scopeSpans", "scope_spans", "scopeLogs", "scope_logs", "scopeMetrics", "scope_metrics")
_HOLDERS = ("spans", "logRecords", "log_records", "metrics")
_KINDS = ("gauge", "sum", "histogram", "exponentialHistogram", "exponential_histogram")
_POINTS = ("dataPoints", "data_points")
# A backslash and what it escapes; of surrogates a whole pair, else a half.
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
_IDS = ("traceId", "trace_id", "spanId", "span_id", "parentSpanId", "parent_span_id")


def parse(body: bytes, message: type[M]) -> M:
    """Parse a body.

    Args:
        body: JSON text.
        message: The class of the request.

    Returns:
        The request.

    Raises:
        MalformedError: The body is no JSON, or none of this request.
    """
    try:
        document = decoded(body, msgspec.json.decode)
        if not isinstance(document, dict):
            raise TypeError("no object")  # noqa: TRY301 - one of the ways in which the body is malformed
        for holder in _holders(document):
            _ids_to_base64(holder)
        return json_format.ParseDict(document, message(), ignore_unknown_fields=True)
    except (msgspec.DecodeError, json_format.ParseError, binascii.Error, ValueError, TypeError) as error:
        raise MalformedError(f"the body is no OTLP/JSON: {str(error)[:200]}") from error
    except RecursionError as error:
        raise MalformedError("the body is no OTLP/JSON: nested too deeply") from error


def decoded(body: bytes, decode: Callable[[bytes], T]) -> T:
    """Decode JSON; escapes of halves of surrogate pairs, as of a text that was cut in an emoji, become U+FFFD.

    Args:
        body: JSON text.
        decode: Decodes it, for as long as there are no halves.
    """
    try:
        return decode(body)
    except msgspec.DecodeError:
        if (mended := _ESCAPE.sub(_whole, body)) == body:
            raise
        return decode(mended)


def _whole(escape: re.Match[bytes]) -> bytes:
    return rb"\ufffd" if escape["half"] else escape[0]


def _holders(document: Any) -> Iterator[dict[str, Any]]:
    """Yield every message that has ids of its own: spans, links, log records, exemplars."""
    for holder in _children(_children(_children([document], _RESOURCES), _SCOPES), _HOLDERS):
        yield holder
        yield from _children([holder], ("links",))
        kinds = [holder[kind] for kind in _KINDS if isinstance(holder.get(kind), dict)]
        yield from _children(_children(kinds, _POINTS), ("exemplars",))


def _children(parents: Any, names: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    for parent in parents:
        for name in names if isinstance(parent, dict) else ():
            children = parent.get(name)
            yield from (child for child in children if isinstance(child, dict)) if isinstance(children, list) else ()


def _ids_to_base64(holder: dict[str, Any]) -> None:
    for name in _IDS:
        if isinstance(text := holder.get(name), str):
            holder[name] = base64.b64encode(binascii.unhexlify(text)).decode()
