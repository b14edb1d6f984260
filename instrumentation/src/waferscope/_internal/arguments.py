"""What the author hands over: checked at the call, corrected with a warning, or refused where strictness is asked for.

A value that the site can't store would cost its whole event, or with it a whole batch; so nothing leaves unchecked.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, overload

from waferscope._internal import guard

Scalar = str | bool | int | float
AttributeValue = Scalar | Sequence[str] | Sequence[bool] | Sequence[int] | Sequence[float]

NAMELESS = "unknown"
_KEY_BYTES = 512  # of an id or a name: what the site's indexes take
_TEXT_LENGTH = 8192  # characters of any other text
_ITEMS = 256  # of a list
_INTEGER = 2**63  # OTLP's integers are signed and have 64 bits
_STRICT = "WAFERSCOPE_STRICT"
_RESERVED = ("wafer.job.", "wafer.step.")
_SCALARS = (str, bool, int, float)


class _Strictness:
    on: bool | None = None  # until it is said, the environment decides: also of what is made before the first job runs


def be_strict(on: bool) -> None:  # noqa: FBT001 - a setting's value, handed on
    """Say whether a wrong argument raises `UsageError` at the call."""
    _Strictness.on = on


def is_strict() -> bool:
    """Whether a wrong argument raises `UsageError` at the call."""
    on = _Strictness.on
    return is_environment_strict() if on is None else on


def is_environment_strict() -> bool:
    """Whether the environment asks for it."""
    return os.environ.get(_STRICT, "").strip().lower() == "true"


def misuse(message: str, *args: object) -> None:
    """Refuse a wrong argument, or tell that it is corrected.

    Args:
        message: What is wrong and what is done instead, with %-placeholders for `args`.
        *args: What the placeholders stand for.

    Raises:
        UsageError: The author has asked for strictness.
    """
    if is_strict():
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
    written = _written(value)
    if not written:
        misuse("%s is empty; it is left out", what)
        return None
    fitting = key(written)
    if fitting != written:
        misuse("%s has more than %d bytes, or half of a surrogate pair; it is corrected", what, _KEY_BYTES)
    return fitting


def required(what: str, value: object) -> str | None:
    """Check an id that must not be missing; otherwise as `identifier`."""
    if value is None:
        misuse("%s is missing; nothing is told", what)
    return identifier(what, value)


def name(what: str, value: object) -> str:
    """Check the name of a job or a step; otherwise as `identifier`, and `unknown` stands for none."""
    if value is None:
        misuse("%s is missing; %s is used", what, NAMELESS)
    return identifier(what, value) or NAMELESS


def key(value: object) -> str:
    """Turn anything into an id or a name: of at most 512 bytes, in valid UTF-8."""
    return _written(value).encode("utf-8", "replace")[:_KEY_BYTES].decode("utf-8", "ignore")


def text(value: object) -> str:
    """Turn anything into a text that can be sent: of bounded length, in valid UTF-8."""
    written = _written(value)[:_TEXT_LENGTH]
    return written if written.isascii() else written.encode("utf-8", "replace").decode("utf-8")


def prose(what: str, value: object) -> str:
    """Check a text for people.

    Args:
        what: Is named so in the warning.
        value: What the author gave.

    Returns:
        A text that can be sent; empty for nothing.
    """
    if isinstance(value, str):
        return text(value)
    if value is None:
        misuse("%s is missing", what)
        return ""
    misuse("%s is a text, not %s; it is written as one", what, type(value).__name__)
    return text(value)


def reason(value: object) -> str:
    """Check why something is declared; otherwise as `prose`."""
    if isinstance(value, str) and not value:
        misuse("the reason is empty")
    return prose("the reason", value)


def is_function(what: str, value: object) -> bool:
    """Check a function; without one `what` is given back as it is."""
    if not callable(value):
        misuse("%s takes a function, not %s; that is given back as it is", what, type(value).__name__)
    return callable(value)


def attributes(given: Mapping[str, Any]) -> dict[str, AttributeValue]:
    """Check the author's own attributes.

    Args:
        given: By their names; a value of None is left out.

    Returns:
        Those that OTLP can carry, the others written as text.
    """
    checked: dict[str, AttributeValue] = {}
    for name, value in given.items():
        if value is None:
            continue
        if not isinstance(name, str) or name.startswith(_RESERVED):
            misuse("the attribute %r is the wrapper's own; it is left out", name)
        elif (known := identifier("the name of an attribute", name)) is not None:
            checked[known] = value if type(value) is bool else _attribute(known, value)
    return checked


def carriable(value: Any) -> AttributeValue | None:
    """Turn a value into one that OTLP can carry as it is, or nearly so.

    Args:
        value: Of Python, or of numpy and its kin.

    Returns:
        A scalar, or a list of scalars of one type; None for what can only be written as text.
    """
    if isinstance(value, _SCALARS):
        return _scalar(value)
    with guard.Expected(Exception):  # whatever the author's class does when it is looked at
        if hasattr(value, "tolist") and math.prod(value.shape) <= _ITEMS:  # an array or a scalar of numpy
            value = value.tolist()
            if isinstance(value, _SCALARS):
                return _scalar(value)
        if isinstance(value, list | tuple) and len(value) <= _ITEMS:
            return _items(value)
    return None


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


def seconds(what: str, value: Any, default: float) -> float:
    """Check a number of seconds to wait; the default stands for what is none."""
    found = number(what, value)
    if found is None:
        return default
    if found < 0:
        misuse("%s is not below 0: %r; nothing is waited for", what, value)
    return max(found, 0.0)


@overload
def whole(what: str, value: Any, default: int, *, least: int = 1) -> int: ...


@overload
def whole(what: str, value: Any, default: None, *, least: int = 1) -> int | None: ...


def whole(what: str, value: Any, default: int | None, *, least: int = 1) -> int | None:
    """Check a whole number.

    Args:
        what: Is named so in the warning.
        value: What the author gave.
        default: Stands for what is no whole number; None leaves it out.
        least: The smallest that there is.

    Returns:
        The number, or the default.
    """
    if type(value) is int and least <= value < 2**31:
        return value
    with guard.Expected(Exception):  # no number at all
        if not isinstance(value, bool | str) and int(value) == value and least <= int(value) < 2**31:
            return int(value)  # of numpy and its kin
    instead = "it is left out" if default is None else f"{default} is used"
    misuse("%s is a whole number from %d, not %r; %s", what, least, value, instead)
    return default


def flag(what: str, value: Any) -> bool | None:
    """Check a boolean; None stands for nothing, and for what is none."""
    if value is None or isinstance(value, bool):
        return value
    misuse("%s is True or False, not %r; it is left out", what, value)
    return None


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
    with guard.Expected(Exception):  # no instant at all, or one that the platform can't tell
        seconds = value.timestamp() if isinstance(value, datetime) else float(value)
        if 0 < seconds < _INTEGER / 1e9:
            return int(seconds * 1e6) * 1000
    misuse("%s is a datetime or Unix seconds, not %r; it is left out", what, value)
    return None


def _attribute(name: str, value: Any) -> AttributeValue:
    found = carriable(value)
    if found is None:
        misuse("the attribute %s can't be %s; it is written as text", name, type(value).__name__)
        return text(value)
    if isinstance(value, str) and found != value:
        misuse("the attribute %s is too long, or has half of a surrogate pair; it is corrected", name)
    return found


def _scalar(value: Scalar) -> Scalar:
    if isinstance(value, bool | float):
        return value
    if isinstance(value, str):
        return text(value)
    return value if -_INTEGER <= value < _INTEGER else text(value)


def _items(values: Sequence[Any]) -> AttributeValue | None:
    items = [carriable(item) for item in values]
    kinds = {next((kind for kind in (bool, int, float, str) if isinstance(item, kind)), None) for item in items}
    if kinds == {int, float}:
        return [float(item) for item in items]  # type: ignore[arg-type] # all of them numbers
    return items if len(kinds) <= 1 and None not in kinds else None  # type: ignore[return-value] # scalars of one type


def _written(value: object) -> str:
    if isinstance(value, str):
        return value if type(value) is str else str.__str__(value)  # also of an enum its value, not its name
    try:
        return str(value)
    except Exception as error:
        if guard.passes(error, error.__traceback__):
            raise
        return f"<{type(value).__name__}>"  # a class of the author's whose __str__ is broken costs its own value only
