"""A source that holds its samples in memory, for tests and notebooks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from waferscope_query.promql.errors import TooManySamplesError
from waferscope_query.promql.evaluation.reset_hints import with_reset_hints
from waferscope_query.promql.histograms import Histogram, HistogramCells, histogram_table
from waferscope_query.promql.history import RollupSelection
from waferscope_query.promql.labels import LabelFrame, StringPool
from waferscope_query.promql.matchers import Matcher, select_rows
from waferscope_query.promql.source import Metadata, Rollups, Samples, Selection


class MemorySource:
    """Series given once as label sets with their samples.

    Args:
        series: Pairs of a label set (`__name__` included) and its samples: timestamps in ms ascending, and
            values, each a float or a histogram.
        metadata: What `metadata` answers.
        starts: Of each series its samples' start timestamps in ms, 0 where there is none; none at all may be given.
    """

    def __init__(
        self,
        series: Sequence[tuple[Mapping[str, str], Sequence[int], Sequence[float | Histogram]]],
        metadata: Sequence[Metadata] = (),
        starts: Sequence[Sequence[int]] = (),
    ) -> None:
        self.pool = StringPool()
        self._metadata = tuple(metadata)
        lengths = [len(ts) for _, ts, _ in series]
        values = [value for _, _, values in series for value in values]
        self._all = with_reset_hints(
            Samples(
                labels=LabelFrame.from_dicts([labels for labels, _, _ in series], self.pool),
                offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
                ts=np.concatenate([np.zeros(0), *(ts for _, ts, _ in series)]).astype(np.int64),
                values=np.array([one.sum if isinstance(one, Histogram) else one for one in values], np.float64),
                histograms=_cells(values),
                starts=np.array([start for one in starts for start in one], np.int64) if starts else None,
            )
        )

    async def select(self, selections: Sequence[Selection], max_samples: int) -> list[Samples]:
        """Fetch all selections (see `Source.select`)."""
        fetched = [self._select_one(selection) for selection in selections]
        if sum(len(samples.ts) for samples in fetched) > max_samples:
            raise TooManySamplesError
        return fetched

    async def borders(self) -> None:
        """Memory drops nothing (see `Source.borders`)."""

    async def rollups(self, selections: Sequence[RollupSelection], max_samples: int) -> list[Rollups]:
        """Memory has no rollups, and no border from which on they would be asked for."""
        raise NotImplementedError

    def _select_one(self, selection: Selection) -> Samples:
        rows = np.flatnonzero(select_rows(self._all.labels, selection.matchers))
        taken = take_series(self._all, rows, selection.start_ms, selection.end_ms)
        return taken if selection.starts else replace(taken, starts=None)

    def _matching(self, matcher_sets: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int) -> LabelFrame:
        frame = self._all.labels
        keep = np.full(len(frame), not matcher_sets)
        for matchers in matcher_sets:
            keep |= select_rows(frame, matchers)
        samples = take_series(self._all, np.flatnonzero(keep), start_ms, end_ms)
        return samples.labels.take(np.diff(samples.offsets) > 0)

    async def label_names(self, matcher_sets: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int) -> list[str]:
        """Sorted names of the labels of the matching series."""
        frame = self._matching(matcher_sets, start_ms, end_ms)
        return [name for name in frame.names if frame.column(name).any()]

    async def label_values(
        self, name: str, matcher_sets: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int
    ) -> list[str]:
        """Sorted values of one label over the matching series."""
        return sorted(set(self._matching(matcher_sets, start_ms, end_ms).texts(name)) - {""})

    async def series(self, matcher_sets: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int) -> LabelFrame:
        """The matching label sets, each once."""
        return self._matching(matcher_sets, start_ms, end_ms)

    async def metadata(self, metric: str | None = None) -> list[Metadata]:
        """What is known of one metric or of all."""
        return [known for known in self._metadata if metric in (None, known.metric)]


def _cells(values: Iterable[float | Histogram]) -> HistogramCells | None:
    """Put the histograms among some values into a table."""
    values = list(values)
    is_histogram = np.array([isinstance(one, Histogram) for one in values], np.bool_)
    if not is_histogram.any():
        return None
    table = histogram_table([one for one in values if isinstance(one, Histogram)])
    return HistogramCells(table, np.where(is_histogram, np.cumsum(is_histogram) - 1, -1).astype(np.int32))


def take_series(samples: Samples, rows: NDArray[np.intp], start_ms: int, end_ms: int) -> Samples:
    """Select series by index and cut their samples to a time range, both ends inclusive."""
    counts = samples.offsets[rows + 1] - samples.offsets[rows]
    starts = np.concatenate([[0], np.cumsum(counts)])
    index = np.arange(starts[-1]) + np.repeat(samples.offsets[rows] - starts[:-1], counts)
    inside = (samples.ts[index] >= start_ms) & (samples.ts[index] <= end_ms)
    kept = index[inside]
    return Samples(
        labels=samples.labels.take(rows),
        offsets=np.concatenate([[0], np.cumsum(inside)])[starts].astype(np.int64),
        ts=samples.ts[kept],
        values=samples.values[kept],
        histograms=None if samples.histograms is None else samples.histograms.take(kept),
        starts=None if samples.starts is None else samples.starts[kept],
    )
