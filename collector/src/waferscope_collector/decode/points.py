"""What decoding metrics yields: streams of points as parallel arrays, one entry per point."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["counter", "gauge", "histogram", "summary"]

NANOS_PER_MS = 1_000_000
STALE = 0x7FF0000000000002  # Prometheus's stale marker: the bits of a NaN


@dataclass(frozen=True, slots=True)
class Metric:
    """What the points of one OTLP metric below one resource share; with a point's identity it names a series."""

    name: str  # Prometheus name
    kind: Kind
    unit: str
    labels: tuple[tuple[str, str], ...]  # of the resource, and quantile for those of a summary
    help: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Stream:
    """The points ``begin`` to ``end`` (without) of the arrays beside it belong to one metric."""

    metric: Metric
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Numbers:
    """Points that are one number each.

    `identities` hold each point as the bytes of an OTLP NumberDataPoint of which all but the attributes was cleared
    (of a cumulative counter the start stays as well): equal bytes mean an equal series, and the attributes can be read
    back from them.
    """

    streams: tuple[Stream, ...]
    identities: list[bytes]
    times: NDArray[np.int64]  # Unix time, ns
    starts: NDArray[np.int64]  # Unix time, ns; 0: unknown
    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class HistogramPoint:
    """A histogram with explicit bounds or of exponential buckets, in the terms of the table histogram_sample."""

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
class Histograms:
    """Points that are one histogram each; identities as those of `Numbers`."""

    streams: tuple[Stream, ...]
    identities: list[bytes]
    times: NDArray[np.int64]  # Unix time, ns
    starts: NDArray[np.int64]  # Unix time, ns; 0: unknown
    points: list[HistogramPoint]


@dataclass(frozen=True, slots=True)
class Metrics:
    """All points of a request: those stored as they are, and those added to running totals."""

    numbers: Numbers
    number_deltas: Numbers
    histograms: Histograms
    histogram_deltas: Histograms
    hosts: frozenset[tuple[str, str]]  # (site, name) of hosts whose own metrics these are
