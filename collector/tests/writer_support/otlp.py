"""Small OTLP requests for tests."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1 import trace_pb2

SECOND = 10**9
# Now, in whole seconds: inside the partitions that a site has, and before the writer's limit in the future.
NOW = int(time.time()) * SECOND

RESOURCE = {"service.name": "overlay", "service.version": "1.2.0", "host.name": "tool7", "wafer.site.id": "fab1"}
LABELS = {"job": "overlay", "service_version": "1.2.0", "host_name": "tool7", "wafer_site_id": "fab1"}

DELTA = metrics_pb2.AGGREGATION_TEMPORALITY_DELTA
CUMULATIVE = metrics_pb2.AGGREGATION_TEMPORALITY_CUMULATIVE


def value(of: Any) -> AnyValue:  # noqa: PLR0911 - one return per kind of value
    match of:
        case bool():
            return AnyValue(bool_value=of)
        case int():
            return AnyValue(int_value=of)
        case float():
            return AnyValue(double_value=of)
        case bytes():
            return AnyValue(bytes_value=of)
        case str():
            return AnyValue(string_value=of)
        case Mapping():
            return AnyValue(kvlist_value=KeyValueList(values=attributes(of)))
        case _:
            return AnyValue(array_value=ArrayValue(values=map(value, of)))


def attributes(of: Mapping[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=key, value=value(item)) for key, item in of.items()]


def number(of: float, time: int = NOW, start: int = 0, flags: int = 0, **labels: Any) -> metrics_pb2.NumberDataPoint:
    field = {"as_int": of} if isinstance(of, int) else {"as_double": of}
    return metrics_pb2.NumberDataPoint(
        **field, time_unix_nano=time, start_time_unix_nano=start, flags=flags, attributes=attributes(labels)
    )


def histogram(
    bounds: Sequence[float], counts: Sequence[int], total: float = 0.0, time: int = NOW, start: int = 0, **labels: Any
) -> metrics_pb2.HistogramDataPoint:
    return metrics_pb2.HistogramDataPoint(
        explicit_bounds=bounds,
        bucket_counts=counts,
        count=sum(counts),
        sum=total,
        time_unix_nano=time,
        start_time_unix_nano=start,
        attributes=attributes(labels),
    )


def gauge(name: str, *points: metrics_pb2.NumberDataPoint, unit: str = "") -> metrics_pb2.Metric:
    return metrics_pb2.Metric(name=name, unit=unit, gauge=metrics_pb2.Gauge(data_points=points))


def total(
    name: str,
    *points: metrics_pb2.NumberDataPoint,
    unit: str = "",
    temporality: int = CUMULATIVE,
    monotonic: bool = True,
) -> metrics_pb2.Metric:
    data = metrics_pb2.Sum(data_points=points, aggregation_temporality=temporality, is_monotonic=monotonic)
    return metrics_pb2.Metric(name=name, unit=unit, sum=data)


def histograms(
    name: str, *points: metrics_pb2.HistogramDataPoint, unit: str = "", temporality: int = CUMULATIVE
) -> metrics_pb2.Metric:
    data = metrics_pb2.Histogram(data_points=points, aggregation_temporality=temporality)
    return metrics_pb2.Metric(name=name, unit=unit, histogram=data)


def metrics(
    *of: metrics_pb2.Metric, resource: Mapping[str, Any] = RESOURCE, scope: str = "test"
) -> ExportMetricsServiceRequest:
    scoped = metrics_pb2.ScopeMetrics(scope=InstrumentationScope(name=scope), metrics=of)
    return ExportMetricsServiceRequest(
        resource_metrics=[
            metrics_pb2.ResourceMetrics(resource=Resource(attributes=attributes(resource)), scope_metrics=[scoped])
        ]
    )


def logs(*of: logs_pb2.LogRecord, resource: Mapping[str, Any] = RESOURCE) -> ExportLogsServiceRequest:
    scoped = logs_pb2.ScopeLogs(scope=InstrumentationScope(name="waferscope"), log_records=of)
    return ExportLogsServiceRequest(
        resource_logs=[logs_pb2.ResourceLogs(resource=Resource(attributes=attributes(resource)), scope_logs=[scoped])]
    )


def traces(*of: trace_pb2.Span, resource: Mapping[str, Any] = RESOURCE) -> ExportTraceServiceRequest:
    scoped = trace_pb2.ScopeSpans(scope=InstrumentationScope(name="waferscope"), spans=of)
    return ExportTraceServiceRequest(
        resource_spans=[
            trace_pb2.ResourceSpans(resource=Resource(attributes=attributes(resource)), scope_spans=[scoped])
        ]
    )


def event(name: str, time: int = NOW, **more: Any) -> logs_pb2.LogRecord:
    """Build an event; keyword names hold double underscores for dots."""
    own = {key.replace("__", "."): item for key, item in more.items()}
    return logs_pb2.LogRecord(
        time_unix_nano=time,
        severity_number=9,
        event_name=name,
        trace_id=bytes(range(16)),
        span_id=bytes(range(8)),
        attributes=attributes(own),
    )


def job_event(name: str, sequence: int, time: int = NOW, job: str = "J1", **more: Any) -> logs_pb2.LogRecord:
    """Build a job's event; keyword names hold double underscores for dots."""
    known = {
        "wafer__job__id": job,
        "wafer__job__name": "overlay fit",
        "wafer__job__attempt": 1,
        "wafer__job__sequence": sequence,
    }
    return event(f"wafer.job.{name}", time, **known | more)
