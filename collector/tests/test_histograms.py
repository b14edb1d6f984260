"""Histograms in Prometheus's terms: the buckets' counts are those that were sent."""

import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import ExponentialHistogramDataPoint

from waferscope_collector.decode import histograms
from waferscope_collector.decode.native_histograms import native_histogram
from waferscope_collector.decode.points import HistogramPoint
from waferscope_collector.decode.remote_write_messages import V2

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


@pytest.mark.parametrize(
    ("scale", "offset"),
    [(0, 2**31 - 1), (0, -(2**31)), (20, 2**31 - 1), (-4, 20_000), (0, -20_000)],
)
@pytest.mark.parametrize("side", ["positive", "negative"])
def test_buckets_that_no_double_can_fall_into_are_refused(scale: int, offset: int, side: str) -> None:
    point = ExponentialHistogramDataPoint(scale=scale, **{side: Buckets(offset=offset, bucket_counts=[1])})
    assert histograms.exponential(point) == histograms.BEYOND


@pytest.mark.parametrize(
    ("scale", "offset"), [(0, -1075), (0, 1023), (8, 1024 * 256), (8, -1075 * 256), (-4, 63), (-4, -68)]
)
def test_all_buckets_that_doubles_fall_into_are_stored(scale: int, offset: int) -> None:
    point = ExponentialHistogramDataPoint(scale=scale, positive=Buckets(offset=offset, bucket_counts=[1]))
    assert isinstance(histograms.exponential(point), HistogramPoint)


@pytest.mark.parametrize("spans", [[(2**31 - 1, 1)], [(-(2**31), 1)], [(0, 1), (2**31 - 1, 1)]])
def test_remote_writes_buckets_that_no_double_can_fall_into_are_refused(spans: list[tuple[int, int]]) -> None:
    sent = V2["Histogram"](count_int=1, schema=0, positive_deltas=[1] * len(spans))
    for offset, length in spans:
        sent.positive_spans.add(offset=offset, length=length)
    assert native_histogram(sent) == histograms.BEYOND
