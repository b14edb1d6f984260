"""What the nodes of an expression evaluate to, over all steps at once."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from waferscope_query.promql.errors import ExecutionError
from waferscope_query.promql.evaluation.grouping import group_rows, stack
from waferscope_query.promql.histograms import HistogramCells, stack_cells
from waferscope_query.promql.labels import METADATA_LABELS, LabelFrame, Strings
from waferscope_query.promql.source import Samples


@dataclass(frozen=True, slots=True, eq=False)
class Scalar:
    """One number per step: values float64[s]."""

    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class String:
    """A string, the same at every step."""

    value: str


@dataclass(frozen=True, slots=True, eq=False)
class Vector:
    """An instant vector at every step.

    Attributes:
        labels: The label sets of n series.
        values: float64[n, s].
        present: bool[n, s]; what is absent has an arbitrary value.
        drop_name: bool[n]; the metric's name, type and unit are to be removed in the end. They stay until then, so
            that outer operators can still see them (Prometheus, delayed name removal).
        histograms: Which values are histograms; None where none is.
    """

    labels: LabelFrame
    values: NDArray[np.float64]
    present: NDArray[np.bool_]
    drop_name: NDArray[np.bool_]
    histograms: HistogramCells | None = None

    @classmethod
    def empty(cls, steps: int, pool: Strings) -> Vector:
        """A vector without series."""
        return cls(LabelFrame.empty(pool), np.zeros((0, steps)), np.zeros((0, steps), np.bool_), np.zeros(0, np.bool_))

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> Vector:
        """Select series by index or mask."""
        histograms = None if self.histograms is None else self.histograms.take(rows)
        return Vector(self.labels.take(rows), self.values[rows], self.present[rows], self.drop_name[rows], histograms)

    @property
    def holds_histogram(self) -> NDArray[np.bool_]:
        """bool[n, s]: where a histogram is present."""
        if self.histograms is None:
            return np.zeros(self.present.shape, np.bool_)
        found: NDArray[np.bool_] = self.present & (self.histograms.at >= 0)
        return found

    def floats(self) -> Vector:
        """The same vector without its histograms."""
        if self.histograms is None:
            return self
        return replace(self, present=self.present & ~self.holds_histogram, histograms=None)

    def nameless(self) -> Vector:
        """The same vector, its metric names to be removed in the end."""
        return replace(self, drop_name=np.ones(len(self), np.bool_))

    def repeated(self, steps: int) -> Vector:
        """A vector of one step, the same at all of `steps`."""
        return replace(
            self,
            values=np.repeat(self.values, steps, axis=1),
            present=np.repeat(self.present, steps, axis=1),
            histograms=None
            if self.histograms is None
            else replace(self.histograms, at=np.repeat(self.histograms.at, steps, axis=1)),
        )

    def merged(self) -> Vector:
        """Join series with equal labels that are never present at the same step; names go if the first one's does.

        Raises:
            ExecutionError: Two of them are.
        """
        ids, firsts = group_rows(self.labels)
        if len(firsts) == len(self):
            return self
        if not self.present.shape[1]:
            return self.take(firsts)
        values, present = self.values[firsts].copy(), self.present[firsts].copy()
        drop_name = self.drop_name[firsts].copy()
        at = None if self.histograms is None else self.histograms.at[firsts].copy()
        since = np.where(present.any(axis=1), present.argmax(axis=1), present.shape[1])
        again = np.ones(len(self), np.bool_)
        again[firsts] = False
        for row in np.flatnonzero(again):
            target = ids[row]
            if (present[target] & self.present[row]).any():
                raise ExecutionError("vector cannot contain metrics with the same labelset")
            values[target] = np.where(self.present[row], self.values[row], values[target])
            if at is not None and self.histograms is not None:
                at[target] = np.where(self.present[row], self.histograms.at[row], at[target])
            present[target] |= self.present[row]
            begin = int(self.present[row].argmax())
            if self.present[row].any() and begin < since[target]:
                since[target], drop_name[target] = begin, self.drop_name[row]
        cells = None if at is None or self.histograms is None else replace(self.histograms, at=at)
        return Vector(self.labels.take(firsts), values, present, drop_name, cells)

    def final(self) -> Vector:
        """The vector as the user sees it: names removed where due, series that are never present left out.

        Raises:
            ExecutionError: Without their names, two series are the same.
        """
        seen = self.take(np.flatnonzero(self.present.any(axis=1)))
        if not seen.drop_name.any():
            return seen.merged()
        labels = seen.labels
        for name in set(METADATA_LABELS).intersection(labels.names):
            labels = labels.assign(name, np.where(seen.drop_name, 0, labels.column(name)).astype(np.int32))
        bare = replace(seen, labels=labels)
        merged = bare.merged()
        return replace(merged, drop_name=np.zeros(len(merged), np.bool_))


def stacked(upper: Vector, lower: Vector) -> Vector:
    """The series of one vector after those of another."""
    return Vector(
        labels=stack(upper.labels, lower.labels),
        values=np.concatenate([upper.values, lower.values]),
        present=np.concatenate([upper.present, lower.present]),
        drop_name=np.concatenate([upper.drop_name, lower.drop_name]),
        histograms=stack_cells([(side.histograms, side.present.shape) for side in (upper, lower)]),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """A range vector at every step.

    Attributes:
        samples: The samples, without stale markers.
        ends: int64[s], ms: the right ends of the windows, inclusive.
        width_ms: How far the windows reach back, exclusive.
        drop_name: bool[n] as in Vector.
        extension: `anchored`, `smoothed` or nothing: what samples beyond a window say about its edges.
    """

    samples: Samples
    ends: NDArray[np.int64]
    width_ms: int
    drop_name: NDArray[np.bool_]
    extension: str = ""


Value = Scalar | String | Vector | Windows
