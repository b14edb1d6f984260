"""The form of requests that the kernels read: each field once, in order, lists packed, nothing unknown."""

from google.protobuf.message import DecodeError, Message

from waferscope_collector.errors import MalformedError


def usual(body: bytes, kind: type[Message], name: str) -> bytes:
    """Rewrite a request.

    Args:
        body: In protobuf.
        kind: Its message.
        name: What clients know it as.

    Raises:
        MalformedError: It is no such request.
    """
    request = kind()
    try:
        request.ParseFromString(body)
    except DecodeError as error:
        raise MalformedError(f"the body is no protobuf {name}") from error
    request.DiscardUnknownFields()
    return request.SerializeToString()
