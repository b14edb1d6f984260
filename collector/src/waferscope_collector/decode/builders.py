"""Lists that grow while points are read one by one, and end as the arrays of `points`."""

from collections.abc import Iterable, Sequence

import numpy as np

from waferscope_collector.decode.points import (
    Buckets,
    Catalog,
    HistogramPoint,
    Histograms,
    Numbers,
    Series,
)

Key = tuple[int, int]


class Listed:
    """A catalog of points whose series were described as they came."""

    def __init__(self) -> None:
        self._described: list[Series | str] = []

    def add(self, series: Series | str) -> None:
        """Describe the next point."""
        self._described.append(series)

    def series(self, position: int) -> Series | str:
        """Return the series of a point."""
        return self._described[position]


class NumbersBuilder:
    """Grows `Numbers`."""

    def __init__(self) -> None:
        self._keys: list[Key] = []
        self._times: list[int] = []
        self._starts: list[int] = []
        self._bits: list[int] = []

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, key: Key, time: int, bits: int, start: int = 0) -> None:
        """Add one point.

        Args:
            key: Of its series.
            time: Unix time, ms.
            bits: Of its value, a double.
            start: Unix time, ms; 0: unknown.
        """
        self._keys.append(key)
        self._times.append(time)
        self._starts.append(start)
        self._bits.append(bits)

    def finish(self, catalog: Catalog) -> Numbers:
        """Return what was added."""
        starts = np.array(self._starts, np.int64)
        return Numbers(
            keys=np.array(self._keys, np.uint64).reshape(-1, 2),
            catalog=catalog,
            usable=np.ones(len(self._keys), np.bool_),
            times=np.array(self._times, np.int64),
            starts=starts,
            values=np.array(self._bits, np.uint64).view(np.float64),
            starting=starts > 0,
        )


class HistogramsBuilder:
    """Grows `Histograms`."""

    def __init__(self) -> None:
        self._keys: list[Key] = []
        self._times: list[int] = []
        self._starts: list[int] = []
        self._points: list[HistogramPoint] = []

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, key: Key, time: int, start: int, point: HistogramPoint) -> None:
        """Add one point; times in ms, a start of 0 is unknown."""
        self._keys.append(key)
        self._times.append(time)
        self._starts.append(start)
        self._points.append(point)

    def finish(self, catalog: Catalog) -> Histograms:
        """Return what was added."""
        return Histograms(
            keys=np.array(self._keys, np.uint64).reshape(-1, 2),
            catalog=catalog,
            usable=np.ones(len(self._keys), np.bool_),
            times=np.array(self._times, np.int64),
            starts=np.array(self._starts, np.int64),
            buckets=buckets(self._points),
        )


def buckets(points: Sequence[HistogramPoint]) -> Buckets:
    """Lay histograms out as arrays."""
    sides = [side for point in points for side in (point.positive_spans, point.negative_spans)]
    counts = [side for point in points for side in (point.positive_counts, point.negative_counts)]
    scalars = np.array(
        [(point.count, point.sum or 0.0, point.min or 0.0, point.max or 0.0) for point in points], np.float64
    ).reshape(-1, 4)
    return Buckets(
        scalars=scalars,
        has=np.array([_has(point) for point in points], np.uint8),
        shapes=np.array([(point.schema, point.reset_hint) for point in points], np.int64).reshape(-1, 2),
        zeros=np.array([(point.zero_threshold, point.zero_count) for point in points], np.float64).reshape(-1, 2),
        bounds=_joined([point.bounds for point in points], np.float64),
        bounds_at=_begins([point.bounds for point in points]),
        spans=_joined(sides, np.int64),
        spans_at=_begins(sides),
        counts=_joined(counts, np.float64),
        counts_at=_begins(counts),
    )


def _has(point: HistogramPoint) -> int:
    return (point.sum is not None) | (point.min is not None) << 1 | (point.max is not None) << 2


def _joined(lists: Iterable[Sequence[float]], dtype: type[np.generic]) -> np.ndarray:
    return np.array([item for items in lists for item in items], dtype)


def _begins(lists: Sequence[Sequence[float]]) -> np.ndarray:
    return np.concatenate(([0], np.cumsum([len(items) for items in lists], dtype=np.int64))).astype(np.int64)
