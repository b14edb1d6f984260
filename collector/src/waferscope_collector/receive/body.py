"""Bodies as they come over HTTP: decompressed up to a limit."""

import zlib

from waferscope_collector.errors import MalformedError, TooLargeError, UnsupportedError

_GZIP = 16 + zlib.MAX_WBITS
_PIECE = 4096  # bytes


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
    """Decompress all members of a gzip stream, to one byte over the limit at most.

    In pieces: zlib copies all that follows a member, which would be quadratic in the number of members.
    """
    plain = bytearray()
    member = zlib.decompressobj(_GZIP)
    try:
        for begin in range(0, len(body), _PIECE):
            piece = body[begin : begin + _PIECE]
            while piece and len(plain) <= limit:
                if not member.eof:
                    plain += member.decompress(piece, limit + 1 - len(plain))
                    piece = member.unused_data
                elif piece := piece.lstrip(b"\0"):
                    member = zlib.decompressobj(_GZIP)
    except zlib.error as error:
        raise MalformedError(f"the body is not gzip: {error}") from error
    if body and not member.eof and len(plain) <= limit:
        raise MalformedError("the gzip body is cut off")
    return bytes(plain)
