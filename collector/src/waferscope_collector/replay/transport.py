"""One request to a writer, over HTTP or gRPC: taken, refused, or to be sent again."""

import http.client
import threading
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc.status_pb2 import Status

from waferscope_collector.errors import WriterError
from waferscope_collector.receive.signals import Endpoint

_TIMEOUT = 120.0  # s: a writer that is busy answers before
_PROTOBUF = "application/x-protobuf"
_OK = 200
# OpenTelemetry protocol specification, "Failures": after these a client sends again.
_HTTP_AGAIN = frozenset({429, 502, 503, 504})
_GRPC_AGAIN = frozenset(
    {
        *(grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED),
        *(grpc.StatusCode.ABORTED, grpc.StatusCode.OUT_OF_RANGE, grpc.StatusCode.DATA_LOSS),
    }
)


class BadEndpointError(WriterError):
    """The endpoint is no address that requests can be sent to."""

    exit_code = 2


class AgainError(Exception):
    """The writer did not take a request now; it shall be sent again."""

    def __init__(self, why: str, wait: float = 0.0) -> None:
        """Say why.

        Args:
            why: One line.
            wait: Seconds that the writer asks to wait.
        """
        super().__init__(why)
        self.wait = wait


class RefusedError(Exception):
    """The writer refuses a request for good."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """A request that is stored."""

    refused: int  # records of it that can't be
    why: str


class Transport(Protocol):
    """Sends requests; any number of threads may do so at once."""

    def send(self, endpoint: Endpoint, body: bytes) -> Accepted:
        """Send a request in protobuf.

        Raises:
            AgainError: It shall be sent again.
            RefusedError: It never will be taken.
        """


def connect(url: str) -> Transport:
    """Return the transport to an endpoint; nothing is sent yet.

    Args:
        url: Such as http://host:14318 or grpc://host:14317; https and grpcs with TLS.

    Raises:
        BadEndpointError: It is none of these.
    """
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError as error:
        raise BadEndpointError(f"{url}: {error}") from error
    if parts.hostname and parts.scheme in ("http", "https"):
        return _Http(parts.hostname, port, parts.path.rstrip("/"), tls=parts.scheme == "https")
    if parts.hostname and port and parts.scheme in ("grpc", "grpcs"):
        return _Grpc(parts.netloc, tls=parts.scheme == "grpcs")
    raise BadEndpointError(f"{url} is no endpoint: use http://host:14318 or grpc://host:14317")


class _Http:
    """Sends over HTTP, each thread by a connection of its own."""

    def __init__(self, host: str, port: int | None, path: str, *, tls: bool) -> None:
        self._connection = http.client.HTTPSConnection if tls else http.client.HTTPConnection
        self._host, self._port, self._path = host, port, path
        self._local = threading.local()

    def send(self, endpoint: Endpoint, body: bytes) -> Accepted:
        try:
            connection = self._own()
            connection.request("POST", self._path + endpoint.path, body, {"Content-Type": _PROTOBUF})
            response = connection.getresponse()
            answer = response.read()
        except (OSError, http.client.HTTPException) as error:
            self._local.connection = None
            raise AgainError(str(error) or type(error).__name__) from error
        if response.status == _OK:
            return _accepted(endpoint, answer)
        why = f"HTTP {response.status}: {_told(answer)}"
        if response.status in _HTTP_AGAIN:
            after = response.headers.get("Retry-After", "")
            raise AgainError(why, float(after) if after.isdecimal() else 0.0)
        raise RefusedError(why)

    def _own(self) -> http.client.HTTPConnection:
        found: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if found is None:
            found = self._local.connection = self._connection(self._host, self._port, timeout=_TIMEOUT)
        return found


class _Grpc:
    """Sends over gRPC."""

    def __init__(self, address: str, *, tls: bool) -> None:
        options = (("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1))
        self._channel = (
            grpc.secure_channel(address, grpc.ssl_channel_credentials(), options)
            if tls
            else grpc.insecure_channel(address, options)
        )

    def send(self, endpoint: Endpoint, body: bytes) -> Accepted:
        try:
            export = self._channel.unary_unary(endpoint.method, None, None)  # bytes both ways
            return _accepted(endpoint, export(body, timeout=_TIMEOUT))
        except grpc.RpcError as error:
            why = f"gRPC {error.code().name}: {_line(error.details() or '')}"
            if error.code() in _GRPC_AGAIN:
                raise AgainError(why) from error
            raise RefusedError(why) from error


def _accepted(endpoint: Endpoint, answer: bytes) -> Accepted:
    response: Message = endpoint.response()
    try:
        response.ParseFromString(answer)
    except DecodeError:
        raise RefusedError("the answer is none of an OTLP server: is this its address?") from None
    partial = response.partial_success  # type: ignore[attr-defined]
    return Accepted(getattr(partial, endpoint.rejected), _line(partial.error_message))


def _told(answer: bytes) -> str:
    try:
        return _line(Status.FromString(answer).message)
    except DecodeError:
        return _line(answer[:300].decode(errors="replace"))


def _line(text: str) -> str:
    return " ".join(text.split())[:300]
