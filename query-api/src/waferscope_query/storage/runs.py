"""Samples of stored series, each series' own beside one another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from waferscope_query.storage.copied import Points


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
    def of(cls, points: Points) -> Runs:
        """Make runs of points that are sorted by series and time, one of each."""
        begins = np.flatnonzero(np.diff(points.series, prepend=-1))
        return cls(points.series[begins], np.append(begins, len(points)), points.ts, points.values)

    def __len__(self) -> int:
        return len(self.ts)

    def points(self) -> Points:
        """Return each sample with its series."""
        return Points(np.repeat(self.series, np.diff(self.offsets)), self.ts, self.values)
