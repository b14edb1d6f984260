"""Requests as the writer gets them, built before the clock starts."""

import time
from collections.abc import Iterator

import numpy as np
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1 import metrics_pb2

from waferscope_collector.cells import HEADER, TRAILER
from waferscope_collector.copy import Samples, sample_rows
from waferscope_collector.decode.remote_write_messages import V1

SERIES = 10_000
POINTS = 8_000  # of a request
STEP = 15  # s between samples of a series
_BUCKETS = 15
_MS, _SECOND = 10**6, 10**9


def begin() -> int:
    """Return a time from which an hour of samples ends now, Unix time in ns, on a whole step."""
    return (time.time_ns() - 3600 * _SECOND) // (STEP * _SECOND) * STEP * _SECOND


def _numbered(first: int, count: int) -> Iterator[tuple[int, int]]:
    """Yield series and turn of points that run over all series again and again."""
    for number in range(first, first + count):
        yield number % SERIES, number // SERIES


def _attributes(point: metrics_pb2.NumberDataPoint | metrics_pb2.HistogramDataPoint, series: int) -> None:
    point.attributes.add(key="wafer.equipment.id").value.string_value = f"tool-{series % 100:03d}"
    point.attributes.add(key="channel").value.string_value = f"channel-{series // 100:04d}"
    point.attributes.add(key="unit").value.string_value = "stage"


def _request(name: str) -> tuple[ExportMetricsServiceRequest, metrics_pb2.Metric]:
    request = ExportMetricsServiceRequest()
    resource = request.resource_metrics.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "bench"
    return request, resource.scope_metrics.add().metrics.add(name=name, unit="By")


def gauges(first: int, count: int, start: int, points: int = POINTS) -> bytes:
    """Build a request of gauge points."""
    request, metric = _request("bench.value")
    for series, turn in _numbered(first, min(points, count)):
        point = metric.gauge.data_points.add(time_unix_nano=start + turn * STEP * _SECOND, as_double=series + turn / 7)
        _attributes(point, series)
    return request.SerializeToString()


def deltas(first: int, count: int, start: int) -> bytes:
    """Build a request of delta points."""
    request, metric = _request("bench.work")
    metric.sum.aggregation_temporality = metrics_pb2.AGGREGATION_TEMPORALITY_DELTA
    metric.sum.is_monotonic = True
    for series, turn in _numbered(first, count):
        at = start + turn * STEP * _SECOND
        point = metric.sum.data_points.add(
            start_time_unix_nano=at - STEP * _SECOND, time_unix_nano=at, as_double=1 + series / 8
        )
        _attributes(point, series)
    return request.SerializeToString()


def histograms(first: int, count: int, start: int) -> bytes:
    """Build a request of histograms with 15 buckets."""
    request, metric = _request("bench.duration")
    metric.histogram.aggregation_temporality = metrics_pb2.AGGREGATION_TEMPORALITY_CUMULATIVE
    bounds = [float(2**n) for n in range(_BUCKETS - 1)]
    for series, turn in _numbered(first, count):
        counts = [turn + n for n in range(_BUCKETS)]
        point = metric.histogram.data_points.add(
            start_time_unix_nano=start - _SECOND,
            time_unix_nano=start + turn * STEP * _SECOND,
            count=sum(counts),
            sum=turn * 3.5,
            min=0.5,
            max=99.0,
            bucket_counts=counts,
            explicit_bounds=bounds,
        )
        _attributes(point, series)
    return request.SerializeToString()


def remote_write(first: int, count: int, start: int) -> bytes:
    """Build a request of remote write 1.0, one sample for each series as Prometheus sends them; not compressed yet."""
    request = V1["WriteRequest"]()
    for series, turn in _numbered(first, count):
        one = request.timeseries.add()  # type: ignore[attr-defined]
        labels = {
            "__name__": "bench_remote",
            "channel": f"channel-{series // 100:04d}",
            "job": "bench",
            "unit": "stage",
            "wafer_equipment_id": f"tool-{series % 100:03d}",
        }
        for name, value in labels.items():
            one.labels.add(name=name, value=value)
        one.samples.add(value=series + turn / 7, timestamp=(start + turn * STEP * _SECOND) // _MS)
    return bytes(request.SerializeToString())


def rows(first: int, count: int, start: int) -> bytes:
    """Build the COPY of the rows that a request of gauges becomes."""
    numbers = np.arange(first, first + count)
    series, turn = numbers % SERIES, numbers // SERIES
    samples = Samples(series + 1, start // _MS + turn * STEP * 1000, series + turn / 7)
    return HEADER + sample_rows(samples) + TRAILER


def fresh(first: int, count: int, start: int) -> bytes:
    """Build a request of gauge points, each of a series that nobody has seen."""
    request, metric = _request("bench.fresh")
    for number in range(first, first + count):
        point = metric.gauge.data_points.add(time_unix_nano=start, as_double=number)
        _attributes(point, number % SERIES)
        point.attributes.add(key="number").value.string_value = f"{number:08d}"
    return request.SerializeToString()
