"""A request on its way from decode to commit."""

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from waferscope_collector.decode.limits import Rejects
from waferscope_collector.decode.points import Exemplar, Family, Histograms, Metrics, Numbers, Series
from waferscope_collector.decode.records import Logs, Traces
from waferscope_collector.identify import UNKNOWN, UNUSABLE, Ids, SeriesCache, SeriesTable, distinct

_NO_LOGS, _NO_TRACES = Logs((), (), (), frozenset()), Traces((), (), frozenset())
_INFO_PERIOD = 60_000  # ms from one sample of target_info to the next

Signal = Literal["metrics", "logs", "traces", "write", "events"]

P = TypeVar("P", Numbers, Histograms)


class Identified(Generic[P]):
    """Points with the ids of their series, as far as they are known."""

    def __init__(self, points: P, exemplars: tuple[Exemplar, ...], cache: SeriesCache, rejects: Rejects) -> None:
        self.points: P = points
        self.exemplars = exemplars
        self._cache = cache
        self._rejects = rejects
        self.ids: Ids = np.where(points.usable, cache.ids(points.keys), UNUSABLE)
        self._count_refused(self.ids)

    @property
    def kept(self) -> NDArray[np.intp]:
        """Positions of the points that have a series."""
        return np.flatnonzero(self.ids > 0)

    @property
    def size(self) -> int:
        """How many points can be stored, as far as is known."""
        return int(np.count_nonzero(self.ids >= UNKNOWN))

    def missing(self) -> NDArray[np.intp]:
        """Return the positions of points whose series is unknown, one for each key."""
        unknown = np.flatnonzero(self.ids == UNKNOWN)
        return unknown[distinct(self.points.keys[unknown])] if len(unknown) else unknown

    def describe(self, positions: NDArray[np.intp]) -> list[Series | str]:
        """Return the series of points, or why they can't be stored."""
        return [self.points.catalog.series(position) for position in positions.tolist()]

    def part(self, chosen: NDArray[np.bool_]) -> "Identified[P]":
        """Return some of the points, to be tried: what is refused of them is not counted."""
        part = Identified(self.points, self.exemplars, self._cache, Rejects(self._rejects.noun))
        part.ids = np.where(chosen, self.ids, UNUSABLE)
        return part

    def fill(self, found: SeriesTable) -> None:
        """Enter the ids that were unknown."""
        unknown = self.ids == UNKNOWN
        self.ids[unknown] = filled = found.ids(self.points.keys[unknown])
        self._count_refused(filled)

    def _count_refused(self, ids: Ids) -> None:
        for number, count in zip(*np.unique(ids[ids < UNUSABLE], return_counts=True), strict=True):
            self._rejects.add(self._cache.reason(int(number)), int(count))


@dataclass(frozen=True, slots=True)
class Points:
    """All points of a request with their series."""

    numbers: tuple[Identified[Numbers], ...]
    number_deltas: tuple[Identified[Numbers], ...]
    histograms: tuple[Identified[Histograms], ...]
    histogram_deltas: tuple[Identified[Histograms], ...]
    carriers: tuple[Identified[Numbers], ...]  # no points, but the series of exemplars
    info: tuple[Identified[Numbers], ...]
    families: tuple[Family, ...]
    hosts: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, metrics: Metrics, cache: SeriesCache, rejects: Rejects) -> "Points":
        """Look up the series of all points."""

        def chosen(kind: type[P], *, delta: bool, carrier: bool = False) -> tuple[Identified[P], ...]:
            return tuple(
                Identified(part.points, part.exemplars, cache, rejects)
                for part in metrics.parts
                if isinstance(part.points, kind) and part.delta == delta and part.carrier == carrier
            )

        due = None if metrics.info is None else _due(metrics.info, cache)
        return cls(
            numbers=chosen(Numbers, delta=False),
            number_deltas=chosen(Numbers, delta=True),
            histograms=chosen(Histograms, delta=False),
            histogram_deltas=chosen(Histograms, delta=True),
            carriers=chosen(Numbers, delta=False, carrier=True),
            families=metrics.families,
            info=() if due is None else (Identified(due, (), cache, Rejects(rejects.noun)),),
            hosts=metrics.hosts,
        )

    @property
    def kinds(self) -> tuple[Identified[Numbers] | Identified[Histograms], ...]:
        """What the client sent, by kind."""
        return (*self.numbers, *self.number_deltas, *self.histograms, *self.histogram_deltas, *self.carriers)

    @property
    def repeatable(self) -> bool:
        """Whether storing them again changes nothing: deltas add up."""
        return not (
            any(len(one.ids) for one in self.number_deltas) or any(len(one.ids) for one in self.histogram_deltas)
        )

    @property
    def stored(self) -> tuple[int, int, int]:
        """How many samples, histograms and exemplars have a series."""
        exemplars = sum(
            int(np.count_nonzero(part.ids[[exemplar.point for exemplar in part.exemplars]] > 0))
            for part in self.kinds
            if part.exemplars
        )
        return sum(len(part.kept) for part in self.numbers), sum(len(part.kept) for part in self.histograms), exemplars

    @property
    def all(self) -> tuple[Identified[Numbers] | Identified[Histograms], ...]:
        """What is stored, by kind."""
        return (*self.kinds, *self.info)


def _due(info: Numbers, cache: SeriesCache) -> Numbers | None:
    """Return the samples of target_info that are not told for the minute around them."""
    told = cache.starts(info.keys)
    due = np.abs(info.times - told) >= _INFO_PERIOD
    info.usable[:] = due
    return info if due.any() else None


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
        """How many points, records or spans of the client can be stored."""
        points = 0 if self.points is None else sum(kind.size for kind in self.points.kinds)
        return points + self.logs.size + len(self.traces.spans)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to store at all."""
        return not (self.size or (self.points and self.points.families))
