"""Compiles or loads all kernels, so that no request waits for it.

    python -m waferscope_collector.warming

fills the folder of compiled kernels, when an image is built for example. The first time takes some twenty seconds.
"""

import numpy as np
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1 import metrics_pb2 as otlp

from waferscope_collector.batch import Points
from waferscope_collector.copy import HistogramSamples, histogram_rows
from waferscope_collector.decode import metrics, remote_write
from waferscope_collector.decode.context import Context
from waferscope_collector.decode.limits import Rejects
from waferscope_collector.decode.remote_write_messages import V1, V2
from waferscope_collector.identify import SeriesCache
from waferscope_collector.wire import running


def warm() -> None:
    """Send one small request of every kind through decoding."""
    cache, rejects = SeriesCache(100), Rejects("data points")
    context = Context("", 2**62, cache.seed, rejects)
    point = otlp.NumberDataPoint(time_unix_nano=1, as_double=1.0)
    delta = otlp.AGGREGATION_TEMPORALITY_CUMULATIVE
    histogram = otlp.HistogramDataPoint(time_unix_nano=1, count=1, bucket_counts=[1, 0], explicit_bounds=[1.0])
    request = ExportMetricsServiceRequest()
    scope = request.resource_metrics.add().scope_metrics.add()
    scope.metrics.add(name="a").gauge.data_points.append(point)
    scope.metrics.add(name="b", histogram=otlp.Histogram(aggregation_temporality=delta, data_points=[histogram]))
    scope.metrics.add(name="c").summary.data_points.add(time_unix_nano=1)
    points = Points.of(metrics.decode(request.SerializeToString(), context), cache, rejects)
    (kind,) = points.histograms
    cache.put(kind.points.keys, np.ones(1, np.int64))
    histogram_rows(HistogramSamples(kind.ids, kind.points.times, kind.points.starts, kind.points.buckets, np.arange(1)))
    running.totals(np.ones(1), np.zeros(1), np.zeros(1, np.int64))
    remote_write.decode(V1["WriteRequest"](timeseries=[V1["TimeSeries"]()]).SerializeToString(), context, version=1)
    remote_write.decode(V2["Request"](symbols=[""]).SerializeToString(), context, version=2)


if __name__ == "__main__":
    warm()
