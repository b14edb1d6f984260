# ruff: noqa: PLR0917 - compiled code takes its arrays by position
"""Moving many short runs of samples at once, compiled."""

import numpy as np
from numpy.typing import NDArray

from waferscope_query.promql.evaluation.kernels.compiling import kernel
from waferscope_query.promql.evaluation.kernels.types import Bools, Ints


@kernel
def cut(
    ts: Ints,
    offsets: Ints,
    places: Ints,
    low: int,
    high: int,
    starts: Ints,
    counts: Ints,
    first: int,
    last: int,
) -> None:
    """Find the samples of some series within a time range.

    Args:
        ts: int64[m], ascending within a series.
        offsets: int64[n + 1]; series p owns the samples offsets[p] to offsets[p + 1].
        places: int64[w]: series; -1: one that isn't there.
        low: First timestamp, inclusive.
        high: Last timestamp, inclusive.
        starts: int64[w], filled: where the samples begin.
        counts: int64[w], filled: how many there are.
        first: Which of the w to look at.
        last: The one after them.
    """
    for i in range(first, last):
        place = places[i]
        begin, end = (offsets[place], offsets[place + 1]) if place >= 0 else (0, 0)
        while begin < end and ts[begin] < low:
            begin += 1
        while begin < end and ts[end - 1] > high:
            end -= 1
        starts[i], counts[i] = begin, end - begin


@kernel
def move(
    ts: Ints,
    bits: Ints,
    starts: Ints,
    counts: Ints,
    at: Ints,
    out_ts: Ints,
    out_bits: Ints,
    first: int,
    last: int,
) -> None:
    """Copy runs of samples to where they belong, and advance these places.

    Args:
        ts: int64[m].
        bits: int64[m], values as integers, so that no NaN changes.
        starts: int64[w]: where runs begin.
        counts: int64[w]: their lengths.
        at: int64[w]: where they go; grows by the counts.
        out_ts: Filled.
        out_bits: Filled.
        first: Which of the w to copy.
        last: The one after them.
    """
    for i in range(first, last):
        for j in range(counts[i]):
            out_ts[at[i] + j] = ts[starts[i] + j]
            out_bits[at[i] + j] = bits[starts[i] + j]
        at[i] += counts[i]


@kernel
def first_from(ts: Ints, begin: int, end: int, limit: int) -> int:
    """Find the first of some samples that is not before a time."""
    while begin < end:
        middle = (begin + end) // 2
        if ts[middle] < limit:
            begin = middle + 1
        else:
            end = middle
    return begin


@kernel
def splice_cuts(
    old_ts: Ints,
    old_offsets: Ints,
    old_places: Ints,
    new_ts: Ints,
    new_offsets: Ints,
    new_places: Ints,
    replaced: Bools,
    low: int,
    high: int,
    cuts: NDArray[np.int64],
) -> None:
    """Find what is kept of old samples and taken of new ones, which replace those within a time range.

    Args:
        old_ts: int64[m].
        old_offsets: int64[n + 1].
        old_places: int64[w]: series among the old ones; -1: it isn't there.
        new_ts: int64[k].
        new_offsets: int64[l + 1].
        new_places: int64[w]: series among the new ones; -1: it isn't there.
        replaced: bool[w]: whose samples are replaced.
        low: First time that is replaced.
        high: Last time that is replaced.
        cuts: int64[w, 6], filled: begin and end of the old samples before, of the new ones, of the old ones after.
    """
    for i in range(len(cuts)):
        place, other = old_places[i], new_places[i]
        begin, end = (old_offsets[place], old_offsets[place + 1]) if place >= 0 else (0, 0)
        cuts[i, 0], cuts[i, 1], cuts[i, 4], cuts[i, 5] = begin, end, end, end
        cuts[i, 2] = cuts[i, 3] = 0
        if replaced[i]:
            cuts[i, 1] = first_from(old_ts, begin, end, low)
            cuts[i, 4] = first_from(old_ts, cuts[i, 1], end, high + 1)
        if replaced[i] and other >= 0:
            cuts[i, 2] = first_from(new_ts, new_offsets[other], new_offsets[other + 1], low)
            cuts[i, 3] = first_from(new_ts, cuts[i, 2], new_offsets[other + 1], high + 1)


@kernel
def splice(
    cuts: NDArray[np.int64],
    old_ts: Ints,
    old_bits: Ints,
    new_ts: Ints,
    new_bits: Ints,
    offsets: Ints,
    ts: Ints,
    bits: Ints,
) -> None:
    """Put together what `splice_cuts` found.

    Args:
        cuts: int64[w, 6].
        old_ts: int64[m].
        old_bits: int64[m].
        new_ts: int64[k].
        new_bits: int64[k].
        offsets: int64[w + 1]: where each series goes.
        ts: Filled.
        bits: Filled.
    """
    for i in range(len(cuts)):
        at = offsets[i]
        for k in range(cuts[i, 0], cuts[i, 1]):
            ts[at], bits[at] = old_ts[k], old_bits[k]
            at += 1
        for k in range(cuts[i, 2], cuts[i, 3]):
            ts[at], bits[at] = new_ts[k], new_bits[k]
            at += 1
        for k in range(cuts[i, 4], cuts[i, 5]):
            ts[at], bits[at] = old_ts[k], old_bits[k]
            at += 1
