"""Rows for COPY BINARY, built as arrays: no Python object per row.

Format: PostgreSQL documentation, COPY, "Binary Format".
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from waferscope_collector.decode.points import Buckets
from waferscope_collector.wire import copying

_EPOCH_MS = 946_684_800_000  # PostgreSQL counts from 2000-01-01

SAMPLE_COLUMNS = ("series_id", "ts", "value")
EXEMPLAR_COLUMNS = ("series_id", "ts", "value", "trace_id", "span_id", "labels")
HISTOGRAM_COLUMNS = (
    *("series_id", "ts", "count", "sum", "min", "max", "schema", "zero_threshold", "zero_count", "custom_bounds"),
    *("positive_spans", "positive_counts", "negative_spans", "negative_counts", "reset_hint", "start"),
)
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
    all_times: NDArray[np.int64]  # Unix time, ms
    starts: NDArray[np.int64]  # Unix time, ms; 0: unknown
    buckets: Buckets
    rows: NDArray[np.intp]  # positions of those to store

    @property
    def times(self) -> NDArray[np.int64]:
        """Times of the rows to store, Unix time, ms."""
        return self.all_times[self.rows]


def sample_rows(samples: Samples) -> bytes:
    """Build rows of samples, columns as in `SAMPLE_COLUMNS`; the bits of NaNs are kept.

    Returns:
        What stands between `cells.HEADER` and `cells.TRAILER`.
    """
    rows = np.empty(len(samples.series_ids), _SAMPLE)
    rows["columns"] = 3
    rows["series_id_size"] = rows["ts_size"] = rows["value_size"] = 8
    rows["series_id"] = samples.series_ids
    rows["ts"] = (samples.times - _EPOCH_MS) * 1000
    rows["value"].view(">u8")[:] = samples.values.view(np.uint64)
    return rows.tobytes()


def histogram_rows(samples: HistogramSamples) -> bytes:
    """Build rows of histograms, columns as in `HISTOGRAM_COLUMNS`.

    Returns:
        What stands between `cells.HEADER` and `cells.TRAILER`.
    """
    buckets = samples.buckets
    rows: NDArray[np.uint8] = copying.histogram_rows(
        samples.series_ids,
        samples.rows,
        samples.all_times,
        samples.starts,
        buckets.scalars,
        buckets.has,
        buckets.shapes,
        buckets.zeros,
        buckets.bounds,
        buckets.bounds_at,
        buckets.spans,
        buckets.spans_at,
        buckets.counts,
        buckets.counts_at,
    )
    return rows.tobytes()
