# ruff: noqa: PLR0917 - compiled code takes its arrays by position
"""Moving many short runs of samples at once, compiled."""

from waferscope_query.promql.evaluation.kernels.compiling import kernel
from waferscope_query.promql.evaluation.kernels.types import Ints


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
        places: int64[w]: series.
        low: First timestamp, inclusive.
        high: Last timestamp, inclusive.
        starts: int64[w], filled: where the samples begin.
        counts: int64[w], filled: how many there are.
        first: Which of the w to look at.
        last: The one after them.
    """
    for i in range(first, last):
        place = places[i]
        begin, end = offsets[place], offsets[place + 1]
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
