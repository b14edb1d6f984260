"""Native histograms from the database: rows of `histogram_sample` as a table of histograms, and beside floats."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from waferscope_query.promql.errors import TooManySamplesError
from waferscope_query.promql.evaluation.reset_hints import with_reset_hints
from waferscope_query.promql.evaluation.selecting import known_starts
from waferscope_query.promql.histograms import COUNT, SUM, HistogramCells, HistogramTable
from waferscope_query.promql.labels import LabelFrame
from waferscope_query.promql.memory import take_series
from waferscope_query.promql.source import Samples
from waferscope_query.storage.assemble import merge_labels
from waferscope_query.storage.collapse import Ranks, ranks, winners
from waferscope_query.storage.copied import HEADER_BYTES, TRAILER_BYTES, milliseconds
from waferscope_query.storage.copied_histograms import fill_histograms, measure_histograms
from waferscope_query.storage.runs import Runs

BUCKETS_PER_SAMPLE = 16
"""How many buckets may come with each sample that a query may hold."""


@dataclass(frozen=True, slots=True, eq=False)
class NativeRuns:
    """Histograms of stored series, by series and time, one per timestamp.

    Attributes:
        series: int64[n], stored series ids, ascending; one may have no histograms.
        offsets: int64[n + 1]; series i owns the histograms offsets[i] to offsets[i + 1].
        ts: int64[m], milliseconds.
        starts: int64[m], milliseconds: since when each counts, 0 where nobody told.
        table: The m histograms; the sum of a stale one is the stale marker.
    """

    series: NDArray[np.int64]
    offsets: NDArray[np.int64]
    ts: NDArray[np.int64]
    starts: NDArray[np.int64]
    table: HistogramTable

    def __len__(self) -> int:
        return len(self.ts)

    @property
    def owners(self) -> NDArray[np.int64]:
        """int64[m]: the stored series of each histogram."""
        return np.repeat(self.series, np.diff(self.offsets))

    def numbered(self, first: int = 0) -> Runs:
        """Return the times with the numbers of the histograms, counted from `first`, as the bits of the values."""
        numbers = np.arange(first, first + len(self), dtype=np.int64)
        return Runs(self.series, self.offsets, self.ts, numbers.view(np.float64))


def parse_native(data: bytes, max_samples: int) -> NativeRuns:
    """Parse the answer to `copy_native_histograms` and keep one histogram of each series and time.

    Of duplicates the highest count wins, then the highest sum, then the greatest row.

    Raises:
        TooManySamplesError: The histograms have more buckets than `max_samples` allows.
    """
    raw = np.frombuffer(data, np.uint8)[HEADER_BYTES : max(HEADER_BYTES, len(data) - TRAILER_BYTES)].copy()
    rows, buckets, bounds = measure_histograms(raw)
    if buckets > max_samples * BUCKETS_PER_SAMPLE:
        raise TooManySamplesError
    keys, starts = np.empty((rows, 3), np.int64), np.empty(rows + 1, np.int64)
    table = HistogramTable(
        np.zeros((rows, 9), np.int64),
        np.empty((rows, 4)),
        np.zeros(buckets),
        np.empty(bounds),
        np.zeros(rows + 2, np.int64),
    )
    sets = fill_histograms(raw, keys, starts, table)
    table = table._replace(bound_ends=table.bound_ends[: sets + 1], bounds=table.bounds[: table.bound_ends[sets]])
    series, ts, begun = keys[:, 0].copy(), milliseconds(keys[:, 1]), milliseconds(keys[:, 2])

    def ranks_of(chosen: NDArray[np.intp]) -> Ranks:
        texts = [raw[starts[row] : starts[row + 1]].tobytes() for row in chosen.tolist()]
        place = {text: number for number, text in enumerate(sorted(set(texts)))}
        order = np.array([place[text] for text in texts], np.uint64)
        return order, ranks(table.head[chosen, SUM].copy()), ranks(table.head[chosen, COUNT].copy())

    kept = winners(series, ts, ranks_of)
    known, first = np.unique(series[kept], return_index=True)
    return NativeRuns(known, np.append(first, len(kept)).astype(np.int64), ts[kept], begun[kept], table.take(kept))


def with_natives(
    samples: Samples, labels: LabelFrame, series_ids: NDArray[np.int64], runs: NativeRuns, start_ms: int
) -> Samples:
    """Put native histograms beside the samples of a selection.

    Args:
        samples: The floats of the selection.
        labels: The label sets of n series that may hold histograms.
        series_ids: int64[n], their stored ids.
        runs: Their histograms, from a bit before the selection on, so that the first one in it has its hint, too.
        start_ms: Where the selection begins.

    Returns:
        All samples; where a series has a float and a histogram at the same time, the histogram counts.
    """
    if not len(runs):
        return samples
    own = _samples(labels, series_ids, runs)
    both = _united(samples, own) if len(samples.ts) else own
    return take_series(with_reset_hints(both), np.arange(len(both.labels)), start_ms, int(both.ts.max()))


def _samples(labels: LabelFrame, series_ids: NDArray[np.int64], runs: NativeRuns) -> Samples:
    """Put histograms under their labels."""
    filled = np.diff(runs.offsets) > 0
    order = np.argsort(series_ids)
    rows = order[np.searchsorted(series_ids[order], runs.series[filled])]
    return Samples(
        labels=labels.take(rows),
        offsets=np.append(runs.offsets[:-1][filled], len(runs)).astype(np.int64),
        ts=runs.ts,
        values=runs.table.head[:, SUM].copy(),
        histograms=HistogramCells(runs.table, np.arange(len(runs), dtype=np.int32)),
        starts=runs.starts if runs.starts.any() else None,
    )


def _united(floats: Samples, own: Samples) -> Samples:
    """Unite floats with histograms."""
    assert own.histograms is not None
    merged, numbers = merge_labels([floats.labels, own.labels], own.labels.pool)
    counts = np.concatenate([np.diff(floats.offsets), np.diff(own.offsets)])
    series = np.repeat(numbers, counts)
    ts = np.concatenate([floats.ts, own.ts])
    values = np.concatenate([floats.values, own.values])
    starts = np.concatenate([known_starts(floats), known_starts(own)])
    at = np.concatenate([np.full(len(floats.ts), -1), own.histograms.at]).astype(np.int32)
    sort = np.lexsort((-at, ts, series))
    first = np.ones(len(sort), np.bool_)
    first[1:] = (np.diff(series[sort]) != 0) | (np.diff(ts[sort]) != 0)
    kept = sort[first]
    offsets = np.searchsorted(series[kept], np.arange(len(merged) + 1))
    filled = np.diff(offsets) > 0
    return Samples(
        labels=merged.take(filled),
        offsets=np.append(offsets[:-1][filled], len(kept)).astype(np.int64),
        ts=ts[kept],
        values=values[kept],
        histograms=HistogramCells(own.histograms.table, at[kept]),
        starts=starts[kept] if starts.any() else None,
    )
