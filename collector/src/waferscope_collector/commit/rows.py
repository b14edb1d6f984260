"""Rows of dataclasses to parallel arrays, for unnest."""

from collections.abc import Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any


def columns(rows: Sequence[Any]) -> list[list[Any]]:
    """Return one list per field of the rows' dataclass, in the order of its fields.

    Args:
        rows: Instances of one dataclass, at least one.
    """
    read = attrgetter(*(field.name for field in fields(rows[0])))
    return [list(column) for column in zip(*map(read, rows), strict=True)]
