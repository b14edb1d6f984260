"""Cells of rows for COPY BINARY: a row is its columns' cells, joined, behind their number.

Format: PostgreSQL documentation, COPY, "Binary Format", and each type's binary representation.
"""

from functools import lru_cache
from struct import Struct

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)  # no flags, no extension
TRAILER = b"\xff\xff"
NULL = b"\xff\xff\xff\xff"
EPOCH_US = 946_684_800_000_000  # PostgreSQL counts from 2000-01-01

_COUNT, _SIZE, _BIGINT, _INTEGER, _DOUBLE = map(Struct, (">h", ">i", ">iq", ">ii", ">id"))
_JSON_VERSION = b"\x01"
_INTEGER_MAX = 2**31 - 1
_SHORT = 128  # bytes: longer texts are not kept


def count(columns: int) -> bytes:
    """Return what a row begins with."""
    return _COUNT.pack(columns)


def binary(value: bytes) -> bytes:
    """Encode a bytea, or a text that is UTF-8 already."""
    return _SIZE.pack(len(value)) + value


def json(value: bytes) -> bytes:
    """Encode a jsonb, given as JSON."""
    return _SIZE.pack(len(value) + 1) + _JSON_VERSION + value


def bigint(value: int) -> bytes:
    """Encode a bigint."""
    return _BIGINT.pack(8, value)


def double(value: float) -> bytes:
    """Encode a double precision."""
    return _DOUBLE.pack(8, value)


def few(value: int) -> bytes:
    """Encode an integer of which 0 is stored as null: most are, and a null takes no room; large ones are cut."""
    return _INTEGER.pack(4, min(value, _INTEGER_MAX)) if value else NULL


def instant(unix_nano: int) -> bytes:
    """Encode a timestamptz, its nanoseconds cut to microseconds."""
    return _BIGINT.pack(8, unix_nano // 1000 - EPOCH_US)


def text(value: str) -> bytes:
    """Encode a text; of short ones, which come again, the cells are kept."""
    return _text(value) if len(value) <= _SHORT else binary(value.encode())


def utf8(value: bytes) -> bytes:
    """Encode a text that came as bytes, U+0000 replaced; of short ones, which come again, the cells are kept.

    Raises:
        UnicodeDecodeError: It is no UTF-8.
    """
    return _utf8(value) if len(value) <= _SHORT else _storable(value)


def _storable(value: bytes) -> bytes:
    return binary(value.decode().replace("\0", "�").encode())


_text = lru_cache(maxsize=16_384)(lambda value: binary(value.encode()))
_utf8 = lru_cache(maxsize=16_384)(_storable)
