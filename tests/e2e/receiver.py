"""A second OTLP receiver: stands in for Tempo, or for the writer where only the Collector is under test."""

import contextlib
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import grpc
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs_pb
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2_grpc as logs_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics_pb
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc as metrics_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as trace_pb
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as trace_grpc
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

MAX_MESSAGE_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Item:
    """A span, log record or metric as it was received."""

    resource: dict[str, Any]
    scope: str
    data: Any  # opentelemetry.proto's Span, LogRecord or Metric

    @property
    def attributes(self) -> dict[str, Any]:
        """The attributes of a span or log record."""
        return plain(self.data.attributes)


def plain(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    """Return OTLP attributes as a dict of plain values."""
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value") or "string_value") for pair in pairs}


@dataclass(slots=True)
class Received:
    """All that has been received, in order of arrival."""

    spans: list[Item] = field(default_factory=list)
    logs: list[Item] = field(default_factory=list)
    metrics: list[Item] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def spans_named(self, name: str) -> list[Item]:
        """Return the spans of a name."""
        with self.lock:
            return [item for item in self.spans if item.data.name == name]

    def span(self, trace_id: str, span_id: str) -> Item | None:
        """Return the span with these ids (hex), None when it hasn't come."""
        ids = bytes.fromhex(trace_id), bytes.fromhex(span_id)
        with self.lock:
            return next((item for item in self.spans if (item.data.trace_id, item.data.span_id) == ids), None)

    def metrics_named(self, name: str) -> list[Item]:
        """Return the metrics of a name, as OTLP writes it."""
        with self.lock:
            return [item for item in self.metrics if item.data.name == name]


@contextlib.contextmanager
def listening(port: int) -> Iterator[Received]:
    """Receive OTLP over gRPC on a loopback port, and yield what comes."""
    received = Received()
    server = grpc.server(
        ThreadPoolExecutor(8, thread_name_prefix="receiver"),
        options=[("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES)],
    )

    def traces(request: trace_pb.ExportTraceServiceRequest, _: object) -> trace_pb.ExportTraceServiceResponse:
        with received.lock:
            received.spans += _items(request.resource_spans, "scope_spans", "spans")
        return trace_pb.ExportTraceServiceResponse()

    def logs(request: logs_pb.ExportLogsServiceRequest, _: object) -> logs_pb.ExportLogsServiceResponse:
        with received.lock:
            received.logs += _items(request.resource_logs, "scope_logs", "log_records")
        return logs_pb.ExportLogsServiceResponse()

    def metrics(request: metrics_pb.ExportMetricsServiceRequest, _: object) -> metrics_pb.ExportMetricsServiceResponse:
        with received.lock:
            received.metrics += _items(request.resource_metrics, "scope_metrics", "metrics")
        return metrics_pb.ExportMetricsServiceResponse()

    trace_grpc.add_TraceServiceServicer_to_server(_service(trace_grpc.TraceServiceServicer, traces), server)
    logs_grpc.add_LogsServiceServicer_to_server(_service(logs_grpc.LogsServiceServicer, logs), server)
    metrics_grpc.add_MetricsServiceServicer_to_server(_service(metrics_grpc.MetricsServiceServicer, metrics), server)
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    try:
        yield received
    finally:
        server.stop(grace=None).wait()


def _service(kind: type, export: Any) -> Any:
    service = kind()
    service.Export = export
    return service


def _items(resources: Iterable[Any], scopes: str, items: str) -> list[Item]:
    return [
        Item(plain(each.resource.attributes), scope.scope.name, data)
        for each in resources
        for scope in getattr(each, scopes)
        for data in getattr(scope, items)
    ]
