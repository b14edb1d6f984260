"""The three signals of OTLP: their messages, and how their bodies become batches."""

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs_service
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics_service
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as trace_service

from waferscope_collector.batch import Batch, Points, Signal
from waferscope_collector.decode import json, logs, metrics, traces
from waferscope_collector.decode.context import Context, Rules
from waferscope_collector.decode.limits import Rejects
from waferscope_collector.decode.points import Metrics
from waferscope_collector.decode.records import Logs, Traces, instant
from waferscope_collector.identify import SeriesCache


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One signal's request and response, and where clients send it."""

    signal: Signal
    path: str  # HTTP
    method: str  # gRPC
    request: type[Message]
    response: type[Message]
    decode: Callable[[bytes, Context], Metrics | Logs | Traces]  # of the request in protobuf
    rejected: str  # the field of the response's partial success that counts
    noun: str


ENDPOINTS: Mapping[Signal, Endpoint] = MappingProxyType(
    {
        "metrics": Endpoint(
            "metrics",
            "/v1/metrics",
            "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
            metrics_service.ExportMetricsServiceRequest,
            metrics_service.ExportMetricsServiceResponse,
            metrics.decode,
            "rejected_data_points",
            "data points",
        ),
        "logs": Endpoint(
            "logs",
            "/v1/logs",
            "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
            logs_service.ExportLogsServiceRequest,
            logs_service.ExportLogsServiceResponse,
            logs.decode,
            "rejected_log_records",
            "log records",
        ),
        "traces": Endpoint(
            "traces",
            "/v1/traces",
            "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            trace_service.ExportTraceServiceRequest,
            trace_service.ExportTraceServiceResponse,
            traces.decode,
            "rejected_spans",
            "spans",
        ),
    }
)


def decode(endpoint: Endpoint, body: bytes, *, as_json: bool, rules: Rules, cache: SeriesCache) -> Batch:
    """Decode a body and look up its series; meant for a thread.

    Args:
        endpoint: The signal.
        body: The decompressed body.
        as_json: Whether it is OTLP/JSON, else protobuf.
        rules: How all requests are decoded.
        cache: Where series are looked up.

    Returns:
        The batch to commit.

    Raises:
        MalformedError: The body is no such request.
    """
    received = time.time_ns()
    rejects = Rejects(endpoint.noun)
    digest = hashlib.sha256(endpoint.signal.encode() + b"\0")
    digest.update(body)
    batch = partial(Batch, endpoint.signal, digest.digest(), instant(received), rejects)
    if as_json:
        body = json.parse(body, endpoint.request).SerializeToString()
    decoded = endpoint.decode(body, rules.context(received, cache.seed, rejects))
    match decoded:
        case Metrics():
            return batch(points=Points.of(decoded, cache, rejects))
        case Logs():
            return batch(logs=decoded)
        case Traces():
            return batch(traces=decoded)


def answer(endpoint: Endpoint, rejects: Rejects) -> Message:
    """Build the response: partial success stays unset unless something was refused for good."""
    response = endpoint.response()
    if rejects.total:
        setattr(response.partial_success, endpoint.rejected, rejects.total)  # type: ignore[attr-defined]
        response.partial_success.error_message = rejects.message  # type: ignore[attr-defined]
    return response
