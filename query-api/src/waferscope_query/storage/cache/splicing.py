"""Samples of neighbouring times put together, and a part of them replaced."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from waferscope_query.promql.parallel import over_blocks
from waferscope_query.storage.arrays import positions
from waferscope_query.storage.cache import kernels
from waferscope_query.storage.runs import Runs

Range = tuple[int, int]
"""Unix times in ms, both inclusive."""


def spliced(old: Runs, new: Runs, series: NDArray[np.int64], within: Range, shift: int = 0) -> Runs:
    """Replace what some series have within a time.

    Args:
        old: What there was.
        new: What is there now, perhaps of further series and times as well.
        series: int64[n], stored series, ascending: whose samples are replaced.
        within: When.
        shift: How many bits of a key in `old` and `new` stand below its stored series.

    Returns:
        The samples of all keys that have any.
    """
    read = new.series[positions(new.series >> shift, series)[1]]
    known = old.series if positions(read, old.series)[1].all() and len(old.series) else np.union1d(old.series, read)
    replaced = positions(known >> shift, series)[1]
    cuts = np.empty((len(known), 6), np.int64)
    places = _places(known, old.series), _places(known, new.series)
    kernels.splice_cuts(old.ts, old.offsets, places[0], new.ts, new.offsets, places[1], replaced, *within, cuts)
    counts = (cuts[:, 1::2] - cuts[:, ::2]).sum(axis=1)
    filled = counts > 0
    if not filled.all():
        known, cuts, counts = known[filled], cuts[filled], counts[filled]
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    ts, bits = np.empty((2, int(offsets[-1])), np.int64)
    old_bits, new_bits = old.values.view(np.int64), new.values.view(np.int64)
    kernels.splice(cuts, old.ts, old_bits, new.ts, new_bits, offsets, ts, bits)
    return Runs(known, offsets, ts, bits.view(np.float64))


def gathered(parts: Sequence[Runs], keys: NDArray[np.int64], span: Range) -> Runs:
    """Put samples of consecutive times together.

    Args:
        parts: In the order of time.
        keys: int64[w], ascending; a part may lack some.
        span: Which times.
    """
    places: list[NDArray[np.int64]] = []
    for number, part in enumerate(parts):
        same = number > 0 and np.array_equal(part.series, parts[number - 1].series)
        places.append(places[-1] if same else _places(keys, part.series))
    starts, counts = np.empty((2, len(parts), len(keys)), np.int64)

    def cut(first: int, last: int) -> None:
        for row, part in enumerate(parts):
            kernels.cut(part.ts, part.offsets, places[row], *span, starts[row], counts[row], first, last)

    over_blocks(len(keys), cut)
    offsets = np.concatenate([[0], np.cumsum(counts.sum(axis=0))]).astype(np.int64)
    at = offsets[:-1].copy()
    ts, bits = np.empty((2, int(offsets[-1])), np.int64)

    def move(first: int, last: int) -> None:
        for row, part in enumerate(parts):
            kernels.move(part.ts, part.values.view(np.int64), starts[row], counts[row], at, ts, bits, first, last)

    over_blocks(len(keys), move)
    return Runs(keys, offsets, ts, bits.view(np.float64))


def _places(wanted: NDArray[np.int64], known: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give where each wanted key is among known ones; -1 where it isn't."""
    places, found = positions(wanted, known)
    return np.where(found, places, -1).astype(np.int64)
