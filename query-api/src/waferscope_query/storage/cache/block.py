"""Ten minutes of some series."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from waferscope_query.promql.parallel import over_blocks
from waferscope_query.storage.arrays import positions
from waferscope_query.storage.cache import kernels
from waferscope_query.storage.runs import Runs

WIDTH_MS = 600_000
_MOST_RANGES = 32  # that changed; more become one

Range = tuple[int, int]
"""Unix times in ms, both inclusive."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """All samples that some series have within a block's time; its arrays are never written again.

    Attributes:
        number: Its time begins at `number * WIDTH_MS`.
        series: int64[n], stored series, ascending; one without samples is there as well.
        offsets: int64[n + 1]; series i owns the samples offsets[i] to offsets[i + 1].
        ts: int64[m], ms, strictly ascending within a series.
        values: float64[m].
        changed: Times within which samples may have changed since.
    """

    number: int
    series: NDArray[np.int64]
    offsets: NDArray[np.int64]
    ts: NDArray[np.int64]
    values: NDArray[np.float64]
    changed: tuple[Range, ...] = ()

    @classmethod
    def empty(cls, number: int) -> "Block":
        """A block of no series."""
        return cls(number, np.zeros(0, np.int64), np.zeros(1, np.int64), np.zeros(0, np.int64), np.zeros(0))

    @property
    def span(self) -> Range:
        """Its first and last millisecond."""
        return self.number * WIDTH_MS, (self.number + 1) * WIDTH_MS - 1

    @property
    def nbytes(self) -> int:
        """Bytes of its arrays."""
        return self.series.nbytes + self.offsets.nbytes + self.ts.nbytes + self.values.nbytes

    def missing(self, wanted: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the series that it doesn't know of some, ascending ones."""
        return wanted[~positions(wanted, self.series)[1]]

    def touched(self, ranges: Sequence[Range]) -> "Block":
        """Return the block with further times that changed, as far as they are its own."""
        low, high = self.span
        own = [(max(begin, low), min(end, high)) for begin, end in ranges if begin <= high and end >= low]
        if not own:
            return self
        changed = tuple(dict.fromkeys((*self.changed, *own)))
        if len(changed) > _MOST_RANGES:
            changed = ((min(begin for begin, _ in changed), max(end for _, end in changed)),)
        return replace(self, changed=changed)

    def with_read(self, series: NDArray[np.int64], within: Range, runs: Runs) -> "Block":
        """Return the block with samples that were read anew.

        Args:
            series: Ascending; what the block has of them within the time is replaced.
            within: The time; changes outside of it stay to be looked after.
            runs: What was read of at least these series, perhaps at further times as well.
        """
        low, high = max(within[0], self.span[0]), min(within[1], self.span[1])
        known = self.series if len(self.series) and positions(series, self.series)[1].all() else None
        known = np.union1d(self.series, series) if known is None else known
        old, new = (_places(known, self.series), _places(known, runs.series))
        new[~positions(known, series)[1]] = -1
        cuts = np.empty((len(known), 6), np.int64)
        kernels.splice_cuts(self.ts, self.offsets, old, runs.ts, runs.offsets, new, low, high, cuts)
        offsets = np.concatenate([[0], np.cumsum((cuts[:, 1::2] - cuts[:, ::2]).sum(axis=1))]).astype(np.int64)
        ts, bits = np.empty((2, int(offsets[-1])), np.int64)
        old_bits, new_bits = self.values.view(np.int64), runs.values.view(np.int64)
        kernels.splice(cuts, self.ts, old_bits, runs.ts, new_bits, offsets, ts, bits)
        changed = tuple((begin, end) for begin, end in self.changed if begin < low or end > high)
        return Block(self.number, known, offsets, ts, bits.view(np.float64), changed)


def _places(wanted: NDArray[np.int64], known: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give where each wanted series is among known ones; -1 where it isn't."""
    places, found = positions(wanted, known)
    return np.where(found, places, -1).astype(np.int64)


def gather(blocks: Sequence[Block], wanted: NDArray[np.int64], span: Range) -> Runs | None:
    """Put samples of consecutive blocks together.

    Args:
        blocks: In the order of time.
        wanted: int64[w], stored series, ascending.
        span: Which times.

    Returns:
        The samples of these series; None where a block lacks some, or knows that they may have changed.
    """
    if any(begin <= span[1] and end >= span[0] for block in blocks for begin, end in block.changed):
        return None
    places = []
    for block in blocks:
        at, known = positions(wanted, block.series)
        if not known.all():
            return None
        places.append(at)
    starts, counts = np.empty((2, len(blocks), len(wanted)), np.int64)

    def cut(first: int, last: int) -> None:
        for row, block in enumerate(blocks):
            kernels.cut(block.ts, block.offsets, places[row], *span, starts[row], counts[row], first, last)

    over_blocks(len(wanted), cut)
    offsets = np.concatenate([[0], np.cumsum(counts.sum(axis=0))]).astype(np.int64)
    at = offsets[:-1].copy()
    ts, bits = np.empty((2, int(offsets[-1])), np.int64)

    def move(first: int, last: int) -> None:
        for row, block in enumerate(blocks):
            kernels.move(block.ts, block.values.view(np.int64), starts[row], counts[row], at, ts, bits, first, last)

    over_blocks(len(wanted), move)
    return Runs(wanted, offsets, ts, bits.view(np.float64))
