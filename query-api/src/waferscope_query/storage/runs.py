"""Samples of stored series, each series' own beside one another."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from waferscope_query.storage import row_kernels as kernels
from waferscope_query.storage.arrays import positions
from waferscope_query.storage.collapse import collapse
from waferscope_query.storage.copied import EPOCH_MS, HEADER_BYTES, SAMPLE, TRAILER_BYTES, Points, parse_samples

_SERIES_AT = SAMPLE.fields["series"][1] if SAMPLE.fields else 0
_SPARE_SLOTS = 1 << 20  # of a table by series id: beyond, ids are too far apart for one


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """Samples by series and time, one of each.

    Attributes:
        series: int64[n], stored series ids, ascending; one may have no samples.
        offsets: int64[n + 1]; series i owns the samples offsets[i] to offsets[i + 1].
        ts: int64[m], milliseconds.
        values: float64[m]; the bits of a NaN are kept.
    """

    series: NDArray[np.int64]
    offsets: NDArray[np.int64]
    ts: NDArray[np.int64]
    values: NDArray[np.float64]

    @classmethod
    def of(cls, points: Points, series: NDArray[np.int64]) -> "Runs":
        """Order points, and keep one of each series and time.

        Args:
            points: As read.
            series: int64[n], ascending: which are wanted.
        """
        wanted = positions(points.series, series)[1]
        kept = collapse(Points(points.series[wanted], points.ts[wanted], points.values[wanted]))
        offsets = np.append(np.searchsorted(kept.series, series), len(kept)).astype(np.int64)
        return cls(series, offsets, kept.ts, kept.values)

    def __len__(self) -> int:
        return len(self.ts)

    def points(self) -> Points:
        """Return each sample with its series."""
        return Points(np.repeat(self.series, np.diff(self.offsets)), self.ts, self.values)


def parse_runs(data: bytes, series: NDArray[np.int64]) -> Runs:
    """Parse the answer to `copy_samples`.

    Args:
        data: Rows in any order, perhaps of further series as well.
        series: int64[n], ascending: which are wanted.
    """
    lowest, slots = _slots(series)
    if slots is None:
        return Runs.of(parse_samples(data), series)
    rows = np.frombuffer(data, np.uint8)[: len(data) - TRAILER_BYTES]
    layout = (rows, HEADER_BYTES, SAMPLE.itemsize, _SERIES_AT, lowest, slots)
    counts = np.zeros(len(series), np.int64)
    kernels.count(*layout, counts)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    ts, bits = np.empty((2, int(offsets[-1])), np.int64)
    if not kernels.place(*layout, offsets[:-1].copy(), EPOCH_MS, ts, bits):  # late samples, or duplicates
        return Runs.of(parse_samples(data), series)
    return Runs(series, offsets, ts, bits.view(np.float64))


def _slots(series: NDArray[np.int64]) -> tuple[int, NDArray[np.int64] | None]:
    """Give the place of each series in a table that begins with the lowest one."""
    if not len(series):
        return 0, np.zeros(0, np.int64)
    lowest, width = int(series[0]), int(series[-1] - series[0]) + 1
    if width > 4 * len(series) + _SPARE_SLOTS:
        return lowest, None
    slots = np.full(width, -1, np.int64)
    slots[series - lowest] = np.arange(len(series))
    return lowest, slots
