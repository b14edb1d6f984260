"""Histograms in Prometheus's terms: the buckets' counts are those that were sent."""

import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import ExponentialHistogramDataPoint

from waferscope_collector.decode import histograms
from waferscope_collector.decode.points import HistogramPoint

Buckets = ExponentialHistogramDataPoint.Buckets


@pytest.mark.parametrize(
    ("offset", "spans", "counts"),
    [
        (0, (1, 2), (10.0, 5.0)),
        (-4, (0, 2), (10.0, 5.0)),
        (1, (1, 2), (6.0, 9.0)),
        (-1, (0, 3), (1.0, 14.0, 0.0)),
    ],
)
def test_scales_over_8_are_merged_down(offset: int, spans: tuple[int, ...], counts: tuple[float, ...]) -> None:
    sent = [1, 2, 3, 4, 5] if offset != -1 else [1, 5, 4, 3, 2, 0]
    point = ExponentialHistogramDataPoint(
        scale=10, count=15, positive=Buckets(offset=offset, bucket_counts=sent), negative=Buckets(offset=5)
    )
    found = histograms.exponential(point)
    assert isinstance(found, HistogramPoint)
    assert (found.schema, found.positive_spans, found.positive_counts) == (8, spans, counts)
    assert (found.negative_spans, found.negative_counts) == ((), ())


def test_scales_under_minus_4_are_refused() -> None:
    assert histograms.exponential(ExponentialHistogramDataPoint(scale=-5)) == histograms.TOO_COARSE
