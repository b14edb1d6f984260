"""Rows as PostgreSQL's binary COPY sends them, parsed into arrays (PostgreSQL manual, COPY, Binary Format)."""

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

HEADER_BYTES = 19  # signature, flags, length of the extension area (none)
TRAILER_BYTES = 2
EPOCH_MS = 946_684_800_000  # PostgreSQL counts microseconds from 2000-01-01
_ARRAY_HEADER = [("length", ">i4"), ("dimensions", ">i4"), ("nulls", ">i4"), ("type", ">u4")]
_SIDE = [("size", ">i4"), ("lower", ">i4")]
_ELEMENT_BYTES = 12  # length and value of a float8 in an array

SAMPLE = np.dtype(
    [("fields", ">i2"), ("l1", ">i4"), ("series", ">i8"), ("l2", ">i4"), ("ts", ">i8"), ("l3", ">i4"), ("bits", ">u8")]
)
"""One row of the query `copy_samples`."""

START = np.dtype(
    [("fields", ">i2"), ("l1", ">i4"), ("series", ">i8"), ("l2", ">i4"), ("ts", ">i8"), ("l3", ">i4"), ("start", ">i8")]
)
"""One row of the query `copy_start_times`."""

_HISTOGRAM_HEAD = [
    ("fields", ">i2"),
    *(("l1", ">i4"), ("series", ">i8"), ("l2", ">i4"), ("ts", ">i8"), ("l3", ">i4"), ("count", ">u8")),
    *(("l4", ">i4"), ("sum", ">u8"), ("l5", ">i4"), ("has_sum", "?"), ("l6", ">i4"), ("start", ">i8")),
]
_HEAD_BYTES = np.dtype(_HISTOGRAM_HEAD).itemsize


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Unordered points as they were read, duplicates included.

    Attributes:
        series: int64[n], stored series ids.
        ts: int64[n], milliseconds.
        values: float64[n]; the bits of a NaN are kept.
    """

    series: NDArray[np.int64]
    ts: NDArray[np.int64]
    values: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.series)


@dataclass(frozen=True, slots=True, eq=False)
class HistogramPoints:
    """Unordered points of explicit-bucket histograms with equally many buckets, duplicates included.

    Attributes:
        series: int64[n], stored series ids.
        ts: int64[n], milliseconds.
        count: float64[n].
        sum: float64[n].
        has_sum: bool[n]: whether the producer gave a sum.
        starts: int64[n], milliseconds: since when each point counts, 0 where nobody told.
        bounds: float64[n, b], upper bounds without +Inf.
        counts: float64[n, b + 1], count of each bucket alone.
    """

    series: NDArray[np.int64]
    ts: NDArray[np.int64]
    count: NDArray[np.float64]
    sum: NDArray[np.float64]
    has_sum: NDArray[np.bool_]
    starts: NDArray[np.int64]
    bounds: NDArray[np.float64]
    counts: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.series)


def parse_samples(data: bytes) -> Points:
    """Parse the answer to `copy_samples`."""
    rows = np.frombuffer(data, SAMPLE, count=(len(data) - HEADER_BYTES) // SAMPLE.itemsize, offset=HEADER_BYTES)
    return Points(rows["series"].astype(np.int64), milliseconds(rows["ts"]), _floats(rows["bits"]))


def parse_starts(data: bytes) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Parse the answer to `copy_start_times`: int64[k] each, series, time and start in milliseconds."""
    rows = np.frombuffer(data, START, count=(len(data) - HEADER_BYTES) // START.itemsize, offset=HEADER_BYTES)
    return rows["series"].astype(np.int64), milliseconds(rows["ts"]), milliseconds(rows["start"])


def parse_histograms(data: bytes) -> list[HistogramPoints]:
    """Parse the answer to `copy_histograms`, grouped by number of buckets."""
    return [_parse_group(data, bounds, at) for bounds, at in _row_starts(data).items()]


def _row_starts(data: bytes) -> dict[int, NDArray[np.int64]]:
    """Find the rows by their number of bounds: their width follows from it alone."""
    starts: dict[int, list[int]] = {}
    at, end = HEADER_BYTES, len(data) - TRAILER_BYTES
    length = struct.Struct(">i")
    while at < end:
        (array_bytes,) = length.unpack_from(data, at + _HEAD_BYTES)
        bounds = max(0, array_bytes - 20) // _ELEMENT_BYTES
        starts.setdefault(bounds, []).append(at)
        at += _histogram_row(bounds).itemsize
    return {bounds: np.array(found, np.int64) for bounds, found in starts.items()}


def _histogram_row(bounds: int) -> np.dtype[np.void]:
    """One row of the query `copy_histograms`; an empty array has no side."""
    element = np.dtype([("length", ">i4"), ("bits", ">u8")])
    return np.dtype(
        [
            *_HISTOGRAM_HEAD,
            ("b", [*_ARRAY_HEADER, *(_SIDE if bounds else [])]),
            ("bounds", element, (bounds,)),
            ("c", [*_ARRAY_HEADER, *_SIDE]),
            ("counts", element, (bounds + 1,)),
        ]
    )


def _parse_group(data: bytes, bounds: int, at: NDArray[np.int64]) -> HistogramPoints:
    layout = _histogram_row(bounds)
    raw = np.frombuffer(data, np.uint8)[at[:, None] + np.arange(layout.itemsize)]
    rows = np.ascontiguousarray(raw).view(layout)[:, 0]
    return HistogramPoints(
        series=rows["series"].astype(np.int64),
        ts=milliseconds(rows["ts"]),
        count=_floats(rows["count"]),
        sum=_floats(rows["sum"]),
        has_sum=rows["has_sum"].astype(np.bool_),
        starts=milliseconds(rows["start"]),
        bounds=_floats(rows["bounds"]["bits"]),
        counts=_floats(rows["counts"]["bits"]),
    )


def milliseconds(microseconds: NDArray[np.int64]) -> NDArray[np.int64]:
    """PostgreSQL's timestamps as Unix time in ms."""
    ts = microseconds.astype(np.int64)
    ts //= 1000
    ts += EPOCH_MS
    return ts


def _floats(bits: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Read floats as integers: a conversion of floats could quiet the signalling NaN that is the stale marker."""
    return bits.astype(np.uint64).view(np.float64)
