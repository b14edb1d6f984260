"""The index of series: label sets as arrays of interned ids, posting lists per label pair.

One row is one *presentation* of a stored series: a plain series has one, a histogram is presented under its own name as
a native histogram, and, if it has explicit bounds from OTLP, as the classic `x_bucket`, `x_sum` and `x_count` as well.
The label `le` of `x_bucket` is not in the index: the bounds stand in the samples.
"""

import enum
import heapq
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from waferscope_query.promql.labels import METRIC_NAME, Codes, LabelFrame, StringPool
from waferscope_query.promql.matchers import Matcher, MatchOp
from waferscope_query.promql.source import Metadata
from waferscope_query.storage.arrays import GrowingArray, positions, ranges
from waferscope_query.storage.postings import Postings, Rows

BUCKET_LABEL = "le"


class Part(enum.IntEnum):
    """What a row of the index shows of its series."""

    PLAIN = 0
    BUCKET = 1
    SUM = 2
    COUNT = 3
    NATIVE = 4  # under its own name: histograms, and floats where such came, too
    EITHER = 5  # of a series whose kind nobody told: floats, histograms or both


OWN_PARTS = (Part.PLAIN, Part.NATIVE, Part.EITHER)
"""What is shown under a series' own name: of each series one row."""

Presented = tuple[int, Part, Mapping[str, str]]
"""A row of the index: stored series, part, label set with `__name__`."""

_PARTS = {"histogram": Part.NATIVE, "unknown": Part.EITHER}  # by kind
_OWN_LABELS = 2  # looking at the labels of a row takes as much as going through so many of a posting list
_SUFFIXES = {Part.BUCKET: "_bucket", Part.SUM: "_sum", Part.COUNT: "_count"}


@dataclass(frozen=True, slots=True)
class StoredSeries:
    """A row of `wafer.series`, on its way into the index."""

    series_id: int
    metric: str
    labels: Mapping[str, str]
    kind: str
    unit: str
    help: str
    classic: bool = False  # of a histogram: whether it is shown as x_bucket, x_sum and x_count as well


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Rows of the index, as arrays.

    Attributes:
        labels: The n label sets; rows of part BUCKET lack `le`.
        series_ids: int64[n], the stored series that each row shows.
        parts: int8[n], see `Part`.
    """

    labels: LabelFrame
    series_ids: NDArray[np.int64]
    parts: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.series_ids)

    def take(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> "Found":
        """Select rows by index or mask."""
        return Found(self.labels.take(rows), self.series_ids[rows], self.parts[rows])


@dataclass(frozen=True, slots=True)
class Statistics:
    """Where the series come from: names with their counts, the largest first.

    Attributes:
        pairs: Distinct pairs of label and value.
        by_metric: Series of each metric.
        values_by_label: Distinct values of each label.
        bytes_by_label: Bytes of these values.
        by_pair: Series of each pair.
    """

    pairs: int
    by_metric: list[tuple[str, int]]
    values_by_label: list[tuple[str, int]]
    bytes_by_label: list[tuple[str, int]]
    by_pair: list[tuple[str, int]]


@dataclass(frozen=True, slots=True, eq=False)
class _Choice:
    """What a matcher chooses.

    Attributes:
        matcher: The condition.
        keeps: Whether rows with the values pass; otherwise all others do.
        postings: Of its label.
        values: Of the label.
    """

    matcher: Matcher
    keeps: bool
    postings: Postings
    values: Codes

    @property
    def size(self) -> int:
        """How many rows carry the values."""
        return self.postings.size_of(self.values)

    def rows(self) -> Rows:
        """The rows that carry them."""
        return self.postings.rows_of(self.values)


class SeriesIndex:
    """All series of a site, held in memory; safe to use from several threads.

    Args:
        pool: Interns label names and values.
    """

    def __init__(self, pool: StringPool) -> None:
        self._pool = pool
        self._lock = threading.Lock()
        self._series_ids = GrowingArray[np.int64](np.int64)
        self._parts = GrowingArray[np.int8](np.int8)
        self._ends = GrowingArray[np.int64](np.int64)  # of a row's slice of the two arrays of codes
        self._name_codes = GrowingArray[np.int32](np.int32)
        self._value_codes = GrowingArray[np.int32](np.int32)
        self._postings: dict[int, Postings] = {}
        self._newest_id = -1
        self._metadata: dict[tuple[str, str], Metadata] = {}

    def __len__(self) -> int:
        """Number of presented series; a classic histogram counts as four."""
        return len(self._series_ids)

    # Filling ---------------------------------------------------------------------------------------------------------

    def add(self, batch: Sequence[StoredSeries]) -> None:
        """Add stored series; those that are known already change nothing but the metadata."""
        with self._lock:
            for series in batch:
                self._metadata[series.metric, series.kind] = Metadata(
                    series.metric, series.kind, series.unit, series.help
                )
            presented = [row for series in self._unknown(batch) for row in _present(series)]
            presented += [row for series in self._newly_classic(batch) for row in _classic(series)]
            if presented:
                self._append(presented)

    def _unknown(self, batch: Sequence[StoredSeries]) -> Iterator[StoredSeries]:
        """Leave out what the index holds: the feed may show a series again, for example when its help text changed."""
        ids = np.array([series.series_id for series in batch], np.int64)
        repeated: set[int] = set()
        if np.any(ids <= self._newest_id):
            repeated = set(np.intersect1d(ids, self._series_ids.view).tolist())
        self._newest_id = max(self._newest_id, int(ids.max(initial=self._newest_id)))
        return (series for series in batch if series.series_id not in repeated)

    def _newly_classic(self, batch: Sequence[StoredSeries]) -> Iterator[StoredSeries]:
        """Find what the index holds as native histograms only."""
        ids = np.array([series.series_id for series in batch if series.classic], np.int64)
        ids = np.intersect1d(ids, self._series_ids.view)
        shown = self._series_ids.view[self._parts.view == Part.BUCKET] if len(ids) else ids
        missing: set[int] = set(np.setdiff1d(ids, shown).tolist())
        return (series for series in batch if series.series_id in missing)

    def _append(self, presented: list[Presented]) -> None:
        code = self._pool.code
        first = len(self)
        counts = np.array([len(labels) for _, _, labels in presented], np.int64)
        names = np.array([code(name) for _, _, labels in presented for name in labels], np.int32)
        values = np.array([code(value) for _, _, labels in presented for value in labels.values()], np.int32)
        self._ends.extend(len(self._name_codes) + np.cumsum(counts))
        self._name_codes.extend(names)
        self._value_codes.extend(values)
        self._post(names, values, np.repeat(np.arange(first, first + len(presented), dtype=np.int32), counts))
        self._parts.extend(np.array([part for _, part, _ in presented], np.int8))
        self._series_ids.extend(np.array([series_id for series_id, _, _ in presented], np.int64))

    def _post(self, names: Codes, values: Codes, rows: Rows) -> None:
        order = np.argsort(names, kind="stable")
        distinct, first = np.unique(names[order], return_index=True)
        for name, chosen in zip(distinct.tolist(), np.split(order, first[1:]), strict=True):
            self._postings.setdefault(name, Postings()).add(values[chosen], rows[chosen])

    # Asking ----------------------------------------------------------------------------------------------------------

    def find(self, matchers: Iterable[Matcher]) -> Found:
        """Rows that satisfy all matchers; conditions on `le` are left open for rows of part BUCKET."""
        with self._lock:
            return self._found(self._match(list(matchers)))

    def histograms(self) -> NDArray[np.int64]:
        """Stored series that are presented as buckets."""
        with self._lock:
            buckets = np.flatnonzero(self._parts.view == Part.BUCKET)
            return self._series_ids.view.take(buckets)

    def everything(self) -> Found:
        """All rows, without their labels."""
        with self._lock:
            ids, parts = self._series_ids.view.copy(), self._parts.view.copy()
            return Found(LabelFrame.blank(len(ids), self._pool), ids, parts)

    @property
    def stored(self) -> int:
        """Number of stored series."""
        with self._lock:
            return int(np.isin(self._parts.view, OWN_PARTS).sum())

    def label_names(self) -> list[str]:
        """All label names, unsorted."""
        with self._lock:
            names = {self._pool.text(name) for name in self._postings}
            return [*names | {BUCKET_LABEL}] if (self._parts.view == Part.BUCKET).any() else [*names]

    def label_values(self, name: str) -> list[str]:
        """All values of one label, unsorted, without the `le` of histograms."""
        with self._lock:
            postings = self._posting(name)
            return [] if postings is None else [self._pool.text(code) for code in postings.values().tolist()]

    def statistics(self, limit: int) -> "Statistics":
        """Count series and labels; of each kind the largest, up to a limit."""
        with self._lock:
            counted = {
                self._pool.text(name): dict(zip(map(self._pool.text, values.tolist()), counts.tolist(), strict=True))
                for name, postings in self._postings.items()
                for values, counts in [postings.counts()]
            }
        sizes = ((name, sum(len(value.encode()) for value in values)) for name, values in counted.items())
        pairs = ((f"{name}={value}", count) for name, values in counted.items() for value, count in values.items())
        return Statistics(
            pairs=sum(map(len, counted.values())),
            by_metric=_largest(counted.get(METRIC_NAME, {}).items(), limit),
            values_by_label=_largest(((name, len(values)) for name, values in counted.items()), limit),
            bytes_by_label=_largest(sizes, limit),
            by_pair=_largest(pairs, limit),
        )

    def metadata(self, metric: str | None = None) -> list[Metadata]:
        """What is known of one metric or of all, sorted by metric."""
        with self._lock:
            known = sorted(self._metadata.items())
        return [entry for _, entry in known if metric in (None, entry.metric)]

    def _match(self, matchers: list[Matcher]) -> Rows:
        open_ended = [matcher for matcher in matchers if matcher.name == BUCKET_LABEL]
        closed = [matcher for matcher in matchers if matcher.name != BUCKET_LABEL]
        choices = sorted((self._choice(matcher) for matcher in closed), key=lambda one: (not one.keeps, one.size))
        first = choices.pop(0) if choices and choices[0].keeps else None
        rows = np.arange(len(self), dtype=np.int32) if first is None else first.rows()
        for choice in choices:
            rows = rows[self._passing(rows, choice)]
        for matcher in open_ended:
            fits = matcher.matches_codes(self._column(rows, BUCKET_LABEL), self._pool)
            rows = rows[fits | (self._parts.view[rows] == Part.BUCKET)]
        return rows

    def _choice(self, matcher: Matcher) -> "_Choice":
        """Choose the values of a label that decide: those that pass, or, where its absence passes, those that don't."""
        postings, keeps = self._posting(matcher.name), not matcher.matches("")
        if postings is None:
            return _Choice(matcher, keeps, Postings(), np.zeros(0, np.int32))
        if matcher.op is MatchOp.EQUAL and keeps:
            code = self._pool.find(matcher.value)
            return _Choice(matcher, keeps, postings, np.array([] if code is None else [code], np.int32))
        values = postings.values()
        return _Choice(matcher, keeps, postings, values[matcher.matches_codes(values, self._pool) == keeps])

    def _passing(self, rows: Rows, choice: "_Choice") -> NDArray[np.bool_]:
        """Tell which rows pass: by their own labels where that is less than going through all rows of the values."""
        if choice.size > _OWN_LABELS * len(rows):
            return choice.matcher.matches_codes(self._column(rows, choice.matcher.name), self._pool)
        carrying = positions(rows, choice.rows())[1]
        return carrying if choice.keeps else ~carrying

    def _posting(self, name: str) -> Postings | None:
        code = self._pool.find(name)
        return None if code is None else self._postings.get(code)

    def _slices(self, rows: Rows) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where the labels of rows stand in the arrays of codes: indices, and which of `rows` each belongs to."""
        ends = self._ends.view
        starts = np.where(rows > 0, ends[rows - 1], 0)
        counts = ends[rows] - starts
        return ranges(starts, counts), np.repeat(np.arange(len(rows)), counts)

    def _column(self, rows: Rows, name: str) -> Codes:
        column = np.zeros(len(rows), np.int32)
        code = self._pool.find(name)
        if code is not None and len(rows):
            at, owner = self._slices(rows)
            named = self._name_codes.view[at] == code
            column[owner[named]] = self._value_codes.view[at[named]]
        return column

    def _found(self, rows: Rows) -> Found:
        if not len(rows):
            return Found(LabelFrame.empty(self._pool), np.zeros(0, np.int64), np.zeros(0, np.int8))
        at, owner = self._slices(rows)
        distinct, inverse = np.unique(self._name_codes.view[at], return_inverse=True)
        texts = [self._pool.text(code) for code in distinct.tolist()]
        order = sorted(range(len(texts)), key=texts.__getitem__)
        rank = np.empty(len(order), np.intp)
        rank[order] = np.arange(len(order))
        codes = np.zeros((len(rows), len(order)), np.int32)
        codes[owner, rank[inverse]] = self._value_codes.view[at]
        frame = LabelFrame(tuple(texts[i] for i in order), codes, self._pool)
        return Found(frame, self._series_ids.view[rows], self._parts.view[rows])


def _largest(counts: Iterable[tuple[str, int]], limit: int) -> list[tuple[str, int]]:
    return heapq.nsmallest(limit, counts, key=lambda one: (-one[1], one[0]))


def _present(series: StoredSeries) -> Iterator[Presented]:
    """Give the index rows of a stored series."""
    part = _PARTS.get(series.kind, Part.PLAIN)
    yield series.series_id, part, {METRIC_NAME: series.metric, **_labels(series)}
    if series.classic:
        yield from _classic(series)


def _classic(series: StoredSeries) -> Iterator[Presented]:
    """Give the rows of a histogram as classic series."""
    labels = _labels(series)
    for part, suffix in _SUFFIXES.items():
        yield series.series_id, part, {METRIC_NAME: series.metric + suffix, **labels}


def _labels(series: StoredSeries) -> dict[str, str]:
    return {name: value for name, value in series.labels.items() if value}  # an empty value means absent
