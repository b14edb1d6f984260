"""What decoding metrics yields: points as parallel arrays, one entry per point, and a way to learn of their series."""

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Kind = Literal["counter", "gauge", "histogram", "summary", "info", "stateset", "unknown"]

NANOS_PER_MS = 1_000_000
POSITIVE, NEGATIVE = 0, 1  # sides of a histogram


@dataclass(frozen=True, slots=True)
class Series:
    """A row of the table series."""

    fingerprint: bytes
    metric: str
    labels: str  # JSON
    kind: Kind
    unit: str
    help: str
    classic: bool = False  # a histogram that is shown as x_bucket, x_sum and x_count as well


class Catalog(Protocol):
    """Knows the series of the points beside it."""

    def series(self, position: int) -> Series | str:
        """Return the series of a point; a text says why it can't be stored and continues "3 data points …"."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """Points that are one number each."""

    keys: NDArray[np.uint64]  # (points, 2): equal keys mean an equal series
    catalog: Catalog
    usable: NDArray[np.bool_]  # points that are not are counted as refused already
    times: NDArray[np.int64]  # Unix time, ms
    starts: NDArray[np.int64]  # Unix time, ms; 0: unknown
    values: NDArray[np.float64]  # stale markers by their bits
    starting: NDArray[np.bool_]  # whether a change of the start is told (of cumulative counters), to unknown as well


@dataclass(frozen=True, slots=True)
class HistogramPoint:
    """One histogram with explicit bounds or of exponential buckets, in the terms of the table histogram_sample."""

    count: float
    sum: float | None
    min: float | None = None
    max: float | None = None
    schema: int = -53  # explicit bounds
    zero_threshold: float = 0.0
    zero_count: float = 0.0
    bounds: tuple[float, ...] = ()
    positive_spans: tuple[int, ...] = ()
    positive_counts: tuple[float, ...] = ()
    negative_spans: tuple[int, ...] = ()
    negative_counts: tuple[float, ...] = ()
    reset_hint: int = 0


@dataclass(frozen=True, slots=True)
class Buckets:
    """The values of histograms, one row per histogram; lists of all of them one after the other."""

    scalars: NDArray[np.float64]  # (points, 4): count, sum, min, max
    has: NDArray[np.uint8]  # which of sum (1), min (2) and max (4) are there
    shapes: NDArray[np.int64]  # (points, 2): schema and reset hint
    zeros: NDArray[np.float64]  # (points, 2): threshold and count of the zero bucket
    bounds: NDArray[np.float64]  # custom bounds
    bounds_at: NDArray[np.int64]  # (points + 1,): where each point's begin
    spans: NDArray[np.int64]  # offset and length in turn; of each point first the positive, then the negative side's
    spans_at: NDArray[np.int64]  # (2 * points + 1,): where each side's begin
    counts: NDArray[np.float64]  # of the buckets, in the order of the spans
    counts_at: NDArray[np.int64]  # (2 * points + 1,): where each side's begin

    def point(self, position: int) -> HistogramPoint:
        """Return one of them as an object."""
        count, total, least, most = self.scalars[position].tolist()
        has = int(self.has[position])
        schema, hint = self.shapes[position].tolist()
        threshold, zeros = self.zeros[position].tolist()
        return HistogramPoint(
            count=count,
            sum=total if has & 1 else None,
            min=least if has & 2 else None,
            max=most if has & 4 else None,
            schema=schema,
            zero_threshold=threshold,
            zero_count=zeros,
            bounds=tuple(self.bounds[self.bounds_at[position] : self.bounds_at[position + 1]].tolist()),
            positive_spans=self._side(self.spans, self.spans_at, position, POSITIVE),
            positive_counts=self._side(self.counts, self.counts_at, position, POSITIVE),
            negative_spans=self._side(self.spans, self.spans_at, position, NEGATIVE),
            negative_counts=self._side(self.counts, self.counts_at, position, NEGATIVE),
            reset_hint=hint,
        )

    @staticmethod
    def _side(values: NDArray[np.generic], starts: NDArray[np.int64], position: int, side: int) -> tuple[int, ...]:
        begin, end = starts[2 * position + side : 2 * position + side + 2].tolist()
        return tuple(values[begin:end].tolist())


@dataclass(frozen=True, slots=True)
class Histograms:
    """Points that are one histogram each."""

    keys: NDArray[np.uint64]  # (points, 2): equal keys mean an equal series
    catalog: Catalog
    usable: NDArray[np.bool_]  # points that are not are counted as refused already
    times: NDArray[np.int64]  # Unix time, ms
    starts: NDArray[np.int64]  # Unix time, ms; 0: unknown
    buckets: Buckets


@dataclass(frozen=True, slots=True)
class Exemplar:
    """One measurement that was recorded with a point."""

    point: int  # position of the point
    time: int  # Unix time, ms
    value: float
    trace_id: bytes | None
    span_id: bytes | None
    labels: str  # JSON


@dataclass(frozen=True, slots=True)
class Part:
    """Points of one kind, and what came with them."""

    points: Numbers | Histograms
    delta: bool  # whether they are added to running totals
    exemplars: tuple[Exemplar, ...] = ()
    carrier: bool = False  # whether the points themselves are none, but name the series of exemplars


@dataclass(frozen=True, slots=True)
class Family:
    """What a producer says of a metric beside its series."""

    name: str
    kind: Kind
    unit: str
    help: str


@dataclass(frozen=True, slots=True)
class Metrics:
    """All points of a request."""

    parts: tuple[Part, ...]
    info: Numbers | None = None  # target_info, of which one sample a minute is enough
    families: tuple[Family, ...] = ()
    hosts: frozenset[tuple[str, str]] = frozenset()  # (site, name) of hosts whose own metrics these are
