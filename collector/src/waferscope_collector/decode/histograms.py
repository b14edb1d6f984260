"""Exponential histograms to rows in Prometheus's terms.

Sources: OpenTelemetry specification, Prometheus and OpenMetrics compatibility, "Exponential Histograms"; Prometheus
native histograms specification (schemas, custom bounds as schema -53).
"""

import struct
from collections.abc import Sequence

from opentelemetry.proto.metrics.v1 import metrics_pb2 as otlp

from waferscope_collector.decode.points import HistogramPoint
from waferscope_collector.wire.numbers import STALE

_STALE_FLAG = otlp.DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK
_LOWEST_SCHEMA, _HIGHEST_SCHEMA = -4, 8
MOST_BUCKETS = 10_000
_MOST_EXPONENT = 1100  # doubles reach from 2**-1074 to 2**1024

TOO_COARSE = f"of exponential histograms with a scale under {_LOWEST_SCHEMA}"
TOO_FAR = "of histograms with buckets for values that no double can be"
TOO_MANY = f"of histograms with more than {MOST_BUCKETS} buckets"

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
    schema = point.scale - merge
    if not (reachable(schema, positive_spans) and reachable(schema, negative_spans)):
        return TOO_FAR
    return HistogramPoint(
        count=float(point.count),
        sum=point.sum if point.HasField("sum") else None,
        min=point.min if point.HasField("min") else None,
        max=point.max if point.HasField("max") else None,
        schema=schema,
        zero_threshold=point.zero_threshold,
        zero_count=float(point.zero_count),
        positive_spans=positive_spans,
        positive_counts=positive_counts,
        negative_spans=negative_spans,
        negative_counts=negative_counts,
    )


def reachable(schema: int, spans: Sequence[int]) -> bool:
    """Tell whether values can fall into the buckets of a side: whoever adds histograms up fills the gaps between them.

    Args:
        schema: An exponential one.
        spans: Offset and length of each span in turn.
    """
    most = _MOST_EXPONENT * 2.0**schema + 1
    return not spans or (spans[0] >= -most and sum(spans) <= most)


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
