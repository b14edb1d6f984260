"""How much memory the texts take that wait to be exported: short ones are part of every record, long ones count."""

from __future__ import annotations

from collections.abc import Iterable
from sys import getsizeof
from typing import TYPE_CHECKING, Any

from waferscope._internal.records import Record

if TYPE_CHECKING:
    from opentelemetry.sdk._logs import ReadableLogRecord
    from opentelemetry.sdk.trace import ReadableSpan

_LONG = 100  # characters


def of_span(span: ReadableSpan) -> int:
    """Give the bytes of a span's long texts."""
    try:
        attributes, events = span._attributes, span._events  # noqa: SLF001 - the public ones take three times as long
    except AttributeError:
        attributes, events = span.attributes, span.events
    size = _of_values(_values(attributes))
    for event in events:
        size += _of_values(_values(event.attributes))
    return size


def of_record(record: Record | ReadableLogRecord) -> int:
    """Give the bytes of the long texts of an event or a log record."""
    if isinstance(record, Record):
        return _of_values((record.body, *record.said[1].values()))
    found = record.log_record
    return _of_values((found.body, *_values(found.attributes)))


def _values(attributes: Any) -> Iterable[Any]:
    """Give the values of the SDK's attributes, whose own way to them takes longer than all the rest."""
    try:
        values: Iterable[Any] = attributes._dict.values()  # noqa: SLF001 - as above
    except AttributeError:
        values = () if attributes is None else attributes.values()
    return values


def _of_values(values: Iterable[Any]) -> int:
    size = 0
    for value in values:
        kind = type(value)
        if kind is str:
            if len(value) > _LONG:
                size += getsizeof(value)
        elif kind is tuple or kind is list:
            size += getsizeof(value) + _of_values(value)
    return size
