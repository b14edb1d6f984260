"""Numbers, durations and strings as Go and Prometheus read and print them."""

from __future__ import annotations

import re

_NUMBER = re.compile(
    r"0[xX]_?[0-9a-fA-F]+(?:_[0-9a-fA-F]+)*(?:\.[0-9a-fA-F]*)?(?:[pP][+-]?[0-9]+)?"
    r"|(?:[0-9]+(?:_[0-9]+)*(?:\.(?:[0-9]+(?:_[0-9]+)*)?)?|\.[0-9]+(?:_[0-9]+)*)(?:[eE][+-]?[0-9]+)?"
)
_DURATION = re.compile(
    r"(?=[0-9])(?:([0-9]+)y)?(?:([0-9]+)w)?(?:([0-9]+)d)?(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+)s)?(?:([0-9]+)ms)?"
)
_UNITS_MS = (365 * 86_400_000, 7 * 86_400_000, 86_400_000, 3_600_000, 60_000, 1_000, 1)
_OCTAL = re.compile(r"0[0-7_]+")
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)
_SIMPLE = {
    "a": b"\a", "b": b"\b", "f": b"\f", "n": b"\n", "r": b"\r", "t": b"\t", "v": b"\v", "\\": b"\\",
}  # fmt: skip
_QUOTED = {"\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"}
_QUOTED |= {"\\": "\\\\", '"': '\\"'}
MAX_DURATION_MS = (2**63 - 1) // 1_000_000


def is_number(text: str) -> bool:
    """Whether a lexeme is a number (decimal, hexadecimal or octal, with `_` between digits)."""
    return _NUMBER.fullmatch(text) is not None


def is_duration(text: str) -> bool:
    """Whether a lexeme is a duration such as `1h30m`."""
    return _DURATION.fullmatch(text) is not None


def read_number(text: str) -> float:
    """The value of a number's lexeme; `0x1p-2` and octal `017` as in Go."""
    lower = text.lower()
    if lower.startswith("0x"):
        digits = lower.replace("_", "")
        return float.fromhex(digits)
    if _OCTAL.fullmatch(lower):
        return float(int(lower.replace("_", ""), 8))
    return float(lower.replace("_", ""))


def read_duration_ms(text: str) -> int:
    """The value of a duration's lexeme in milliseconds.

    Raises:
        ValueError: It is longer than Go's 292 years.
    """
    match = _DURATION.fullmatch(text)
    parts = match.groups() if match else ()
    total = sum(int(part) * unit for part, unit in zip(parts, _UNITS_MS, strict=False) if part)
    if total > MAX_DURATION_MS:
        raise ValueError("duration out of range")
    return total


def read_string(text: str) -> str:
    """The value of a quoted string's lexeme, Go's escapes resolved; raw in backquotes.

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
    return b"".join(pieces).decode(errors="replace")


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


def quote(text: str) -> str:
    """A string as Go's `%q` prints it."""
    return '"' + "".join(_QUOTED.get(char) or (char if char.isprintable() else _hex(char)) for char in text) + '"'


def _hex(char: str) -> str:
    code = ord(char)
    if code < 0x80:  # noqa: PLR2004, ASCII
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"  # noqa: PLR2004, beyond the basic plane
