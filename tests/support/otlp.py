"""A real OTLP/HTTP receiver on loopback that keeps what it is sent."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

MESSAGES = {
    "/v1/traces": ExportTraceServiceRequest,
    "/v1/logs": ExportLogsServiceRequest,
    "/v1/metrics": ExportMetricsServiceRequest,
}


def plain(attributes: Any) -> dict[str, Any]:
    """Turn protobuf attributes into a dict."""
    return {item.key: getattr(item.value, item.value.WhichOneof("value")) for item in attributes}


@dataclass
class Receiver:
    """A loopback OTLP/HTTP receiver; answers with `status`, after `delay` seconds."""

    url: str
    bodies: list[tuple[str, bytes]]
    status: int = 200
    delay: float = 0.0

    def messages(self, path: str) -> list[Any]:
        return [MESSAGES[path].FromString(body) for where, body in list(self.bodies) if where == path]

    def events(self) -> list[tuple[str, dict[str, Any]]]:
        return [
            (record.event_name, plain(record.attributes))
            for message in self.messages("/v1/logs")
            for resource in message.resource_logs
            for scope in resource.scope_logs
            for record in scope.log_records
        ]

    def spans(self) -> list[Any]:
        return [
            span
            for message in self.messages("/v1/traces")
            for resource in message.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def points(self, metric: str) -> list[Any]:
        return [
            point
            for message in self.messages("/v1/metrics")
            for resource in message.resource_metrics
            for scope in resource.scope_metrics
            for item in scope.metrics
            if item.name == metric
            for point in getattr(item, item.WhichOneof("data")).data_points
        ]

    def resources(self, path: str) -> list[dict[str, Any]]:
        field = {"/v1/traces": "resource_spans", "/v1/logs": "resource_logs", "/v1/metrics": "resource_metrics"}[path]
        return [plain(item.resource.attributes) for message in self.messages(path) for item in getattr(message, field)]


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Run a receiver while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            time.sleep(found.delay)
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            if found.status == 200:
                found.bodies.append((self.path, body))
            self.send_response(found.status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found = Receiver(f"http://127.0.0.1:{server.server_port}", [])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()
