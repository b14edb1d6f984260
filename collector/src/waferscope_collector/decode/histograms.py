"""Exponential histograms to rows in Prometheus's terms.

Sources: OpenTelemetry specification, Prometheus and OpenMetrics compatibility, "Exponential Histograms"; Prometheus
native histograms specification (schemas, custom bounds as schema -53).
"""

import math
import struct

from opentelemetry.proto.metrics.v1 import metrics_pb2 as otlp

from waferscope_collector.decode.points import HistogramPoint
from waferscope_collector.wire.numbers import STALE

_STALE_FLAG = otlp.DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK
_LOWEST_SCHEMA, _HIGHEST_SCHEMA = -4, 8
MOST_BUCKETS = 10_000

TOO_COARSE = f"of exponential histograms with a scale under {_LOWEST_SCHEMA}"
TOO_MANY = f"of histograms with more than {MOST_BUCKETS} buckets"
BEYOND = "of histograms with buckets beyond the range of a double"
ODD_ZERO = "of histograms whose zero bucket has no finite width"

_LEAST_EXPONENT, _GREATEST_EXPONENT = -1075, 1024  # of two: between them lie all doubles

STALE_SUM: float = struct.unpack("<d", struct.pack("<Q", STALE))[0]
_STALE_EXPONENTIAL = HistogramPoint(0, STALE_SUM, schema=0)


def exponential(point: otlp.ExponentialHistogramDataPoint) -> HistogramPoint | str:
    """Read an exponential histogram; a text says why it can't be stored."""
    if point.flags & _STALE_FLAG:
        return _STALE_EXPONENTIAL
    if point.scale < _LOWEST_SCHEMA:
        return TOO_COARSE
    if len(point.positive.bucket_counts) + len(point.negative.bucket_counts) > MOST_BUCKETS:
        return TOO_MANY
    merge = max(0, point.scale - _HIGHEST_SCHEMA)
    positive_spans, positive_counts = _buckets(point.positive, merge)
    negative_spans, negative_counts = _buckets(point.negative, merge)
    found = HistogramPoint(
        count=float(point.count),
        sum=point.sum if point.HasField("sum") else None,
        min=point.min if point.HasField("min") else None,
        max=point.max if point.HasField("max") else None,
        schema=point.scale - merge,
        zero_threshold=point.zero_threshold,
        zero_count=float(point.zero_count),
        positive_spans=positive_spans,
        positive_counts=positive_counts,
        negative_spans=negative_spans,
        negative_counts=negative_counts,
    )
    return unfit(found) or found


def unfit(point: HistogramPoint) -> str:
    """Tell why an exponential histogram can't be stored, whose spans fit its counts; empty when it can.

    Adding two histograms fills the gap between their buckets, so these must not lie where no number falls. Some empty
    ones beside the range of a double do no harm.
    """
    if not 0 <= point.zero_threshold < math.inf:
        return ODD_ZERO
    unit = 2.0**point.schema  # buckets to a power of two
    low, high = _LEAST_EXPONENT * unit - MOST_BUCKETS, _GREATEST_EXPONENT * unit + MOST_BUCKETS
    for spans in (point.positive_spans, point.negative_spans):
        if spans and not low <= spans[0] <= sum(spans) <= high:
            return BEYOND
    return ""


def _buckets(
    buckets: otlp.ExponentialHistogramDataPoint.Buckets, merge: int
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Return the span and the counts of one side, 2**merge buckets of the finer scale merged to one.

    OTLP's bucket i holds values up to base**(i+1), Prometheus's up to base**i: hence the offset of one.
    """
    if not buckets.bucket_counts:
        return (), ()
    first = buckets.offset >> merge
    merged = [0] * (((buckets.offset + len(buckets.bucket_counts) - 1) >> merge) - first + 1)
    for index, count in enumerate(buckets.bucket_counts, buckets.offset):
        merged[(index >> merge) - first] += count
    return (first + 1, len(merged)), tuple(map(float, merged))
