"""Ten minutes of some series."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from waferscope_query.storage.arrays import positions
from waferscope_query.storage.cache.contents import Content
from waferscope_query.storage.cache.splicing import Range

WIDTH_MS = 600_000
_MOST_RANGES = 32  # that changed; more become one

Data = TypeVar("Data")


@dataclass(frozen=True, slots=True, eq=False)
class Block(Generic[Data]):
    """All that some series have within a block's time, of one content; its arrays are never written again.

    Attributes:
        number: Its time begins at `number * WIDTH_MS`.
        series: int64[n], stored series, ascending; one without samples is there as well.
        data: What they have.
        data_bytes: Bytes of that.
        changed: Times within which samples may have changed since.
    """

    number: int
    series: NDArray[np.int64]
    data: Data
    data_bytes: int = 0
    changed: tuple[Range, ...] = ()

    @classmethod
    def empty(cls, number: int, content: Content[Data]) -> "Block[Data]":
        """A block of no series."""
        return cls(number, np.zeros(0, np.int64), content.nothing())

    @property
    def span(self) -> Range:
        """Its first and last millisecond."""
        return self.number * WIDTH_MS, (self.number + 1) * WIDTH_MS - 1

    @property
    def nbytes(self) -> int:
        """Bytes of its arrays."""
        return self.series.nbytes + self.data_bytes

    def missing(self, wanted: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the series that it doesn't know of some, ascending ones."""
        if wanted is self.series:
            return wanted[:0]
        return wanted[~positions(wanted, self.series)[1]]

    def touched(self, ranges: Sequence[Range]) -> "Block[Data]":
        """Return the block with further times that changed, as far as they are its own."""
        low, high = self.span
        own = [(max(begin, low), min(end, high)) for begin, end in ranges if begin <= high and end >= low]
        if not own:
            return self
        changed = tuple(dict.fromkeys((*self.changed, *own)))
        if len(changed) > _MOST_RANGES:
            changed = ((min(begin for begin, _ in changed), max(end for _, end in changed)),)
        return replace(self, changed=changed)

    def with_read(self, content: Content[Data], series: NDArray[np.int64], within: Range, read: Data) -> "Block[Data]":
        """Return the block with samples that were read anew.

        Args:
            content: Its content.
            series: Ascending; what the block has of them within the time is replaced.
            within: The time; changes outside of it stay to be looked after.
            read: What was read of at least these series, perhaps at further times as well.
        """
        low, high = max(within[0], self.span[0]), min(within[1], self.span[1])
        if not len(self.series):
            known = series
        else:
            known = np.union1d(self.series, series) if len(self.missing(series)) else self.series
        data = content.spliced(self.data, read, series, (low, high))
        changed = tuple((begin, end) for begin, end in self.changed if begin < low or end > high)
        return Block(self.number, known, data, content.size(data), changed)


def gather(blocks: Sequence[Block[Data]], wanted: Content[Data], span: Range) -> Data | None:
    """Put samples of consecutive blocks together.

    Args:
        blocks: In the order of time.
        wanted: What is wanted of them.
        span: Which times.

    Returns:
        The samples of these series; None where a block lacks some, or knows that they may have changed.
    """
    if any(begin <= span[1] and end >= span[0] for block in blocks for begin, end in block.changed):
        return None
    complete: NDArray[np.int64] | None = None  # series of a block that are all that is wanted
    for block in blocks:
        if complete is None or not np.array_equal(block.series, complete):
            if len(block.missing(wanted.series)):
                return None
            complete = block.series
    return wanted.gathered([block.data for block in blocks], span)
