"""From points of stored series to the samples of presented ones."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from waferscope_query.promql.errors import TooManySamplesError
from waferscope_query.promql.labels import LabelFrame, Strings
from waferscope_query.promql.matchers import Matcher
from waferscope_query.promql.source import Samples
from waferscope_query.storage.arrays import positions
from waferscope_query.storage.classic import ClassicPoints
from waferscope_query.storage.collapse import collapse
from waferscope_query.storage.copied import Points
from waferscope_query.storage.index import BUCKET_LABEL, OWN_PARTS, Found, Part
from waferscope_query.storage.runs import Runs

Piece = tuple[LabelFrame, Points]
"""Label sets, and points whose `series` is a row of them."""

_NONE = Points(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """What was read for a selection.

    Attributes:
        plain: Samples of plain series; None where there are none.
        histograms: Points of histograms.
        max_samples: Samples that may come of it at most: one point of a histogram is many.
    """

    plain: Runs | None
    histograms: Sequence[ClassicPoints]
    max_samples: int


def assemble(found: Found, read: Read, matchers: Sequence[Matcher], pool: Strings) -> Samples:
    """Put what was read under its labels.

    Args:
        found: The rows of the index that a selection names.
        read: Their points.
        matchers: The selection's; those on `le` are applied here to buckets.
        pool: Interns the values of `le`.

    Returns:
        The samples of every series that has any.

    Raises:
        TooManySamplesError: There are more samples than allowed.
    """
    if read.plain is not None and not read.histograms:
        return _plain_samples(found, read.plain)
    pieces = list(_classic_pieces(found, read.histograms, bucket_matchers(matchers), pool))
    if read.plain is not None:
        pieces.append(_piece(found.take(np.isin(found.parts, OWN_PARTS)), read.plain.points()))
    if sum(len(points) for _, points in pieces) > read.max_samples:
        raise TooManySamplesError
    return _samples(*_merge(pieces, pool))


def _plain_samples(found: Found, runs: Runs) -> Samples:
    """Put samples under their labels where each series has one label set."""
    filled = np.diff(runs.offsets) > 0
    plain = np.flatnonzero(np.isin(found.parts, OWN_PARTS))
    rows = plain[np.argsort(found.series_ids[plain])]
    rows = rows[positions(found.series_ids[rows], runs.series[filled])[1]]
    return Samples(found.labels.take(rows), np.append(runs.offsets[:-1][filled], len(runs)), runs.ts, runs.values)


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


def _classic_pieces(
    found: Found, histograms: Iterable[ClassicPoints], matchers: Sequence[Matcher], pool: Strings
) -> Iterator[Piece]:
    for points in histograms:
        buckets = found.take(found.parts == Part.BUCKET)
        for column, le in enumerate(points.le if len(buckets) else ()):
            if all(matcher.matches(le) for matcher in matchers):
                labels, values = _piece(buckets, Points(points.series, points.ts, points.buckets[:, column]))
                yield labels.assign(BUCKET_LABEL, np.full(len(labels), pool.code(le), np.int32)), values
        given = points.has_sum
        yield _piece(
            found.take(found.parts == Part.SUM), Points(points.series[given], points.ts[given], points.sum[given])
        )
        yield _piece(found.take(found.parts == Part.COUNT), Points(points.series, points.ts, points.count))


def _piece(found: Found, points: Points) -> Piece:
    """Number points by their row in `found`, sorted by stored series; points of other series fall away."""
    order = np.argsort(found.series_ids)
    begins = np.flatnonzero(np.diff(points.series, prepend=-1))  # runs of one series, a hundredth of the points
    lengths = np.diff(begins, append=len(points))
    rows, known = positions(points.series[begins], found.series_ids[order])
    labels, numbers = found.labels.take(order), np.repeat(rows.astype(np.int64), lengths)
    if known.all():
        return labels, Points(numbers, points.ts, points.values)
    kept = np.repeat(known, lengths)
    return labels, Points(numbers[kept], points.ts[kept], points.values[kept])


def _merge(pieces: Sequence[Piece], pool: Strings) -> Piece:
    """Make one piece with distinct label sets: a series whose bounds changed, or one told in two ways, is one again."""
    filled = [(labels, points) for labels, points in pieces if len(points)]
    if not filled:
        return LabelFrame.empty(pool), _NONE
    if len(filled) == 1:
        return filled[0]
    labels, numbers = merge_labels([labels for labels, _ in filled], pool)
    first = np.cumsum([0, *(len(labels) for labels, _ in filled)])
    series = [numbers[start + points.series] for start, (_, points) in zip(first, filled, strict=False)]
    return labels, collapse(
        Points(
            np.concatenate(series).astype(np.int64),
            np.concatenate([points.ts for _, points in filled]),
            np.concatenate([points.values for _, points in filled]),
        )
    )


def _samples(labels: LabelFrame, points: Points) -> Samples:
    offsets = np.searchsorted(points.series, np.arange(len(labels) + 1))
    filled = np.diff(offsets) > 0
    return Samples(
        labels=labels.take(filled),
        offsets=np.append(offsets[:-1][filled], len(points)).astype(np.int64),
        ts=points.ts,
        values=points.values,
    )
