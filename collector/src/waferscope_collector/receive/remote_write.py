"""Prometheus remote write, 1.0 and 2.0, over HTTP.

Source: Prometheus remote-write specifications 1.0 and 2.0. Errors are plain text there: what is bad in itself is
answered by 400 after everything else was stored, and is not sent again; 503 is.
"""

from functools import partial
from typing import Any

import cramjam
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics_service
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from waferscope_collector.batch import Batch
from waferscope_collector.decode import remote_write
from waferscope_collector.decode.remote_write import Version
from waferscope_collector.errors import MalformedError, RequestError, UnsupportedError
from waferscope_collector.receive.body import Read, too_large
from waferscope_collector.receive.intake import Intake
from waferscope_collector.receive.signals import Endpoint
from waferscope_collector.receive.status import http_code, retry_headers

PATH = "/api/v1/write"

_MESSAGES: dict[str, Version] = {"prometheus.writerequest": 1, "io.prometheus.write.v2.request": 2}
_WRITTEN = "X-Prometheus-Remote-Write-{}-Written"
_NO_CONTENT, _BAD_REQUEST = 204, 400


def route(intake: Intake, limit: int, read: Read) -> Route:
    """Build the route.

    Args:
        intake: Where requests go.
        limit: Bytes of a body at most, before and after decompression.
        read: Reads a body up to a limit.
    """
    endpoints = {version: _endpoint(version) for version in _MESSAGES.values()}

    async def write(request: Request) -> Response:
        try:
            version = _version(request)
            body = await read(request, limit)
            batch = await intake.store(endpoints[version], "http", len(body), lambda: _plain(body, limit))
        except RequestError as error:
            return PlainTextResponse(f"{error}\n", http_code(error), retry_headers(error))
        return _answer(batch, version)

    return Route(PATH, write, methods=["POST"])


def _endpoint(version: Version) -> Endpoint:
    return Endpoint(
        signal="write",
        path=PATH,
        method="",
        request=metrics_service.ExportMetricsServiceRequest,
        response=metrics_service.ExportMetricsServiceResponse,
        decode=partial(remote_write.decode, version=version),
        rejected="rejected_data_points",
        noun="samples",
    )


def _version(request: Request) -> Version:
    """Read the version of the protocol from the headers.

    Raises:
        UnsupportedError: They name none that is known.
    """
    kind, _, parameters = request.headers.get("content-type", "").partition(";")
    if kind.strip().lower() != "application/x-protobuf":
        raise UnsupportedError("Content-Type must be application/x-protobuf")
    if request.headers.get("content-encoding", "snappy").strip().lower() != "snappy":
        raise UnsupportedError("Content-Encoding must be snappy")
    name, _, message = parameters.strip().partition("=")
    if not name:
        return 1
    version = _MESSAGES.get(message.strip().strip('"').lower()) if name.strip().lower() == "proto" else None
    if version is None:
        raise UnsupportedError("proto must be prometheus.WriteRequest or io.prometheus.write.v2.Request")
    return version


def _plain(body: bytes, limit: int) -> bytes:
    """Decompress a body, which is one snappy block.

    Raises:
        MalformedError: It is none.
        TooLargeError: It is over the limit.
    """
    snappy: Any = cramjam.snappy
    try:
        if snappy.decompress_raw_len(body) > limit:
            raise too_large(limit)
        return bytes(snappy.decompress_raw(body))
    except cramjam.DecompressionError as error:
        raise MalformedError("the body is not compressed by snappy in its block format") from error


def _answer(batch: Batch, version: Version) -> Response:
    headers = {}
    if version == 2:  # noqa: PLR2004
        stored = batch.points.stored if batch.points else (0, 0, 0)
        kinds = zip(("Samples", "Histograms", "Exemplars"), stored, strict=True)
        headers = {_WRITTEN.format(kind): str(count) for kind, count in kinds}
    if batch.rejects.total:
        return PlainTextResponse(f"{batch.rejects.message}\n", _BAD_REQUEST, headers)
    return Response(None, _NO_CONTENT, headers)
