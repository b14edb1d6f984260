"""Start timestamps of samples: stored series tell when they began anew, step functions that are laid over samples."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from waferscope_query.promql.evaluation.kernels.compiling import kernel
from waferscope_query.promql.evaluation.kernels.types import Ints
from waferscope_query.promql.source import Samples
from waferscope_query.storage.arrays import ranges
from waferscope_query.storage.assemble import merge_labels
from waferscope_query.storage.classic import ClassicPoints
from waferscope_query.storage.index import BUCKET_LABEL, OWN_PARTS, Found, Part
from waferscope_query.storage.runs import Runs


@dataclass(frozen=True, slots=True, eq=False)
class Starts:
    """When series began to count, one entry per change, in any order.

    Attributes:
        series: int64[k], stored series ids.
        ts: int64[k], milliseconds: the first sample that an entry holds for.
        starts: int64[k], milliseconds; 0 where nobody tells any more.
    """

    series: NDArray[np.int64]
    ts: NDArray[np.int64]
    starts: NDArray[np.int64]


NOTHING_TOLD = Starts(*(np.zeros(0, np.int64),) * 3)


def with_starts(
    samples: Samples, found: Found, plain: Runs | None, histograms: Sequence[ClassicPoints], told: Starts
) -> Samples:
    """Tell samples since when they count.

    Args:
        samples: What `assemble` made of what was read.
        found: The rows of the index that were read.
        plain: Samples of plain series that were read.
        histograms: The histograms that were read; they tell their starts themselves.
        told: What plain series told.

    Returns:
        The same samples; without starts where nobody told any.
    """
    classic = _changes(histograms)
    if not len(told.series) and not len(classic.series):
        return samples
    rows, ts, starts = [], [], []
    for entries, (owned, owners) in _owned(samples, found, plain, told, classic):
        order = np.lexsort((entries.ts, entries.series))
        series = entries.series[order]
        begin, end = np.searchsorted(series, owners), np.searchsorted(series, owners, "right")
        chosen = order[ranges(begin, end - begin)]
        rows.append(np.repeat(owned, end - begin))
        ts.append(entries.ts[chosen])
        starts.append(entries.starts[chosen])
    row, at, start = (np.concatenate(column).astype(np.int64) for column in (rows, ts, starts))
    order = np.lexsort((start, at, row))
    bounds = np.searchsorted(row[order], np.arange(len(samples.labels) + 1)).astype(np.int64)
    out = np.zeros(len(samples.ts), np.int64)
    lay(samples.offsets, samples.ts, bounds, at[order], start[order], out)
    return replace(samples, starts=out)


Owned = tuple[NDArray[np.intp], NDArray[np.int64]]
"""Rows of the samples, and the stored series that each shows; a row may come several times."""


def _owned(
    samples: Samples, found: Found, plain: Runs | None, told: Starts, classic: Starts
) -> list[tuple[Starts, Owned]]:
    """Lead from entries to the rows of the samples that they are about."""
    if plain is not None and not len(classic.series):
        series = plain.series[np.diff(plain.offsets) > 0]
        return [(told, (np.arange(len(series)), series))]  # nothing was merged: rows are series, in their order
    bucket = found.parts == Part.BUCKET
    is_plain = np.isin(found.parts, OWN_PARTS)
    whole = found.take(~bucket & ~is_plain)
    bare = replace(samples, labels=samples.labels.drop([BUCKET_LABEL]))
    return [
        (told, _shown(samples, found.take(is_plain))),
        (classic, _shown(samples, whole)),
        (classic, _shown(bare, found.take(bucket))),
    ]


def _shown(samples: Samples, found: Found) -> Owned:
    """Find the rows of the samples that have the labels of rows of the index."""
    if not len(found):
        return np.zeros(0, np.intp), np.zeros(0, np.int64)
    _, numbers = merge_labels([samples.labels, found.labels], samples.labels.pool)
    own, wanted = numbers[: len(samples.labels)], numbers[len(samples.labels) :]
    order = np.argsort(own)
    begin, end = np.searchsorted(own[order], wanted), np.searchsorted(own[order], wanted, "right")
    return order[ranges(begin, end - begin)], np.repeat(found.series_ids, end - begin)


def _changes(histograms: Sequence[ClassicPoints]) -> Starts:
    """Find where the starts of histograms change."""
    columns = [(NOTHING_TOLD.series, NOTHING_TOLD.ts, NOTHING_TOLD.starts)]
    for points in histograms:
        changed = (np.diff(points.series, prepend=-1) != 0) | (np.diff(points.starts, prepend=0) != 0)
        columns.append((points.series[changed], points.ts[changed], points.starts[changed]))
    series, ts, starts = (np.concatenate(column) for column in zip(*columns, strict=True))
    return Starts(series, ts, starts) if starts.any() else NOTHING_TOLD


@kernel
def lay(offsets: Ints, ts: Ints, bounds: Ints, at: Ints, starts: Ints, out: Ints) -> None:  # noqa: PLR0917, compiled
    """Fill the start of every sample: that of the last entry up to it; series i has the entries from bounds[i] on."""
    for i in range(len(offsets) - 1):
        k, current = bounds[i], 0
        for m in range(offsets[i], offsets[i + 1]):
            while k < bounds[i + 1] and at[k] <= ts[m]:
                current = starts[k]
                k += 1
            out[m] = current
