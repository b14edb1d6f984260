"""Numbers, durations and strings as Go and Prometheus read and print them."""

from __future__ import annotations

import math
import re

_INTEGER = re.compile(r"0[xX](?:_?[0-9a-fA-F])+|0(?:_?[0-7])*|[1-9](?:_?[0-9])*")
_FLOAT = re.compile(r"(?:[0-9](?:_?[0-9])*\.?|\.(?=[0-9]))(?:[0-9](?:_?[0-9])*)?(?:[eE][+-]?[0-9](?:_?[0-9])*)?")
_PART = re.compile(r"([0-9]+)([^0-9]+)")
_UNITS_MS = {
    "y": 365 * 86_400_000, "w": 7 * 86_400_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1,
}  # fmt: skip
_LONGEST_NUMBER = 10_000  # characters
_LARGEST_INTEGER = 2**63 - 1
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")
_SIMPLE = {
    "a": b"\a", "b": b"\b", "f": b"\f", "n": b"\n", "r": b"\r", "t": b"\t", "v": b"\v", "\\": b"\\",
}  # fmt: skip
_QUOTED = {"\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"}
_QUOTED |= {"\\": "\\\\", '"': '\\"'}
MAX_DURATION_MS = (2**63 - 1) // 1_000_000


def read_number(text: str) -> float:
    """The value of a number's lexeme; hexadecimal and octal `017` as in Go.

    Raises:
        ValueError: It is no number, or beyond a float.
    """
    if len(text) > _LONGEST_NUMBER:
        raise ValueError(f"strconv.ParseFloat: parsing {quote(text)}: value out of range")
    plain = text.replace("_", "").lower()
    if plain in ("inf", "nan"):
        return float(plain)
    if _INTEGER.fullmatch(text):
        base = 16 if plain.startswith("0x") else 8 if plain.startswith("0") else 10
        value = int(plain, base) if len(plain) < 400 else _LARGEST_INTEGER + 1  # noqa: PLR2004, beyond any float
        if value <= _LARGEST_INTEGER:
            return float(value)
    if not _FLOAT.fullmatch(text):
        raise ValueError(f"strconv.ParseFloat: parsing {quote(text)}: invalid syntax")
    number = float(plain)
    if math.isinf(number):
        raise ValueError(f"strconv.ParseFloat: parsing {quote(text)}: value out of range")
    return number


def read_duration_ms(text: str) -> int:
    """The value of a duration such as `1h30m` in milliseconds.

    Raises:
        ValueError: It is none, or longer than Go's 292 years.
    """
    parts = _PART.findall(text)
    order = list(_UNITS_MS)
    if "".join(map("".join, parts)) != text or not parts:
        raise ValueError(f"not a valid duration string: {quote(text)}")
    last, total = -1, 0
    for number, unit in parts:
        if unit not in _UNITS_MS:
            raise ValueError(f"unknown unit {quote(unit)} in duration {quote(text)}")
        if order.index(unit) <= last or len(number) > 20 or int(number) >= 2**64:  # noqa: PLR2004, digits of 2**64
            raise ValueError(f"not a valid duration string: {quote(text)}")
        last = order.index(unit)
        total += int(number) * _UNITS_MS[unit]
        if total > MAX_DURATION_MS:
            raise ValueError("duration out of range")
    return total


def read_string(text: str) -> str:
    """The value of a quoted string's lexeme, Go's escapes resolved; raw in backquotes.

    Bytes that are no UTF-8 become lone surrogates; see `scrub`.

    Raises:
        ValueError: An escape sequence is unknown.
    """
    body = text[1:-1]
    if text[0] == "`":
        return body.replace("\r", "")
    if "\\" not in body:
        return body
    pieces, position = [], 0
    for match in _ESCAPE.finditer(body):
        pieces.append(body[position : match.start()].encode())
        pieces.append(_unescape(match, text[0]))
        position = match.end()
    pieces.append(body[position:].encode())
    return b"".join(pieces).decode(errors="surrogateescape")


def _unescape(match: re.Match[str], delimiter: str) -> bytes:
    hexadecimal, octal, short, long, char = match.groups()
    if hexadecimal:
        return bytes([int(hexadecimal, 16)])
    if octal and int(octal, 8) < 256:  # noqa: PLR2004, a byte
        return bytes([int(octal, 8)])
    if (short or long) and not 0xD800 <= int(short or long, 16) < 0xE000 and int(short or long, 16) <= 0x10FFFF:  # noqa: PLR2004, surrogates and the last code point
        return chr(int(short or long, 16)).encode()
    if char == delimiter:
        return char.encode()
    if char in _SIMPLE:
        return _SIMPLE[char]
    raise ValueError("invalid syntax")


def scrub(text: str) -> str:
    """The text with the replacement character for what is no UTF-8."""
    return _SURROGATE.sub("\ufffd", text)


def is_utf8(text: str) -> bool:
    """Whether a string can leave the process as UTF-8."""
    return _SURROGATE.search(text) is None


def quote(text: str) -> str:
    """A string as Go's `%q` prints it."""
    return '"' + "".join(_QUOTED.get(char) or (char if char.isprintable() else _hex(char)) for char in text) + '"'


def quote_char(char: str) -> str:
    """A character as Go's `%q` prints it."""
    if char == "'":
        return "'\\''"
    return "'" + ('"' if char == '"' else quote(char)[1:-1]) + "'"


def _hex(char: str) -> str:
    code = ord(char)
    if code < 0x80 or 0xDC80 <= code < 0xDD00:  # noqa: PLR2004, ASCII, or a byte that is no UTF-8
        return f"\\x{code & 0xFF:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"  # noqa: PLR2004, beyond the basic plane


def round_half_away(value: float) -> int:
    """Round as Go's math.Round: halves away from zero."""
    return int(math.copysign(math.floor(abs(value) + 0.5), value))
