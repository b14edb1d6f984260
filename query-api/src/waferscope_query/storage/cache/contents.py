"""What blocks hold: floats, histograms as classic series, or native histograms."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

import numpy as np
from asyncpg.pool import PoolConnectionProxy
from numpy.typing import NDArray

from waferscope_query.promql.histograms import histogram_table
from waferscope_query.promql.matchers import Matcher
from waferscope_query.storage.arrays import positions
from waferscope_query.storage.cache.splicing import Range, gathered, spliced
from waferscope_query.storage.compacting import collected
from waferscope_query.storage.index import Found, Part
from waferscope_query.storage.native import BUCKETS_PER_SAMPLE, NativeRuns
from waferscope_query.storage.reader import Span, read_histograms, read_natives
from waferscope_query.storage.runs import Runs
from waferscope_query.storage.sample_reader import SampleReader
from waferscope_query.storage.virtual import CODE_BITS, CODES, COUNT, FIRST_BUCKET, SUM, BucketLabels, exploded

_USUAL_SAMPLES = 40  # of a series in a block, at a sample each 15 s
_SAMPLE_BYTES = 16  # its time and value
_USUAL_COLUMNS = 14  # of a histogram: its sum, its count, its buckets
_NATIVE_BYTES = 300  # of a histogram
_KNOWN_BYTES = 16  # of a series without histograms

Data = TypeVar("Data")
_NO_TABLE = histogram_table([])


class Content(ABC, Generic[Data]):
    """One kind of what blocks hold, and what somebody wants of it.

    Attributes:
        name: Of the kind.
        series: int64[n], stored series, ascending: what is wanted.
    """

    name: ClassVar[str]
    series: NDArray[np.int64]

    @property
    @abstractmethod
    def usual_bytes(self) -> int:
        """How much a block with all that is wanted usually takes."""

    @abstractmethod
    def nothing(self) -> Data:
        """No samples."""

    @abstractmethod
    async def read(self, connection: PoolConnectionProxy, series: NDArray[np.int64], span: Span) -> Data:
        """Read all that some series have from the database; arguments and errors as `reader.read_samples`."""

    @abstractmethod
    def spliced(self, old: Data, new: Data, series: NDArray[np.int64], within: Range) -> Data:
        """Replace what some series have within a time (see `splicing.spliced`)."""

    @abstractmethod
    def gathered(self, parts: Sequence[Data], span: Range) -> Data:
        """Put together what is wanted of consecutive times (see `splicing.gathered`)."""

    @abstractmethod
    def narrowed(self, data: Data) -> Data:
        """Leave out what was read of the wanted series, but isn't wanted."""

    @abstractmethod
    def samples(self, data: Data) -> int:
        """Count samples."""

    @abstractmethod
    def size(self, data: Data) -> int:
        """Count bytes of all arrays."""

    @abstractmethod
    def sample_bytes(self, data: Data) -> int:
        """Count bytes of the samples alone."""

    def load(self, data: Data) -> int:
        """How many samples this counts as against the limit."""
        return self.samples(data)


class _Numbers(Content[Runs]):
    """What is kept as runs of numbers."""

    def nothing(self) -> Runs:
        """See `Content`."""
        return Runs(np.zeros(0, np.int64), np.zeros(1, np.int64), np.zeros(0, np.int64), np.zeros(0))

    def samples(self, data: Runs) -> int:
        """See `Content`."""
        return len(data)

    def size(self, data: Runs) -> int:
        """See `Content`."""
        return data.series.nbytes + data.offsets.nbytes + self.sample_bytes(data)

    def sample_bytes(self, data: Runs) -> int:
        """See `Content`."""
        return data.ts.nbytes + data.values.nbytes


@dataclass(frozen=True, slots=True, eq=False)
class Floats(_Numbers):
    """Samples of `wafer.sample`.

    Attributes:
        reader: Reads them.
    """

    name: ClassVar[str] = "floats"
    series: NDArray[np.int64]
    reader: SampleReader

    @property
    def usual_bytes(self) -> int:
        """See `Content`."""
        return len(self.series) * _USUAL_SAMPLES * _SAMPLE_BYTES

    async def read(self, connection: PoolConnectionProxy, series: NDArray[np.int64], span: Span) -> Runs:
        """See `Content`."""
        return await self.reader.read(connection, series, span)

    def spliced(self, old: Runs, new: Runs, series: NDArray[np.int64], within: Range) -> Runs:
        """See `Content`."""
        return spliced(old, new, series, within)

    def gathered(self, parts: Sequence[Runs], span: Range) -> Runs:
        """See `Content`."""
        return gathered(parts, self.series, span)

    def narrowed(self, data: Runs) -> Runs:
        """See `Content`."""
        return data


@dataclass(frozen=True, slots=True, eq=False)
class Classic(_Numbers):
    """Explicit-bucket histograms as the classic series that show them, by their keys (see `virtual`).

    Attributes:
        labels: Numbers the `le` of buckets.
        of_part: Whose sums, counts and buckets are wanted: stored series, ascending, by part.
        matchers: Conditions on the `le` of buckets.
    """

    name: ClassVar[str] = "classic"
    series: NDArray[np.int64]
    labels: BucketLabels
    of_part: dict[Part, NDArray[np.int64]]
    matchers: Sequence[Matcher] = ()

    @classmethod
    def of(cls, found: Found, matchers: Sequence[Matcher], labels: BucketLabels) -> "Classic":
        """What rows of the index show, as far as matchers of `le` let it pass."""
        of_part = {part: np.unique(found.series_ids[found.parts == part]) for part in _CODES}
        return cls(np.unique(np.concatenate([*of_part.values()])), labels, of_part, tuple(matchers))

    @property
    def usual_bytes(self) -> int:
        """See `Content`."""
        return len(self.series) * _USUAL_COLUMNS * _USUAL_SAMPLES * _SAMPLE_BYTES

    async def read(self, connection: PoolConnectionProxy, series: NDArray[np.int64], span: Span) -> Runs:
        """See `Content`."""
        return await asyncio.to_thread(exploded, await read_histograms(connection, series, span), self.labels)

    def spliced(self, old: Runs, new: Runs, series: NDArray[np.int64], within: Range) -> Runs:
        """See `Content`."""
        return spliced(old, new, series, within, CODE_BITS)

    def gathered(self, parts: Sequence[Runs], span: Range) -> Runs:
        """See `Content`."""
        known = parts[0].series
        for part in parts[1:]:
            if not np.array_equal(part.series, known):
                known = np.union1d(known, part.series)
        return gathered(parts, known[self._wanted(known)], span)

    def narrowed(self, data: Runs) -> Runs:
        """See `Content`."""
        if self._wanted(data.series).all():
            return data
        return self.gathered([data], (int(data.ts.min()), int(data.ts.max()))) if len(data) else self.nothing()

    def _wanted(self, keys: NDArray[np.int64]) -> NDArray[np.bool_]:
        stored, codes = keys >> CODE_BITS, keys & CODES
        wanted = np.zeros(len(keys), np.bool_)
        for part, code in _CODES.items():
            if len(self.of_part[part]):
                shown = np.flatnonzero(codes >= code if part is Part.BUCKET else codes == code)
                wanted[shown[positions(stored[shown], self.of_part[part])[1]]] = True
        texts = self.labels.texts()
        for matcher in self.matchers:
            fits = np.concatenate([np.ones(FIRST_BUCKET, np.bool_), matcher.matches_codes(texts, self.labels.pool)])
            wanted &= fits[codes]
        return wanted


_CODES = {Part.SUM: SUM, Part.COUNT: COUNT, Part.BUCKET: FIRST_BUCKET}


@dataclass(frozen=True, slots=True, eq=False)
class Natives(Content[NativeRuns]):
    """Histograms as they are.

    Attributes:
        expected: How many of the series are known to be histograms.
    """

    name: ClassVar[str] = "native"
    series: NDArray[np.int64]
    expected: int

    @classmethod
    def of(cls, found: Found) -> "Natives":
        """What rows of the index show under their own names."""
        own = np.isin(found.parts, (Part.NATIVE, Part.EITHER))
        return cls(np.unique(found.series_ids[own]), int((found.parts == Part.NATIVE).sum()))

    @property
    def usual_bytes(self) -> int:
        """See `Content`."""
        return len(self.series) * _KNOWN_BYTES + self.expected * _USUAL_SAMPLES * _NATIVE_BYTES

    def nothing(self) -> NativeRuns:
        """See `Content`."""
        none = np.zeros(0, np.int64)
        return NativeRuns(none, np.zeros(1, np.int64), none, none, _NO_TABLE)

    async def read(self, connection: PoolConnectionProxy, series: NDArray[np.int64], span: Span) -> NativeRuns:
        """See `Content`."""
        return await read_natives(connection, series, span)

    def spliced(self, old: NativeRuns, new: NativeRuns, series: NDArray[np.int64], within: Range) -> NativeRuns:
        """See `Content`."""
        return _taken([old, new], spliced(old.numbered(), new.numbered(len(old)), series, within))

    def gathered(self, parts: Sequence[NativeRuns], span: Range) -> NativeRuns:
        """See `Content`."""
        firsts = np.cumsum([0, *(len(part) for part in parts)]).tolist()
        runs = [part.numbered(first) for part, first in zip(parts, firsts, strict=False)]
        return _taken(parts, gathered(runs, self.series, span))

    def narrowed(self, data: NativeRuns) -> NativeRuns:
        """See `Content`."""
        return data

    def samples(self, data: NativeRuns) -> int:
        """See `Content`."""
        return len(data)

    def size(self, data: NativeRuns) -> int:
        """See `Content`."""
        return data.series.nbytes + data.offsets.nbytes + self.sample_bytes(data)

    def sample_bytes(self, data: NativeRuns) -> int:
        """See `Content`."""
        return sum(one.nbytes for one in (data.ts, data.starts, *data.table))

    def load(self, data: NativeRuns) -> int:
        """See `Content`."""
        return max(len(data), len(data.table.buckets) // BUCKETS_PER_SAMPLE)


def _taken(parts: Sequence[NativeRuns], numbered: Runs) -> NativeRuns:
    """Take histograms by their numbers, which go on from part to part."""
    numbers = numbered.values.view(np.int64)
    starts = np.concatenate([part.starts for part in parts])[numbers]
    table = collected([part.table for part in parts], numbers)
    return NativeRuns(numbered.series, numbered.offsets, numbered.ts, starts, table)
