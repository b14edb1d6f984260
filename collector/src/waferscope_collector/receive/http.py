"""OTLP over HTTP, with health and metrics beside it."""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any, Protocol

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from waferscope_collector.errors import RequestError, UnsupportedError
from waferscope_collector.meters import Meters
from waferscope_collector.receive import ports, predecessor, remote_write
from waferscope_collector.receive.body import CODINGS, Read, decompress, too_large
from waferscope_collector.receive.intake import Intake
from waferscope_collector.receive.signals import ENDPOINTS, Endpoint
from waferscope_collector.receive.status import encode, http_code, retry_headers, status, status_of_http

_PROTOBUF, _JSON = "application/x-protobuf", "application/json"


class Readiness(Protocol):
    """Tells what keeps the writer from storing requests."""

    async def __call__(self) -> dict[str, str]:
        """Return the state of each dependency: "ok", or what is wrong."""


def application(intake: Intake, meters: Meters, readiness: Readiness, limit: int) -> Starlette:
    """Build the application.

    Args:
        intake: Where requests go.
        meters: Shown on /metrics.
        readiness: Asked on /v1/readyz.
        limit: Bytes of a body at most, before and after decompression.
    """
    read = _reader(intake)
    routes = [
        Route(endpoint.path, _export(endpoint, intake, read, limit), methods=["POST"])
        for endpoint in ENDPOINTS.values()
    ]
    routes.append(remote_write.route(intake, limit, read))
    routes += predecessor.routes(intake, limit, read)
    routes += [
        Route("/v1/healthz", _healthz),
        Route("/v1/readyz", _readyz(readiness)),
        Route("/metrics", _metrics(meters)),
    ]
    return Starlette(routes=routes, exception_handlers={HTTPException: _http_error, RequestError: _request_error})


def _export(endpoint: Endpoint, intake: Intake, read: Read, limit: int) -> Callable[[Request], Awaitable[Response]]:
    async def export(request: Request) -> Response:
        as_json = _content_type(request) == _JSON
        if not as_json and _content_type(request) != _PROTOBUF:
            raise UnsupportedError(f"Content-Type must be {_PROTOBUF} or {_JSON}")
        body = await read(request, limit)
        encoding = request.headers.get("content-encoding", "")
        response = await intake.take(
            endpoint, "http", len(body), lambda: decompress(body, encoding, limit), as_json=as_json
        )
        return Response(encode(response, as_json=as_json), media_type=_JSON if as_json else _PROTOBUF)

    return export


def _reader(intake: Intake) -> Read:
    async def read(request: Request, limit: int) -> bytes:
        intake.require_room()
        with intake.reading() as hold:
            return await _read(request, limit, hold)

    return read


async def _read(request: Request, limit: int, hold: Callable[[int], None]) -> bytes:
    """Read a body up to the limit, telling of each piece that is held."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced[:20]) > limit:
        raise too_large(limit)
    parts, size = [], 0
    async for part in request.stream():
        hold(len(part))
        parts.append(part)
        size += len(part)
        if size > limit:
            raise too_large(limit)
    return b"".join(parts)


async def _healthz(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


def _readyz(readiness: Readiness) -> Callable[[Request], Awaitable[Response]]:
    async def readyz(_: Request) -> Response:
        checks = await readiness()
        ready = all(state == "ok" for state in checks.values())
        return JSONResponse({"status": "ok" if ready else "unavailable", **checks}, 200 if ready else 503)

    return readyz


def _metrics(meters: Meters) -> Callable[[Request], Awaitable[Response]]:
    async def metrics(_: Request) -> Response:
        return Response(await asyncio.to_thread(meters.page), media_type=CONTENT_TYPE_LATEST)

    return metrics


def _content_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _request_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestError)
    headers = retry_headers(error)
    if isinstance(error, UnsupportedError):
        headers["Accept-Encoding"] = ", ".join(CODINGS)  # RFC 9110, 12.5.3
    return _error_body(request, encode(status(error), as_json=_wants_json(request)), http_code(error), headers)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    body = encode(status_of_http(error.status_code, error.detail), as_json=_wants_json(request))
    return _error_body(request, body, error.status_code, dict(error.headers or {}))


def _error_body(request: Request, body: bytes, code: int, headers: dict[str, str]) -> Response:
    return Response(body, code, headers, _JSON if _wants_json(request) else _PROTOBUF)


def _wants_json(request: Request) -> bool:
    """Tell whether a client reads JSON: whoever doesn't send protobuf."""
    return _content_type(request) != _PROTOBUF


class HttpServer:
    """Serves the application; its port is taken before anything else starts."""

    def __init__(self, host: str, port: int, shared: socket.socket | None = None) -> None:
        """Take the port.

        Args:
            host: Address to listen on.
            port: Port to listen on.
            shared: Listens there already, for several processes.

        Raises:
            PortTakenError: Another process has it.
        """
        self._socket = shared or ports.take(host, port, "HTTP")
        self._server: uvicorn.Server | None = None

    def serve(self, app: Starlette) -> Coroutine[Any, Any, None]:
        """Return what serves until `stop`, which may come before it runs."""
        config = uvicorn.Config(app, http="httptools", ws="none", lifespan="off", log_config=None, access_log=False)
        self._server = _Server(config)
        return self._server.serve([self._socket])

    def stop(self) -> None:
        """Take no more requests; `serve` returns once those under way are answered."""
        if self._server is not None:
            self._server.should_exit = True


class _Server(uvicorn.Server):
    """A server that leaves signals to the process around it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
