"""Arithmetic and comparison of arrays, as Go does it on float64."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from waferscope_query.promql.parsing.tree import COMPARISONS

Floats = NDArray[np.float64]

_ARITHMETIC: dict[str, Callable[[Floats, Floats], Floats]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "%": np.fmod,
    "^": np.power,
    "atan2": np.arctan2,
}
_COMPARISON: dict[str, Callable[[Floats, Floats], NDArray[np.bool_]]] = {
    "==": np.equal,
    "!=": np.not_equal,
    ">": np.greater,
    "<": np.less,
    ">=": np.greater_equal,
    "<=": np.less_equal,
}


def is_comparison(op: str) -> bool:
    """Whether an operator filters (or, with bool, tells) instead of computing."""
    return op in COMPARISONS


def compute(op: str, left: Floats, right: Floats) -> Floats:
    """Apply an arithmetic operator."""
    return _ARITHMETIC[op](left, right)


def compare(op: str, left: Floats, right: Floats) -> NDArray[np.bool_]:
    """Apply a comparison."""
    return _COMPARISON[op](left, right)


def larger(left: Floats, right: Floats) -> Floats:
    """The larger one; NaN where one is, unless the other is +Inf; of two zeros the positive one (Go's math.Max)."""
    found = np.where((left == 0) & (right == 0), left + right, np.maximum(left, right))
    return np.where(np.isposinf(left) | np.isposinf(right), np.inf, found)


def smaller(left: Floats, right: Floats) -> Floats:
    """The smaller one; NaN where one is, unless the other is -Inf; of two zeros the negative one (Go's math.Min)."""
    return -larger(-left, -right)
