"""Rows of dataclasses to parallel arrays, for unnest; in parts, since the driver encodes them on the event loop."""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any, TypeVar

T = TypeVar("T")


def columns(rows: Sequence[Any]) -> list[list[Any]]:
    """Return one list per field of the rows' dataclass, in the order of its fields.

    Args:
        rows: Instances of one dataclass, at least one.
    """
    read = attrgetter(*(field.name for field in fields(rows[0])))
    return [list(column) for column in zip(*map(read, rows), strict=True)]


def parts(of: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Cut a sequence into parts of some size; none of an empty one."""
    return (of[begin : begin + size] for begin in range(0, len(of), size))
