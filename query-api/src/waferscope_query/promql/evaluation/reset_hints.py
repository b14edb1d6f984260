"""Counter reset hints: what Prometheus's storage says of each histogram by comparing it with the one before."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from waferscope_query.promql.evaluation.kernels.native import windows
from waferscope_query.promql.histograms import HINT, Hint, HistogramCells
from waferscope_query.promql.source import STALE_BITS, Samples


def with_reset_hints(samples: Samples) -> Samples:
    """Give each histogram the hint that Prometheus would give it; a source calls this before it answers."""
    if samples.histograms is None:
        return samples
    at = samples.histograms.at.astype(np.int64)
    hints = np.zeros(len(at), np.int64)
    stale = samples.values.view(np.uint64) == STALE_BITS
    windows.hints(samples.histograms.table, at, stale, samples.offsets, hints)
    found = at >= 0
    table = samples.histograms.table.take(at[found])
    table.shape[:, HINT] = hints[found]
    rows = np.where(found, np.cumsum(found) - 1, -1).astype(np.int32)
    return replace(samples, histograms=HistogramCells(table, rows))


def without_reset_hints(cells: HistogramCells) -> HistogramCells:
    """The same histograms, gauges known as such: a subquery may have left out those that the hints compare with."""
    table = cells.table.take(np.arange(len(cells.table.shape)))
    table.shape[table.shape[:, HINT] != Hint.GAUGE, HINT] = Hint.UNKNOWN
    return HistogramCells(table, cells.at)
