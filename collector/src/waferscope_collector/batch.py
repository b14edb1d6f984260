"""A request on its way from decode to commit."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from waferscope_collector import identify
from waferscope_collector.decode.limits import Rejects
from waferscope_collector.decode.points import Histograms, Metric, Metrics, Numbers
from waferscope_collector.decode.records import Logs, Traces
from waferscope_collector.identify import REFUSED, REFUSED_REASON, UNKNOWN, Missing, SeriesCache

_NO_LOGS, _NO_TRACES = Logs((), (), (), frozenset()), Traces((), (), frozenset())

Signal = Literal["metrics", "logs", "traces", "events"]


P = TypeVar("P", Numbers, Histograms)


class Identified(Generic[P]):
    """Points with the ids of their series, as far as they are known."""

    def __init__(self, points: P, cache: SeriesCache, rejects: Rejects) -> None:
        self.points: P = points
        self.ids: NDArray[np.int64] = cache.look_up(points)
        self._rejects = rejects
        self._count_refused(self.ids == REFUSED)

    def missing(self) -> list[Missing]:
        """Return the points whose series is unknown, one for each identity."""
        return identify.missing(self.points, self.ids)

    def fill(self, found: Mapping[tuple[Metric, bytes], int]) -> None:
        """Enter the ids that were unknown."""
        unknown = self.ids == UNKNOWN
        for stream in self.points.streams:
            for position in (np.flatnonzero(unknown[stream.begin : stream.end]) + stream.begin).tolist():
                self.ids[position] = found[stream.metric, self.points.identities[position]]
        self._count_refused(unknown & (self.ids == REFUSED))

    def _count_refused(self, refused: NDArray[np.bool_]) -> None:
        if count := int(np.count_nonzero(refused)):
            self._rejects.add(REFUSED_REASON, count)


@dataclass(frozen=True, slots=True)
class Points:
    """All points of a request with their series."""

    numbers: Identified[Numbers]
    number_deltas: Identified[Numbers]
    histograms: Identified[Histograms]
    histogram_deltas: Identified[Histograms]
    hosts: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, metrics: Metrics, cache: SeriesCache, rejects: Rejects) -> "Points":
        """Look up the series of all points."""
        return cls(
            Identified(metrics.numbers, cache, rejects),
            Identified(metrics.number_deltas, cache, rejects),
            Identified(metrics.histograms, cache, rejects),
            Identified(metrics.histogram_deltas, cache, rejects),
            metrics.hosts,
        )

    @property
    def kinds(self) -> tuple[Identified[Numbers] | Identified[Histograms], ...]:
        """The four kinds of points."""
        return self.numbers, self.number_deltas, self.histograms, self.histogram_deltas


@dataclass(frozen=True, slots=True)
class Batch:
    """One request, decoded."""

    signal: Signal
    digest: bytes  # of the signal and the decompressed body
    received_at: datetime
    rejects: Rejects
    points: Points | None = None
    logs: Logs = _NO_LOGS
    traces: Traces = _NO_TRACES

    @property
    def size(self) -> int:
        """How many points, records or spans can be stored."""
        points = 0 if self.points is None else sum(len(kind.ids) for kind in self.points.kinds)
        return points + self.logs.size + len(self.traces.spans)
