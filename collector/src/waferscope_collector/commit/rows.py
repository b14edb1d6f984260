"""Rows of dataclasses to what the database takes many of at once: parallel arrays for unnest, or COPY BINARY.

Format: PostgreSQL documentation, COPY, "Binary Format", and each type's binary representation.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from struct import Struct
from typing import Any

_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)  # no flags, no extension
_TRAILER = b"\xff\xff"
_NULL = b"\xff\xff\xff\xff"
_BLOCK = 256 * 1024  # bytes, about: what asyncpg sends at once
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_COUNT, _SIZE = Struct(">h"), Struct(">i")
_SMALLINT, _BIGINT, _DOUBLE = Struct(">ih"), Struct(">iq"), Struct(">id")
_EPOCH_MS = 946_684_800_000

Encode = Callable[[Any], bytes]


def columns(rows: Sequence[Any]) -> list[list[Any]]:
    """Return one list per field of the rows' dataclass, in the order of its fields.

    Args:
        rows: Instances of one dataclass, at least one.
    """
    read = attrgetter(*(field.name for field in fields(rows[0])))
    return [list(column) for column in zip(*map(read, rows), strict=True)]


def text(value: str) -> bytes:
    """Encode a text."""
    return binary(value.encode())


def binary(value: bytes) -> bytes:
    """Encode a bytea."""
    return _SIZE.pack(len(value)) + value


def json(value: str) -> bytes:
    """Encode a jsonb, given as JSON."""
    return binary(b"\x01" + value.encode())  # the version of its format


def smallint(value: int) -> bytes:
    """Encode a smallint."""
    return _SMALLINT.pack(2, value)


def bigint(value: int) -> bytes:
    """Encode a bigint."""
    return _BIGINT.pack(8, value)


def double(value: float) -> bytes:
    """Encode a double precision."""
    return _DOUBLE.pack(8, value)


def microseconds(milliseconds: int) -> int:
    """Turn Unix time in ms into what a timestamptz counts."""
    return (milliseconds - _EPOCH_MS) * 1000


def timestamptz(value: datetime) -> bytes:
    """Encode a timestamptz."""
    return _BIGINT.pack(8, (value - _EPOCH) // _MICROSECOND)


def copied(rows: Sequence[Any], types: dict[str, Encode]) -> list[bytes]:
    """Build the COPY BINARY of rows; meant for a thread.

    Args:
        rows: Instances of one dataclass, at least one.
        types: How each field is encoded, in the order of the columns; None is null whatever the type.

    Returns:
        The stream, in blocks to send one after the other.
    """
    return [*_blocks(rows, types)]


def _blocks(rows: Sequence[Any], types: dict[str, Encode]) -> Iterator[bytes]:
    read = attrgetter(*types)
    encoders = tuple(types.values())
    count = _COUNT.pack(len(types))
    block = bytearray(_HEADER)
    for row in rows:
        block += count
        for encode, value in zip(encoders, read(row), strict=True):
            block += _NULL if value is None else encode(value)
        if len(block) >= _BLOCK:
            yield bytes(block)
            block.clear()
    yield bytes(block + _TRAILER)
