"""The result of a range query as text, step by step."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from waferscope_query.promql.evaluation.run import Answer
from waferscope_query.promql.evaluation.values import Vector
from waferscope_query.promql.render import matrix, metrics_of, written

Key = list[tuple[str, str]]
_LABELS_PER_JSON = 8  # bytes that labels take as objects, for each byte that they take as JSON


@dataclass(frozen=True, slots=True, eq=False)
class Matrix:
    """The points of n series at s steps.

    Attributes:
        keys: The n label sets, in Prometheus's order.
        metrics: The same as JSON.
        points: Of each series `[time,"value"],` one after the other.
        ends: int32[n, s]: how far in them the points reach up to each step.
        nbytes: About the bytes that all this takes.
    """

    keys: list[Key]
    metrics: list[bytes]
    points: list[bytes]
    ends: NDArray[np.int32]
    nbytes: int = field(init=False)

    def __post_init__(self) -> None:
        labels = _LABELS_PER_JSON * sum(map(len, self.metrics))
        object.__setattr__(self, "nbytes", sum(map(len, self.points)) + self.ends.nbytes + labels)

    @classmethod
    def of(cls, answer: Answer) -> Matrix | None:
        """Write an answer; None where it holds what can't be taken apart by steps: a scalar, or histograms."""
        vector = answer.value
        if not isinstance(vector, Vector) or vector.histograms is not None:
            return None
        order = vector.labels.order()
        vector = vector.take(np.array(order, np.int64))
        text, point_ends = written(answer.times, np.nonzero(vector.present)[1], vector.values[vector.present])
        lengths = np.zeros(vector.present.shape, np.int32)
        lengths[vector.present] = np.diff(point_ends, prepend=0)
        ends = np.cumsum(lengths, axis=1, dtype=np.int32)
        bounds = list(accumulate(ends[:, -1].tolist(), initial=0))
        return cls(
            keys=[list(row.items()) for row in vector.labels.rows()],
            metrics=metrics_of(vector.labels),
            points=[text[bounds[row] : bounds[row + 1]] for row in range(len(vector))],
            ends=ends,
        )

    def steps(self, first: int, last: int) -> Matrix:
        """Keep the steps `first` to `last` (exclusive), and the series that have points there."""
        if (first, last) == (0, self.ends.shape[1]):
            return self
        begins = self.ends[:, first - 1] if first else np.zeros(len(self.keys), np.int32)
        rows = np.flatnonzero(self.ends[:, last - 1] > begins).tolist()
        cuts = list(zip(begins.tolist(), self.ends[:, last - 1].tolist(), strict=True))
        return Matrix(
            keys=[self.keys[row] for row in rows],
            metrics=[self.metrics[row] for row in rows],
            points=[self.points[row][slice(*cuts[row])] for row in rows],
            ends=self.ends[rows, first:last] - begins[rows, None],
        )

    def followed_by(self, later: Matrix) -> Matrix:
        """Put the steps of another one after its own."""
        if self.metrics == later.metrics:
            points = [one + two for one, two in zip(self.points, later.points, strict=True)]
            ends = np.concatenate([self.ends, later.ends + self.ends[:, -1:]], axis=1)
            return Matrix(self.keys, self.metrics, points, ends)
        both = {
            tuple(key): metric for side in (self, later) for key, metric in zip(side.keys, side.metrics, strict=True)
        }
        keys = sorted(map(list, both))
        return self._over(keys, both).followed_by(later._over(keys, both))

    def data(self) -> bytes:
        """The `data` of Prometheus's answer."""
        series = zip(self.metrics, self.points, strict=True)
        return matrix((metric, b'"values":[%s]' % points[:-1]) for metric, points in series)

    def _metric_of(self) -> dict[tuple[tuple[str, str], ...], bytes]:
        return dict(zip(map(tuple, self.keys), self.metrics, strict=True))

    def _over(self, keys: list[Key], metrics: dict[tuple[tuple[str, str], ...], bytes]) -> Matrix:
        """The same points among further series."""
        row_of = {tuple(key): row for row, key in enumerate(self.keys)}
        rows = [row_of.get(tuple(key), -1) for key in keys]
        ends = np.zeros((len(keys), self.ends.shape[1]), np.int32)
        known = np.array(rows) >= 0
        ends[known] = self.ends[np.array(rows)[known]]
        points = [self.points[row] if row >= 0 else b"" for row in rows]
        return Matrix(keys, [metrics[tuple(key)] for key in keys], points, ends)
