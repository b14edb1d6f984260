"""OTLP attribute values to text for labels and to JSON for columns, made storable on the way."""

import base64
import math
from collections.abc import Iterable
from typing import Any

import msgspec
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

Plain = str | bool | int | float | list[Any] | dict[str, Any] | None


def storable(text: str) -> str:
    """Replace U+0000, which PostgreSQL keeps in neither text nor jsonb, by U+FFFD."""
    return text.replace("\0", "�") if "\0" in text else text


def plain(value: AnyValue) -> Plain:  # noqa: PLR0911 - one return per kind of value
    """Turn an OTLP value into what JSON can say: bytes as base64, NaN and infinities as their names."""
    match value.WhichOneof("value"):
        case "string_value":
            return storable(value.string_value)
        case "double_value":
            return _plain_double(value.double_value)
        case "array_value":
            return [plain(item) for item in value.array_value.values]
        case "kvlist_value":
            return plain_map(value.kvlist_value.values)
        case "bytes_value":
            return base64.b64encode(value.bytes_value).decode()
        case None:
            return None
        case kind:
            found: bool | int = getattr(value, kind)
            return found


def plain_map(attributes: Iterable[KeyValue]) -> dict[str, Plain]:
    """Turn OTLP attributes into a mapping; of a repeated key the last value stays."""
    return {storable(item.key): plain(item.value) for item in attributes}


def json_text(value: Plain) -> str:
    """Write a plain value as JSON for a jsonb column."""
    return msgspec.json.encode(value).decode()


def label_text(value: Plain) -> str:
    """Write a plain value as a label's value: strings as they are, all else as JSON, whole numbers without a point."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:  # noqa: PLR2004 - floats are exact so far
        return str(int(value))
    return "" if value is None else json_text(value)


def _plain_double(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
