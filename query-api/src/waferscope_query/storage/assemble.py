"""From points of stored series to the samples of presented ones."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from waferscope_query.promql.errors import TooManySamplesError
from waferscope_query.promql.labels import LabelFrame, Strings
from waferscope_query.promql.matchers import Matcher
from waferscope_query.promql.source import Samples
from waferscope_query.storage.arrays import positions
from waferscope_query.storage.collapse import collapse
from waferscope_query.storage.copied import Points
from waferscope_query.storage.index import BUCKET_LABEL, OWN_PARTS, Found, Part
from waferscope_query.storage.runs import Runs
from waferscope_query.storage.virtual import CODE_BITS, CODES, COUNT, FIRST_BUCKET, SUM, BucketLabels


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """What was read for a selection.

    Attributes:
        plain: Samples of plain series; None where there are none.
        classic: Those of the series that histograms are shown as, by their keys (see `virtual`); None where there are
            none.
        max_samples: Samples that may come of it at most.
    """

    plain: Runs | None
    classic: Runs | None
    max_samples: int


def assemble(found: Found, read: Read, labels: BucketLabels) -> Samples:
    """Put what was read under its labels.

    Args:
        found: The rows of the index that a selection names.
        read: What is wanted of them.
        labels: Knows the `le` of keys.

    Returns:
        The samples of every series that has any.

    Raises:
        TooManySamplesError: There are more samples than allowed.
    """
    pieces = [] if read.plain is None or not len(read.plain) else [_plain_samples(found, read.plain)]
    if read.classic is not None and len(read.classic):
        pieces.append(_classic_samples(found, read.classic, labels))
    if sum(len(piece.ts) for piece in pieces) > read.max_samples:
        raise TooManySamplesError
    if not pieces:
        return no_samples(labels.pool)
    if len(pieces) == 1 and not (read.classic is not None and _carries_bounds(found)):
        return pieces[0]
    return _merged(pieces)


def no_samples(pool: Strings) -> Samples:
    """Samples of no series."""
    return Samples(LabelFrame.empty(pool), np.zeros(1, np.int64), np.zeros(0, np.int64), np.zeros(0))


def _plain_samples(found: Found, runs: Runs) -> Samples:
    """Put samples under their labels where each series has one label set."""
    filled = np.diff(runs.offsets) > 0
    plain = np.flatnonzero(np.isin(found.parts, OWN_PARTS))
    rows = plain[np.argsort(found.series_ids[plain])]
    rows = rows[positions(found.series_ids[rows], runs.series[filled])[1]]
    return Samples(found.labels.take(rows), np.append(runs.offsets[:-1][filled], len(runs)), runs.ts, runs.values)


def _classic_samples(found: Found, runs: Runs, labels: BucketLabels) -> Samples:
    """Put the series of histograms under their labels."""
    filled = np.diff(runs.offsets) > 0
    keys = runs.series[filled]
    stored, codes = keys >> CODE_BITS, keys & CODES
    parts = np.select([codes == SUM, codes == COUNT], [Part.SUM, Part.COUNT], Part.BUCKET)
    rows = np.empty(len(keys), np.intp)
    for part in (Part.SUM, Part.COUNT, Part.BUCKET):
        shown, own = parts == part, np.flatnonzero(found.parts == part)
        if shown.any():
            own = own[np.argsort(found.series_ids[own])]
            rows[shown] = own[positions(stored[shown], found.series_ids[own])[0]]
    frame = found.labels.take(rows)
    if (buckets := parts == Part.BUCKET).any():
        bounds = frame.column(BUCKET_LABEL).copy()
        bounds[buckets] = labels.texts()[codes[buckets] - FIRST_BUCKET]
        frame = frame.assign(BUCKET_LABEL, bounds)
    return Samples(frame, np.append(runs.offsets[:-1][filled], len(runs)), runs.ts, runs.values)


def _carries_bounds(found: Found) -> bool:
    """Whether histograms have a label `le` of their own: then several may be shown as the same buckets."""
    return bool(found.labels.column(BUCKET_LABEL)[found.parts == Part.BUCKET].any())


def bucket_matchers(matchers: Sequence[Matcher]) -> list[Matcher]:
    """Give the conditions that the index leaves open."""
    return [matcher for matcher in matchers if matcher.name == BUCKET_LABEL]


def merge_labels(frames: Sequence[LabelFrame], pool: Strings) -> tuple[LabelFrame, NDArray[np.intp]]:
    """Unite label sets.

    Args:
        frames: At least one.
        pool: What all codes mean.

    Returns:
        The distinct label sets, and for every row of the frames, one after the other, its row among them.
    """
    names = tuple(sorted({name for frame in frames for name in frame.names}))
    codes = np.concatenate([frame.widen(names).codes for frame in frames])
    distinct, inverse = np.unique(codes, axis=0, return_inverse=True)
    return LabelFrame(names, distinct, pool), inverse.reshape(-1)


def _merged(pieces: Sequence[Samples]) -> Samples:
    """Let each label set be one series."""
    labels, numbers = merge_labels([piece.labels for piece in pieces], pieces[0].labels.pool)
    counts = np.concatenate([np.diff(piece.offsets) for piece in pieces])
    points = collapse(
        Points(
            np.repeat(numbers, counts).astype(np.int64),
            np.concatenate([piece.ts for piece in pieces]),
            np.concatenate([piece.values for piece in pieces]),
        )
    )
    offsets = np.searchsorted(points.series, np.arange(len(labels) + 1)).astype(np.int64)
    return Samples(labels, offsets, points.ts, points.values)
