"""Rows for COPY BINARY, built as numpy structured arrays: no Python object per row.

Format: PostgreSQL documentation, COPY, "Binary Format".
"""

from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from waferscope_collector.decode.points import NANOS_PER_MS, HistogramPoint

_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)  # no flags, no extension
_TRAILER = b"\xff\xff"
_EPOCH_MS = 946_684_800_000  # PostgreSQL counts from 2000-01-01
_FLOAT8_OID, _INT4_OID = 701, 23

SAMPLE_COLUMNS = ("series_id", "ts", "value")
HISTOGRAM_COLUMNS = (
    *("series_id", "ts", "count", "sum", "min", "max", "schema", "zero_threshold", "zero_count", "custom_bounds"),
    *("positive_spans", "positive_counts", "negative_spans", "negative_counts", "reset_hint", "start"),
)
_ARRAYS = {
    "custom_bounds": ("bounds", ">f8", _FLOAT8_OID),
    "positive_spans": ("positive_spans", ">i4", _INT4_OID),
    "positive_counts": ("positive_counts", ">f8", _FLOAT8_OID),
    "negative_spans": ("negative_spans", ">i4", _INT4_OID),
    "negative_counts": ("negative_counts", ">f8", _FLOAT8_OID),
}
_SCALARS = {
    **dict.fromkeys(("series_id", "ts", "start"), ">i8"),
    **dict.fromkeys(("schema", "reset_hint"), ">i2"),
    **dict.fromkeys(("count", "sum", "min", "max", "zero_threshold", "zero_count"), ">f8"),
}

_SAMPLE = np.dtype(
    [
        *(("columns", ">i2"), ("series_id_size", ">i4"), ("series_id", ">i8")),
        *(("ts_size", ">i4"), ("ts", ">i8"), ("value_size", ">i4"), ("value", ">f8")),
    ]
)


@dataclass(frozen=True, slots=True)
class Samples:
    """Rows of the table sample, as parallel arrays."""

    series_ids: NDArray[np.int64]
    times: NDArray[np.int64]  # Unix time, ms
    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class HistogramSamples:
    """Rows of the table histogram_sample, as parallel arrays."""

    series_ids: NDArray[np.int64]
    times: NDArray[np.int64]  # Unix time, ms
    starts: NDArray[np.int64]  # Unix time, ms; 0: unknown
    points: list[HistogramPoint]


def milliseconds(nanos: NDArray[np.int64]) -> NDArray[np.int64]:
    """Cut nanoseconds to the milliseconds that samples are stored with."""
    return nanos // NANOS_PER_MS


def sample_rows(samples: Samples) -> bytes:
    """Build the COPY of samples, columns as in `SAMPLE_COLUMNS`; the bits of NaNs are kept."""
    rows = np.empty(len(samples.series_ids), _SAMPLE)
    rows["columns"] = 3
    rows["series_id_size"] = rows["ts_size"] = rows["value_size"] = 8
    rows["series_id"] = samples.series_ids
    rows["ts"] = (samples.times - _EPOCH_MS) * 1000
    rows["value"].view(">u8")[:] = samples.values.view(np.uint64)
    return b"".join((_HEADER, rows.tobytes(), _TRAILER))


def histogram_rows(samples: HistogramSamples) -> bytes:
    """Build the COPY of histograms, columns as in `HISTOGRAM_COLUMNS`; rows of equal shape are built at once."""
    by_shape: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for position, (point, start) in enumerate(zip(samples.points, samples.starts.tolist(), strict=True)):
        by_shape[_shape(point, start)].append(position)
    blocks = [_histogram_block(samples, shape, np.array(positions)) for shape, positions in by_shape.items()]
    return b"".join((_HEADER, *blocks, _TRAILER))


def _shape(point: HistogramPoint, start: int) -> tuple[int, ...]:
    """Tell which of the columns that may be null are there, and how long the arrays are."""
    return (
        *(point.sum is not None, point.min is not None, point.max is not None, start != 0),
        *(len(point.bounds), len(point.positive_spans), len(point.positive_counts)),
        *(len(point.negative_spans), len(point.negative_counts)),
    )


def _histogram_block(samples: HistogramSamples, shape: tuple[int, ...], positions: NDArray[np.intp]) -> bytes:
    rows = np.tile(_blank_row(shape), len(positions))
    points = [samples.points[position] for position in positions]
    rows["series_id"] = samples.series_ids[positions]
    rows["ts"] = (samples.times[positions] - _EPOCH_MS) * 1000
    names = set(rows.dtype.names or ())
    if "start" in names:
        rows["start"] = (samples.starts[positions] - _EPOCH_MS) * 1000
    for name in ("count", "min", "max", "schema", "zero_threshold", "zero_count", "reset_hint"):
        if name in names:
            rows[name] = [getattr(point, name) for point in points]
    if "sum" in names:  # may be a stale marker, whose bits must stay
        rows["sum"].view(">u8")[:] = np.array([point.sum for point in points], np.float64).view(np.uint64)
    for name, (attribute, _, _) in _ARRAYS.items():
        if "items" in (rows.dtype[name].names or ()):
            rows[name]["items"]["value"] = [getattr(point, attribute) for point in points]
    return rows.tobytes()


@lru_cache(maxsize=1024)
def _blank_row(shape: tuple[int, ...]) -> NDArray[np.void]:
    """Return one row of a shape with its sizes and array headers filled in."""
    nulls = {name for name, there in zip(("sum", "min", "max", "start"), shape, strict=False) if not there}
    lengths = dict(zip(_ARRAYS, shape[4:], strict=True))
    fields: list[tuple[str, Any]] = [("columns", ">i2")]
    for name in HISTOGRAM_COLUMNS:
        fields.append((f"{name}_size", ">i4"))
        if name in lengths:
            fields.append((name, _array(name, lengths[name])))
        elif name not in nulls:
            fields.append((name, _SCALARS[name]))
    row = np.zeros(1, np.dtype(fields))
    row["columns"] = len(HISTOGRAM_COLUMNS)
    for name in HISTOGRAM_COLUMNS:
        row[f"{name}_size"] = -1 if name in nulls else row.dtype[name].itemsize
    for name, length in lengths.items():
        _, kind, oid = _ARRAYS[name]
        row[name]["oid"] = oid
        if length:
            row[name]["dimensions"] = 1
            row[name]["length"] = length
            row[name]["lower"] = 1
            row[name]["items"]["size"] = np.dtype(kind).itemsize
    return row


def _array(name: str, length: int) -> np.dtype[np.void]:
    """Return the type of a one-dimensional array without nulls; an empty one has no dimension."""
    _, kind, _ = _ARRAYS[name]
    head: list[Any] = [("dimensions", ">i4"), ("nulls", ">i4"), ("oid", ">i4")]
    if length:
        item = np.dtype([("size", ">i4"), ("value", kind)])
        head += [("length", ">i4"), ("lower", ">i4"), ("items", item, (length,))]
    return np.dtype(head)
