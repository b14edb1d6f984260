"""OTLP requests made by hand, and a sender that keeps a promise: a request is repeated until it is acknowledged."""

import time
import urllib.error
import urllib.request
from typing import Any

from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import AGGREGATION_TEMPORALITY_DELTA

PATHS = {
    ExportLogsServiceRequest: "/v1/logs",
    ExportMetricsServiceRequest: "/v1/metrics",
    ExportTraceServiceRequest: "/v1/traces",
}
RETRYABLE = {429, 502, 503, 504}
PAUSE_S = 0.1


def pairs(attributes: dict[str, str]) -> list[KeyValue]:
    """Return attributes as OTLP writes them."""
    return [KeyValue(key=key, value=AnyValue(string_value=value)) for key, value in attributes.items()]


def log(body: str, resource: dict[str, str]) -> ExportLogsServiceRequest:
    """Return a request with one log record."""
    request = ExportLogsServiceRequest()
    group = request.resource_logs.add()
    group.resource.attributes.extend(pairs(resource))
    group.scope_logs.add().log_records.add(time_unix_nano=time.time_ns(), body=AnyValue(string_value=body))
    return request


def delta(name: str, value: int, resource: dict[str, str]) -> ExportMetricsServiceRequest:
    """Return a request with one point of a delta counter, over the last second."""
    request = ExportMetricsServiceRequest()
    group = request.resource_metrics.add()
    group.resource.attributes.extend(pairs(resource))
    metric = group.scope_metrics.add().metrics.add(name=name, unit="1")
    metric.sum.aggregation_temporality = AGGREGATION_TEMPORALITY_DELTA
    metric.sum.is_monotonic = True
    now = time.time_ns()
    metric.sum.data_points.add(start_time_unix_nano=now - 1_000_000_000, time_unix_nano=now, as_int=value)
    return request


def gauge(name: str, value: float, unit: str, resource: dict[str, str]) -> ExportMetricsServiceRequest:
    """Return a request with one point of a gauge, now."""
    request = ExportMetricsServiceRequest()
    group = request.resource_metrics.add()
    group.resource.attributes.extend(pairs(resource))
    metric = group.scope_metrics.add().metrics.add(name=name, unit=unit)
    metric.gauge.data_points.add(time_unix_nano=time.time_ns(), as_double=value)
    return request


def span(
    name: str, ids: tuple[bytes, bytes], resource: dict[str, str], attributes: dict[str, str]
) -> ExportTraceServiceRequest:
    """Return a request with one span of one millisecond."""
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    group.resource.attributes.extend(pairs(resource))
    now = time.time_ns()
    made: Any = group.scope_spans.add().spans.add(
        name=name, trace_id=ids[0], span_id=ids[1], start_time_unix_nano=now - 1_000_000, end_time_unix_nano=now
    )
    made.attributes.extend(pairs(attributes))
    return request


def send(endpoint: str, request: Message, *, within_s: float = 30.0) -> None:
    """Send a request over HTTP, byte for byte again until it is acknowledged.

    Raises:
        HTTPError: The answer forbids a retry.
        AssertionError: It wasn't acknowledged in time.
    """
    url = endpoint + PATHS[type(request)]
    post = urllib.request.Request(url, request.SerializeToString(), {"Content-Type": "application/x-protobuf"})
    deadline = time.monotonic() + within_s
    while (fault := _post(post)) is not None:
        assert time.monotonic() < deadline, f"not acknowledged within {within_s:g} s by {url}: {fault}"
        time.sleep(PAUSE_S)  # the pause of a polite client, not a wait for a state


def _post(request: urllib.request.Request) -> Exception | None:
    """Return None when the request was acknowledged, and a fault that allows a retry."""
    try:
        with urllib.request.urlopen(request, timeout=5):
            return None
    except urllib.error.HTTPError as error:
        if error.code not in RETRYABLE:
            raise
        return error
    except OSError as error:
        return error
