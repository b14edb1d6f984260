"""Lists that grow while a request is decoded, and end as the arrays of `points`."""

import numpy as np

from waferscope_collector.decode.points import STALE, HistogramPoint, Histograms, Metric, Numbers, Stream


class NumbersBuilder:
    """Grows `Numbers`."""

    def __init__(self) -> None:
        self._streams: list[Stream] = []
        self.identities: list[bytes] = []
        self.times: list[int] = []
        self.starts: list[int] = []
        self.values: list[float] = []
        self.stale: list[int] = []  # positions of stale markers

    def add(self, identity: bytes, time: int, value: float, *, stale: bool) -> None:
        """Add one point without a start."""
        if stale:
            self.stale.append(len(self.values))
        self.identities.append(identity)
        self.times.append(time)
        self.starts.append(0)
        self.values.append(value)

    def close(self, metric: Metric, begin: int) -> None:
        """Tell that all points from a position on belong to a metric."""
        if begin < len(self.identities):
            self._streams.append(Stream(metric, begin, len(self.identities)))

    def finish(self) -> Numbers:
        """Return what was added."""
        values = np.array(self.values, np.float64)
        values.view(np.uint64)[self.stale] = STALE
        # Only times before 2262 come here; starts are cut to the same range.
        starts = np.array(self.starts, np.uint64).clip(max=np.iinfo(np.int64).max).astype(np.int64)
        return Numbers(tuple(self._streams), self.identities, np.array(self.times, np.int64), starts, values)


class HistogramsBuilder:
    """Grows `Histograms`."""

    def __init__(self) -> None:
        self._streams: list[Stream] = []
        self._identities: list[bytes] = []
        self._times: list[int] = []
        self._starts: list[int] = []
        self.points: list[HistogramPoint] = []

    def add(self, identity: bytes, time: int, start: int, point: HistogramPoint) -> None:
        """Add one point."""
        self._identities.append(identity)
        self._times.append(time)
        self._starts.append(start)
        self.points.append(point)

    def close(self, metric: Metric, begin: int) -> None:
        """Tell that all points from a position on belong to a metric."""
        if begin < len(self.points):
            self._streams.append(Stream(metric, begin, len(self.points)))

    def finish(self) -> Histograms:
        """Return what was added."""
        times = np.array(self._times, np.int64)
        starts = np.array(self._starts, np.uint64).clip(max=np.iinfo(np.int64).max).astype(np.int64)
        return Histograms(tuple(self._streams), self._identities, times, starts, self.points)
