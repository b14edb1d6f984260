"""The writer's own metrics as OTLP: what /metrics shows, of all its processes together."""

from collections import defaultdict
from collections.abc import Iterable

from opentelemetry.proto.metrics.v1 import metrics_pb2 as otlp
from prometheus_client import Metric
from prometheus_client.samples import Sample

from waferscope_collector.derive.desk import OWN
from waferscope_collector.derive.request import Pairs, Request, attributes_of, pairs


def sample(metrics: Iterable[Metric], now: int, began: int, resource: Pairs) -> bytes:
    """Write metrics as a request.

    Args:
        metrics: As a registry collects them.
        now: Unix time, ns.
        began: When the counters began at zero, Unix time, ns.
        resource: The writer's attributes.
    """
    request = Request()
    for metric in metrics:
        if metric.name.startswith(OWN):  # tells of these very samples
            continue
        if metric.type == "histogram":
            for point in _histograms(metric.samples, (began, now)):
                request.histogram(resource, metric.name, point)
            continue
        for item in metric.samples:
            if metric.type == "gauge":
                request.gauge(resource, metric.name, now, item.value, pairs(item.labels))
            elif item.name.endswith("_total"):
                request.total(resource, metric.name, (began, now), item.value, pairs(item.labels))
    return request.body()


def _histograms(samples: Iterable[Sample], interval: tuple[int, int]) -> Iterable[otlp.HistogramDataPoint]:
    """Put the samples of each histogram together: its buckets count all that is below their bound."""
    sums: dict[Pairs, float] = {}
    below: dict[Pairs, dict[float, float]] = defaultdict(dict)
    for item in samples:
        key = pairs({name: value for name, value in item.labels.items() if name != "le"})
        if item.name.endswith("_bucket"):
            below[key][float(item.labels["le"])] = item.value
        elif item.name.endswith("_sum"):
            sums[key] = item.value
    for key, counts in below.items():
        bounds = sorted(counts)
        reached = [int(counts[bound]) for bound in bounds]
        yield otlp.HistogramDataPoint(
            start_time_unix_nano=interval[0],
            time_unix_nano=interval[1],
            count=reached[-1],
            sum=sums.get(key, 0.0),
            explicit_bounds=bounds[:-1],
            bucket_counts=[count - before for count, before in zip(reached, [0, *reached[:-1]], strict=True)],
            attributes=attributes_of(key),
        )
