"""Adding two histograms.

Source: Prometheus native histograms specification, "Schema" and "Zero bucket": exponential histograms of any schemas
and zero thresholds can be added, at the coarser schema and the wider zero bucket; custom bounds only if they are equal.
"""

import math
from dataclasses import dataclass, replace

from waferscope_collector.decode.points import HistogramPoint

_CUSTOM = -53
_COARSEST = -4
_MOST_BUCKETS = 10_000
_RESET = 1  # hint that the counter began anew


@dataclass(frozen=True, slots=True)
class _Side:
    """Buckets of one sign without gaps; the one numbered i ends at base**i."""

    first: int
    counts: tuple[float, ...]

    def coarser(self, levels: int) -> "_Side":
        """Merge 2**levels buckets to one."""
        if not self.counts or not levels:
            return self
        first = ((self.first - 1) >> levels) + 1
        merged = [0.0] * ((((self.first + len(self.counts) - 2) >> levels) + 1) - first + 1)
        for number, count in enumerate(self.counts, self.first):
            merged[((number - 1) >> levels) + 1 - first] += count
        return _Side(first, tuple(merged))

    def plus(self, other: "_Side") -> "_Side":
        """Add buckets of the same schema."""
        if not self.counts or not other.counts:
            return self if self.counts else other
        first = min(self.first, other.first)
        end = max(self.first + len(self.counts), other.first + len(other.counts))
        added = [0.0] * (end - first)
        for side in (self, other):
            for number, count in enumerate(side.counts, side.first - first):
                added[number] += count
        return _Side(first, tuple(added))

    def without(self, number: int) -> tuple["_Side", float]:
        """Take off the buckets up to a number; return the rest and what was in them."""
        cut = max(0, min(len(self.counts), number - self.first + 1))
        return _Side(self.first + cut, self.counts[cut:]), sum(self.counts[:cut])


def addable(one: HistogramPoint, other: HistogramPoint) -> bool:
    """Tell whether two histograms can be added, and the sum of their sums stays finite."""
    same = one.bounds == other.bounds if one.schema == _CUSTOM else True
    return (one.schema == _CUSTOM) == (other.schema == _CUSTOM) and same and math.isfinite(_sum(one) + _sum(other))


def zero(like: HistogramPoint, *, reset: bool) -> HistogramPoint:
    """Return a histogram of zeros that others like one can be added to."""
    return replace(
        like,
        count=0.0,
        sum=0.0,
        min=None,
        max=None,
        zero_count=0.0,
        positive_counts=(0.0,) * len(like.positive_counts),
        negative_counts=(0.0,) * len(like.negative_counts),
        reset_hint=_RESET if reset else 0,
    )


def add(one: HistogramPoint, other: HistogramPoint) -> HistogramPoint:
    """Add two histograms that are `addable`; the result has neither minimum nor maximum nor a hint."""
    total = HistogramPoint(count=one.count + other.count, sum=_sum(one) + _sum(other), schema=one.schema)
    if one.schema == _CUSTOM:
        counts = tuple(map(sum, zip(one.positive_counts, other.positive_counts, strict=True)))
        return replace(total, bounds=one.bounds, positive_spans=one.positive_spans, positive_counts=counts)
    schema = min(one.schema, other.schema)
    while schema > _COARSEST and _width(one, other, schema) > _MOST_BUCKETS:
        schema -= 1
    while True:
        added = _add(one, other, schema)
        if len(added.positive_counts) + len(added.negative_counts) <= _MOST_BUCKETS or schema == _COARSEST:
            return replace(added, count=total.count, sum=total.sum)
        schema -= 1


def _width(one: HistogramPoint, other: HistogramPoint, schema: int) -> int:
    """Return how many buckets the sum has at a schema, the gaps between those of the two filled."""
    width = 0
    for sides in ("positive_spans", "negative_spans"):
        given = [(point.schema - schema, spans) for point in (one, other) if (spans := getattr(point, sides))]
        firsts = [(spans[0] - 1) >> levels for levels, spans in given]
        lasts = [(sum(spans) - 2) >> levels for levels, spans in given]
        width += max(lasts) - min(firsts) + 1 if given else 0
    return width


def _add(one: HistogramPoint, other: HistogramPoint, schema: int) -> HistogramPoint:
    threshold, zeros = _widest(one, other, schema)
    positive = _side(one, schema, negative=False).plus(_side(other, schema, negative=False))
    negative = _side(one, schema, negative=True).plus(_side(other, schema, negative=True))
    cut = _bucket(threshold, schema)
    (positive, below), (negative, above) = positive.without(cut), negative.without(cut)
    return HistogramPoint(
        count=0.0,
        sum=0.0,
        schema=schema,
        zero_threshold=threshold,
        zero_count=zeros + below + above,
        positive_spans=(positive.first, len(positive.counts)) if positive.counts else (),
        positive_counts=positive.counts,
        negative_spans=(negative.first, len(negative.counts)) if negative.counts else (),
        negative_counts=negative.counts,
    )


def _widest(one: HistogramPoint, other: HistogramPoint, schema: int) -> tuple[float, float]:
    """Return the zero bucket of the sum: where thresholds differ, it ends with the bucket that the wider one cuts."""
    threshold = max(one.zero_threshold, other.zero_threshold)
    if one.zero_threshold != other.zero_threshold:
        ends = _bucket(threshold, schema)
        for point in (one, other):
            for negative in (False, True):
                side = _side(point, schema, negative=negative)
                cut = ends + 1 - side.first  # the bucket that begins below the threshold and ends above it
                if _upper(ends, schema) < threshold and 0 <= cut < len(side.counts) and side.counts[cut]:
                    threshold = _upper(ends + 1, schema)
    return threshold, one.zero_count + other.zero_count


def _bucket(threshold: float, schema: int) -> int:
    """Return the number of the last bucket that ends at or below a threshold."""
    if threshold <= 0:
        return -(2**31)
    number = math.floor(math.log2(threshold) * 2.0**schema)
    return number + 1 if _upper(number + 1, schema) <= threshold else number


def _upper(number: int, schema: int) -> float:
    exponent = number * 2.0**-schema
    return 2.0**exponent if exponent < 1024 else math.inf  # noqa: PLR2004 - the range of a double


def _side(point: HistogramPoint, schema: int, *, negative: bool) -> _Side:
    """Return one side of a histogram at a schema, its gaps filled."""
    spans = point.negative_spans if negative else point.positive_spans
    counts = point.negative_counts if negative else point.positive_counts
    if not counts:
        return _Side(0, ())
    dense: list[float] = []
    given = iter(counts)
    for position, (offset, length) in enumerate(zip(spans[::2], spans[1::2], strict=True)):
        if position:
            dense += [0.0] * offset
        dense += [next(given) for _ in range(length)]
    return _Side(spans[0], tuple(dense)).coarser(point.schema - schema)


def _sum(point: HistogramPoint) -> float:
    return point.sum or 0.0
