"""Bodies as they come over HTTP: decompressed up to a limit."""

import zlib

from waferscope_collector.errors import MalformedError, TooLargeError, UnsupportedError

_GZIP = 16 + zlib.MAX_WBITS


def decompress(body: bytes, encoding: str, limit: int) -> bytes:
    """Decompress a body.

    Args:
        body: As received.
        encoding: Content-Encoding; empty stands for identity.
        limit: Bytes that the result may have; a decompression bomb ends there.

    Returns:
        The plain body.

    Raises:
        TooLargeError: It is over the limit.
        MalformedError: It is not compressed as it says.
        UnsupportedError: The compression is unknown.
    """
    match encoding.strip().lower():
        case "" | "identity":
            plain = body
        case "gzip":
            plain = _gunzip(body, limit)
        case other:
            raise UnsupportedError(f"Content-Encoding {other[:50]} is not supported: use gzip or identity")
    if len(plain) > limit:
        raise too_large(limit)
    return plain


def too_large(limit: int) -> TooLargeError:
    """Return the error that a body over the limit is answered with."""
    return TooLargeError(f"the request is over the limit of {limit} bytes")


def _gunzip(body: bytes, limit: int) -> bytes:
    """Decompress all members of a gzip stream, to one byte over the limit at most."""
    parts: list[bytes] = []
    size = 0
    try:
        while body and size <= limit:
            member = zlib.decompressobj(_GZIP)
            parts.append(member.decompress(body, limit + 1 - size))
            size += len(parts[-1])
            if not member.eof and size <= limit:
                raise MalformedError("the gzip body is cut off")
            body = member.unused_data.lstrip(b"\0")
    except zlib.error as error:
        raise MalformedError(f"the body is not gzip: {error}") from error
    return b"".join(parts)
