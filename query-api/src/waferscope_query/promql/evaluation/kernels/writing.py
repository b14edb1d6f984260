# ruff: noqa: PLR0917 - compiled code takes its arrays by position
"""Writing points as text: copying bytes is what takes the time, so it is compiled."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from waferscope_query.promql.evaluation.kernels.compiling import kernel
from waferscope_query.promql.evaluation.kernels.types import Bools, Ints

Text = NDArray[np.uint8]
_COMMA, _POINT, _ZERO = ord(","), ord("."), ord("0")


@kernel
def copy(source: Text, first: int, last: int, out: Text, at: int) -> int:
    """Copy source[first:last] to `out`; the position after it."""
    for k in range(first, last):
        out[at] = source[k]
        at += 1
    return at


@kernel
def points(
    numbers: Text, special: Bools, texts: Text, text_ends: Ints, heads: Text, head_ends: Ints, which: Ints,
    out: Text, ends: Ints,
) -> None:  # fmt: skip
    """Write every point as its head, its number and `"],`.

    Args:
        numbers: All numbers, each followed by a comma; `.0` at their ends is left out.
        special: bool[m]: points whose number is to be taken from `texts` instead, one after the other.
        texts: The special points' numbers.
        text_ends: int64: where each of them ends.
        heads: The texts before the numbers.
        head_ends: int64: where each of them ends.
        which: int64[m]: each point's head.
        out: Room for everything.
        ends: int64[m], filled: where each point ends, its comma included.
    """
    read, taken, at = 0, 0, 0
    for k in range(len(which)):
        head = which[k]
        at = copy(heads, head_ends[head - 1] if head else 0, head_ends[head], out, at)
        begin = read
        while numbers[read] != _COMMA:
            read += 1
        if special[k]:
            at = copy(texts, text_ends[taken - 1] if taken else 0, text_ends[taken], out, at)
            taken += 1
        elif numbers[read - 1] == _ZERO and numbers[read - 2] == _POINT:
            at = copy(numbers, begin, read - 2, out, at)
        else:
            at = copy(numbers, begin, read, out, at)
        read += 1
        out[at], out[at + 1], out[at + 2] = 34, 93, 44  # "],
        at += 3
        ends[k] = at
