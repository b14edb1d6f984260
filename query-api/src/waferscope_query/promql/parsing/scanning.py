"""Where numbers, durations and quoted strings end, with what Prometheus's lexer finds wrong in them."""

from __future__ import annotations

import re

DIGITS = "0123456789"
_HEX_DIGITS = DIGITS + "abcdefABCDEF"
_ALPHANUMERIC = re.compile(r"[A-Za-z0-9_]")
_PLAIN = {quote: re.compile(rf"[^{quote}\\\n\ufffd]*") for quote in "\"'"} | {"`": re.compile("[^`\ufffd]*")}
_DIGIT_RUNS = {DIGITS: re.compile(r"[0-9]*"), _HEX_DIGITS: re.compile(r"[0-9a-fA-F]*")}
_SIMPLE_ESCAPES = "abfnrtv\\"
_ESCAPE_FORMS = {**dict.fromkeys("01234567", (3, 8, 255)), "x": (2, 16, 255), "u": (4, 16, 0x10FFFF)}
_ESCAPE_FORMS["U"] = (8, 16, 0x10FFFF)


class NumberScan:
    """Scans a number or a duration.

    Attributes:
        position: The first character behind what was scanned, also of what turned out to be neither.

    Args:
        text: The expression.
        start: Its first digit or dot.
    """

    def __init__(self, text: str, start: int) -> None:
        self._text = text
        self._start = start
        self.position = start

    def _at(self, chars: str) -> bool:
        return self.position < len(self._text) and self._text[self.position] in chars

    def _accept(self, chars: str) -> bool:
        found = self._at(chars)
        self.position += found
        return found

    def _at_end(self) -> bool:
        return self.position >= len(self._text)

    def number(self) -> bool:
        """Scan a number; hexadecimal digits, `_` and exponents are taken as freely and oddly as Prometheus does."""
        digits = DIGITS
        if self._accept("0") and self._accept("xX"):
            self._accept("_")
            digits = _HEX_DIGITS
        self._accept(".")
        self._accept(digits)
        if not self._rest(digits) or self.position == self._start:
            return False
        return not _ALPHANUMERIC.match(self._text, self.position)

    def _rest(self, digits: str) -> bool:
        dot = exponent = False
        while self._at(digits + "._eE"):
            if (dot and self._accept(".")) or (exponent and self._accept("eE")):
                return False
            if self._accept("."):
                dot = True
                if self._accept("_.") or digits == _HEX_DIGITS:
                    return False
            elif self._accept("eE"):
                exponent = True
                self._accept("+-")
                if self._accept("._eE") or self._at_end():
                    return False
            elif self._accept("_"):
                if self._accept("._eE") or self._at_end():
                    return False
            else:
                run = _DIGIT_RUNS[digits].match(self._text, self.position)
                self.position = run.end() if run else self.position
        return True

    def rest_of_duration(self) -> bool:
        """Scan on from a number that wasn't one: its unit and further numbers with units."""
        if not self._accept("smhdwy"):
            return False
        self._accept("s")  # milliseconds
        while self._at(DIGITS):
            while self._accept(DIGITS):
                pass
            if not self._accept("smhdw"):
                return False
            self._accept("s")
        if _ALPHANUMERIC.match(self._text, self.position):
            self.position += 1
            return False
        return True


def scan_string(text: str, start: int) -> tuple[int, str]:
    """Find the end of the quoted string that starts at `start`.

    Returns:
        One past its closing quote, and what is wrong with it, if anything.
    """
    delimiter = text[start]
    plain, position = _PLAIN[delimiter], start + 1
    while True:
        run = plain.match(text, position)
        position = run.end() if run else position
        char = text[position : position + 1]
        if char == delimiter:
            return position + 1, ""
        if char == "\\":
            position, reason = _scan_escape(text, position + 1, delimiter)
            if reason:
                return position, reason
        elif char == "\ufffd":
            return position, "invalid UTF-8 rune"
        else:
            return position, "unterminated raw string" if delimiter == "`" else "unterminated quoted string"


def _scan_escape(text: str, position: int, delimiter: str) -> tuple[int, str]:  # noqa: PLR0911, one per message
    char = text[position : position + 1]
    if not char:
        return position, "escape sequence not terminated"
    if char in _SIMPLE_ESCAPES or char == delimiter:
        return position + 1, ""
    if char not in _ESCAPE_FORMS:
        return position, f"unknown escape sequence {_code_point(char)}"
    count, base, most = _ESCAPE_FORMS[char]
    first = position if base == 8 else position + 1  # noqa: PLR2004, octal has no letter in front
    value = 0
    for offset in range(count):
        digit = text[first + offset : first + offset + 1]
        if not digit:
            return position, "escape sequence not terminated"
        if digit not in _HEX_DIGITS or int(digit, 16) >= base:
            return position, f"illegal character {_code_point(digit)} in escape sequence"
        value = value * base + int(digit, 16)
    if value > most or 0xD800 <= value < 0xE000:  # noqa: PLR2004, surrogates
        return position, "escape sequence is an invalid Unicode code point"
    return first + count, ""


def _code_point(char: str) -> str:
    """A character as Go's `%#U` prints it."""
    shown = f" '{char}'" if char.isprintable() else ""
    return f"U+{ord(char):04X}{shown}"
