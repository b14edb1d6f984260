"""OTLP requests of metrics that the writer makes itself."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.metrics.v1 import metrics_pb2 as otlp
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from waferscope_schemas import semconv

_SCOPE = InstrumentationScope(name="waferscope.writer")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NO_VALUE = otlp.DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK

Pairs = tuple[tuple[str, str], ...]  # attributes; those without a value are left out


class Request:
    """Gathers points, and writes them as one body: equal points give equal bytes."""

    def __init__(self) -> None:
        self._points: dict[Pairs, dict[tuple[str, str], otlp.Metric]] = defaultdict(dict)

    def gauge(
        self, resource: Pairs, name: str, time: int, value: float | None, attributes: Pairs = (), *, unit: str = ""
    ) -> None:
        """Add a point of a gauge.

        Args:
            resource: The resource's attributes.
            name: The metric.
            time: Unix time, ns.
            value: None ends the series.
            attributes: The point's.
            unit: UCUM.
        """
        point = self._metric(resource, name, unit).gauge.data_points.add(
            time_unix_nano=time, attributes=attributes_of(attributes)
        )
        if value is None:
            point.flags = _NO_VALUE
        else:
            point.as_double = value

    def total(
        self,
        resource: Pairs,
        name: str,
        interval: tuple[int, int],
        value: float,
        attributes: Pairs = (),
        *,
        unit: str = "",
        delta: bool = False,
    ) -> None:
        """Add a point of a counter: what was counted between two times (Unix time, ns)."""
        data = self._metric(resource, name, unit).sum
        data.is_monotonic = True
        data.aggregation_temporality = _temporality(delta=delta)
        data.data_points.add(
            start_time_unix_nano=interval[0],
            time_unix_nano=interval[1],
            as_double=value,
            attributes=attributes_of(attributes),
        )

    def histogram(
        self, resource: Pairs, name: str, point: otlp.HistogramDataPoint, *, unit: str = "", delta: bool = False
    ) -> None:
        """Add a point of a histogram."""
        data = self._metric(resource, name, unit).histogram
        data.aggregation_temporality = _temporality(delta=delta)
        data.data_points.append(point)

    def body(self) -> bytes:
        """Write the request; empty when there is no point."""
        request = ExportMetricsServiceRequest(
            resource_metrics=[
                otlp.ResourceMetrics(
                    resource=Resource(attributes=attributes_of(resource)),
                    scope_metrics=[otlp.ScopeMetrics(scope=_SCOPE, metrics=metrics.values())],
                )
                for resource, metrics in self._points.items()
            ]
        )
        return request.SerializeToString(deterministic=True)

    def _metric(self, resource: Pairs, name: str, unit: str) -> otlp.Metric:
        metrics = self._points[resource]
        if (name, unit) not in metrics:
            metrics[name, unit] = otlp.Metric(name=name, unit=unit)
        return metrics[name, unit]


@cache
def registered(name: str) -> semconv.Signal:
    """Return a metric of the semantic-convention registry."""
    return next(signal for signal in semconv.load().of("metric") if signal.name == name)


def observed(
    bounds: Sequence[float], value: float, interval: tuple[int, int], attributes: Pairs
) -> otlp.HistogramDataPoint:
    """Build the histogram of one observation.

    Args:
        bounds: Upper bounds of its buckets, without +Inf.
        value: What was observed.
        interval: When, from and to, Unix time, ns.
        attributes: The point's.
    """
    counts = [0] * (len(bounds) + 1)
    counts[sum(bound < value for bound in bounds)] = 1
    return otlp.HistogramDataPoint(
        start_time_unix_nano=interval[0],
        time_unix_nano=interval[1],
        count=1,
        sum=value,
        explicit_bounds=bounds,
        bucket_counts=counts,
        attributes=attributes_of(attributes),
    )


def nanoseconds(at: datetime) -> int:
    """Return a time as Unix time in ns."""
    return (at - _EPOCH) // timedelta(microseconds=1) * 1000


def pairs(of: Mapping[str, str]) -> Pairs:
    """Write attributes in one order."""
    return tuple(sorted(of.items()))


def site(name: str) -> Pairs:
    """Return the resource of what is derived for a site."""
    return (("wafer.site.id", name),)


def attributes_of(of: Pairs) -> list[KeyValue]:
    """Write attributes for a message."""
    return [KeyValue(key=key, value=AnyValue(string_value=value)) for key, value in of if value]


def _temporality(*, delta: bool) -> "otlp.AggregationTemporality.ValueType":
    return otlp.AGGREGATION_TEMPORALITY_DELTA if delta else otlp.AGGREGATION_TEMPORALITY_CUMULATIVE
