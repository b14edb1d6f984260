"""Which signal a request is of: the exporter writes all into one file, and protobuf does not say."""

from collections.abc import Iterator

from waferscope_collector.batch import Signal
from waferscope_collector.decode import json
from waferscope_collector.errors import MalformedError
from waferscope_collector.receive.signals import ENDPOINTS

_FIXED64, _BYTES = 1, 2  # wire types
_RESOURCES, _SCOPES, _ITEMS = 1, 2, 2  # the numbers of these fields are the same in all signals
# Fields, by number and wire type, that one signal's items have and no other's (opentelemetry-proto).
_MARKS: dict[tuple[int, int], Signal] = {
    (1, _FIXED64): "logs",  # time_unix_nano
    (11, _FIXED64): "logs",  # observed_time_unix_nano
    (7, _FIXED64): "traces",  # start_time_unix_nano
    (8, _FIXED64): "traces",  # end_time_unix_nano
}
_KEYS: dict[bytes, Signal] = {
    **dict.fromkeys((b"resourceMetrics", b"resource_metrics"), "metrics"),
    **dict.fromkeys((b"resourceLogs", b"resource_logs"), "logs"),
    **dict.fromkeys((b"resourceSpans", b"resource_spans"), "traces"),
}


def identify(body: bytes) -> tuple[Signal, bytes] | None:
    """Tell the signal of a request.

    Args:
        body: In JSON or protobuf.

    Returns:
        The signal and the request in protobuf: whichever way it is sent then, the writer's ledger knows it again. None
        for a request that holds nothing.

    Raises:
        MalformedError: It is no request of a known signal.
    """
    if body.startswith(b"{"):
        return _of_json(body)
    found = _of_protobuf(body)
    return None if found is None else (found, body)


def _of_json(body: bytes) -> tuple[Signal, bytes] | None:
    if body.strip() == b"{}":
        return None
    first = {key: position for key in _KEYS if (position := body.find(b'"%s"' % key, 0, 64)) >= 0}
    if not first:
        raise MalformedError("it has none of resourceMetrics, resourceLogs, resourceSpans")
    found = _KEYS[min(first, key=first.__getitem__)]
    return found, json.parse(body, ENDPOINTS[found].request).SerializeToString()


def _of_protobuf(body: bytes) -> Signal | None:
    whole = memoryview(body)
    items = 0
    for _, _, resource in _fields(whole, _RESOURCES):
        for _, _, scope in _fields(resource, _SCOPES):
            for _, _, item in _fields(scope, _ITEMS):
                items += 1
                for number, kind, _ in _fields(item):
                    if (mark := _MARKS.get((number, kind))) is not None:
                        return mark
    return "metrics" if items else None


def _fields(message: memoryview, only: int | None = None) -> Iterator[tuple[int, int, memoryview]]:
    """Yield the fields of a message: number, wire type, and the bytes of those that have a length."""
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        number, kind = tag >> 3, tag & 7
        begin = position
        match kind:
            case 0:
                _, position = _varint(message, position)
            case 1:
                position += 8
            case 2:
                length, begin = _varint(message, position)
                position = begin + length
            case 5:
                position += 4
            case _:
                raise MalformedError("it is no protobuf")
        if position > len(message):
            raise MalformedError("it is no protobuf")
        if only is None or (number == only and kind == _BYTES):
            yield number, kind, message[begin:position]


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    value = shift = 0
    while position < len(message) and shift < 64:  # noqa: PLR2004 - bits of the longest
        byte = message[position]
        value |= (byte & 0x7F) << shift
        position += 1
        if byte < 0x80:  # noqa: PLR2004 - the bit that says more follow
            return value, position
        shift += 7
    raise MalformedError("it is no protobuf")
