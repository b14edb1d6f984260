"""What the author hands over: checked at the call, corrected with a warning, or refused where strictness is asked for.

A value that the site can't store would cost its whole event, or with it a whole batch; so nothing leaves unchecked.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from waferscope._internal import guard

Scalar = str | bool | int | float
AttributeValue = Scalar | Sequence[str] | Sequence[bool] | Sequence[int] | Sequence[float]

_KEY_BYTES = 512  # of an id or a name: what the site's indexes take
_TEXT_LENGTH = 8192  # characters of any other text
_INTEGER = 2**63  # OTLP's integers are signed and have 64 bits
_RESERVED = ("wafer.job.", "wafer.step.")
_SCALARS = (str, bool, int, float)


class _Strictness:
    on = False


def be_strict(on: bool) -> None:  # noqa: FBT001 - a setting's value, handed on
    """Say whether a wrong argument raises `UsageError` at the call."""
    _Strictness.on = on


def is_strict() -> bool:
    """Whether a wrong argument raises `UsageError` at the call."""
    return _Strictness.on


def misuse(message: str, *args: object) -> None:
    """Refuse a wrong argument, or tell that it is corrected.

    Args:
        message: What is wrong and what is done instead, with %-placeholders for `args`.
        *args: What the placeholders stand for.

    Raises:
        UsageError: The author has asked for strictness.
    """
    if _Strictness.on:
        raise guard.UsageError(message % args)
    guard.ARGUMENTS.failed(None, message, *args)


def identifier(what: str, value: object) -> str | None:
    """Check an id or a name.

    Args:
        what: Is named so in the warning.
        value: What the author gave; None stands for nothing.

    Returns:
        A text of at most 512 bytes; None for nothing.
    """
    if value is None:
        return None
    if type(value) is str and value.isascii() and 0 < len(value) <= _KEY_BYTES:
        return value
    if not isinstance(value, str):
        misuse("%s is a text, not %s; it is written as one", what, type(value).__name__)
        value = str(value)
    if not value:
        misuse("%s is empty; it is left out", what)
        return None
    encoded = value.encode("utf-8", "replace")
    if len(encoded) > _KEY_BYTES:
        misuse("%s has more than %d bytes; it is cut", what, _KEY_BYTES)
    return encoded[:_KEY_BYTES].decode("utf-8", "ignore")


def text(value: object) -> str:
    """Turn anything into a text that can be sent: of bounded length, in valid UTF-8."""
    written = value if type(value) is str else str(value)
    return written[:_TEXT_LENGTH] if written.isascii() else _utf8(written[:_TEXT_LENGTH])


def attributes(given: Mapping[str, Any]) -> dict[str, AttributeValue]:
    """Check the author's own attributes.

    Args:
        given: By their names; a value of None is left out.

    Returns:
        Those that OTLP can carry, the others written as text.
    """
    checked: dict[str, AttributeValue] = {}
    for key, value in given.items():
        if value is None:
            continue
        if not isinstance(key, str) or key.startswith(_RESERVED):
            misuse("the attribute %r is the wrapper's own; it is left out", key)
            continue
        checked[key] = value if type(value) is bool else _value(key, value)
    return checked


def number(what: str, value: Any) -> float | None:
    """Check a number.

    Args:
        what: Is named so in the warning.
        value: Anything that `float` takes and that is finite.

    Returns:
        The number; None for what is none.
    """
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if math.isfinite(found):
        return found
    misuse("%s is a finite number, not %r; it is left out", what, value)
    return None


def whole(what: str, value: Any, default: int, *, least: int = 1) -> int:
    """Check a whole number.

    Args:
        what: Is named so in the warning.
        value: What the author gave.
        default: Stands for what is no whole number.
        least: The smallest that there is.

    Returns:
        The number, or the default.
    """
    if type(value) is int and least <= value < 2**31:
        return value
    with guard.ARGUMENTS:
        if not isinstance(value, bool) and int(value) == value and least <= int(value) < 2**31:
            return int(value)  # of numpy and its kin
    misuse("%s is a whole number from %d, not %r; %d is used", what, least, value, default)
    return default


def instant(what: str, value: datetime | float | None) -> int | None:
    """Check an instant.

    Args:
        what: Is named so in the warning.
        value: A datetime (without a zone: local time) or Unix seconds; None for nothing.

    Returns:
        Unix time in ns; None for nothing.
    """
    if value is None:
        return None
    with guard.ARGUMENTS:
        seconds = value.timestamp() if isinstance(value, datetime) else float(value)
        if 0 < seconds < _INTEGER / 1e9:
            return int(seconds * 1e6) * 1000
    misuse("%s is a datetime or Unix seconds, not %r; it is left out", what, value)
    return None


def _value(key: str, value: Any) -> AttributeValue:
    if hasattr(value, "item") and not isinstance(value, _SCALARS):
        value = value.item()  # a scalar of numpy
    if isinstance(value, bool | float):
        return value
    if isinstance(value, str):
        return text(value)
    if isinstance(value, int):
        return value if -_INTEGER <= value < _INTEGER else str(value)
    if isinstance(value, list | tuple) and len({type(item) for item in value}) <= 1:
        items = [_value(key, item) for item in value]
        if all(isinstance(item, _SCALARS) for item in items):
            return items  # type: ignore[return-value] # of one type, all of them scalars
    misuse("the attribute %s can't be %s; it is written as text", key, type(value).__name__)
    return text(value)


def _utf8(value: str) -> str:
    return value.encode("utf-8", "replace").decode("utf-8")
