"""Histograms with exponential buckets: no bounds to choose, one relative error over any range.

OpenTelemetry metrics data model, "ExponentialHistogram": at scale s, bucket i holds the values in
(2^(i / 2^s), 2^((i + 1) / 2^s)].
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, frexp, log2

_SCALE = 20  # the finest: where indices of all doubles still fit into 32 bits
_BUCKETS = 160  # of one sign in a point (OpenTelemetry metrics SDK, "Base2 Exponential Bucket Histogram")
_SPARSE = 640  # indices that are held before they are made coarser


class Exponential:
    """Counts values by the exponent of 2 that they need, sparsely and at the finest scale that their range allows.

    Attributes:
        scale: Of the indices of both signs.
        zeros: How many values were 0.
        positive: Counts by index.
        negative: Counts by the index of the absolute value.
    """

    __slots__ = ("negative", "positive", "scale", "zeros")

    def __init__(self) -> None:
        self.scale = _SCALE
        self.zeros = 0
        self.positive: dict[int, int] = {}
        self.negative: dict[int, int] = {}

    def add(self, value: float) -> None:
        """Count a finite value."""
        if value == 0:
            self.zeros += 1
            return
        side = self.positive if value > 0 else self.negative
        index = _index(abs(value)) >> (_SCALE - self.scale)
        side[index] = side.get(index, 0) + 1
        if len(side) > _SPARSE:
            self._coarsen()

    def fit(self) -> None:
        """Make it coarse enough for a point."""
        while max(_width(self.positive), _width(self.negative)) > _BUCKETS:
            self._coarsen()

    def _coarsen(self) -> None:
        self.scale -= 1
        self.positive = _halved(self.positive)
        self.negative = _halved(self.negative)


def dense(counts: Mapping[int, int]) -> tuple[int, list[int]]:
    """Give the counts of one sign as a point holds them.

    Args:
        counts: By index.

    Returns:
        The index of the first bucket, and the counts of all buckets up to the last one that holds something.
    """
    if not counts:
        return 0, []
    first = min(counts)
    return first, [counts.get(index, 0) for index in range(first, max(counts) + 1)]


def _index(value: float) -> int:
    mantissa, exponent = frexp(value)  # value = mantissa * 2^exponent, 0.5 <= mantissa < 1
    if mantissa == 0.5:  # noqa: PLR2004 - a power of two is the upper, included bound of its bucket: exactly, not by log2
        return ((exponent - 1) << _SCALE) - 1
    return ((exponent - 1) << _SCALE) + ceil(log2(2 * mantissa) * (1 << _SCALE)) - 1


def _width(counts: Mapping[int, int]) -> int:
    return max(counts) - min(counts) + 1 if counts else 0


def _halved(counts: Mapping[int, int]) -> dict[int, int]:
    merged: dict[int, int] = {}
    for index, count in counts.items():
        merged[index >> 1] = merged.get(index >> 1, 0) + count
    return merged
