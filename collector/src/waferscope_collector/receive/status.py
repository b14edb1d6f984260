"""The one table from errors to HTTP and gRPC, and google.rpc.Status bodies.

Source: OpenTelemetry protocol specification, "Failures": bodies of errors are Status messages in the request's
encoding; of the HTTP codes used here clients send again after 503 only, of the gRPC codes after UNAVAILABLE.
"""

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from waferscope_collector.errors import (
    MalformedError,
    RequestError,
    TooLargeError,
    UnavailableError,
    UnstorableError,
    UnsupportedError,
)

RETRY_AFTER_S = 5

_CODES: dict[type[RequestError], tuple[int, grpc.StatusCode]] = {
    MalformedError: (400, grpc.StatusCode.INVALID_ARGUMENT),
    UnstorableError: (400, grpc.StatusCode.INVALID_ARGUMENT),
    TooLargeError: (413, grpc.StatusCode.RESOURCE_EXHAUSTED),
    UnsupportedError: (415, grpc.StatusCode.UNIMPLEMENTED),
    UnavailableError: (503, grpc.StatusCode.UNAVAILABLE),
}
_BY_HTTP = {404: grpc.StatusCode.NOT_FOUND, 405: grpc.StatusCode.UNIMPLEMENTED}


def http_code(error: RequestError) -> int:
    """Return the HTTP status of an error."""
    return _CODES[type(error)][0]


def grpc_code(error: RequestError) -> grpc.StatusCode:
    """Return the gRPC status of an error."""
    return _CODES[type(error)][1]


def retry_headers(error: RequestError) -> dict[str, str]:
    """Return the headers of an error's answer over HTTP; where the client shall send again, they say when."""
    return {"Retry-After": str(RETRY_AFTER_S)} if isinstance(error, UnavailableError) else {}


def status(error: RequestError) -> Status:
    """Return the body of an error; where the client shall send again, it says when."""
    found = Status(code=grpc_code(error).value[0], message=str(error))
    if isinstance(error, UnavailableError):
        found.details.add().Pack(RetryInfo(retry_delay=Duration(seconds=RETRY_AFTER_S)))
    return found


def status_of_http(code: int, message: str) -> Status:
    """Return the body of an error that HTTP itself gives: no such path, no such method."""
    return Status(code=_BY_HTTP.get(code, grpc.StatusCode.UNKNOWN).value[0], message=message)


def encode(message: Message, *, as_json: bool) -> bytes:
    """Write a response or a status in the request's encoding."""
    return MessageToJson(message, indent=None).encode() if as_json else message.SerializeToString()
