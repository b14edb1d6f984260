"""Bodies as they come over HTTP: decompressed up to a limit."""

import zlib
from collections.abc import Awaitable, Callable
from typing import Protocol

from starlette.requests import Request

from waferscope_collector import zstd
from waferscope_collector.errors import MalformedError, TooLargeError, UnsupportedError

Read = Callable[[Request, int], Awaitable[bytes]]  # reads a request's body up to a limit

CODINGS = ("zstd", "gzip", "deflate")

_PIECE = 4096  # bytes
_LAYERS = 3  # of one body at most
_WINDOW_LOG = 23  # 8 MiB: what every zstd decoder has to offer (RFC 8878, 3.1.1.1.2)


class _Stream(Protocol):
    """One gzip member, zlib stream or zstd frame."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


def decompress(body: bytes, encoding: str, limit: int) -> bytes:
    """Decompress a body.

    Args:
        body: As received.
        encoding: Content-Encoding: gzip, deflate, zstd, or a list of them in the order in which they were applied (RFC
            9110, 8.4); empty stands for identity.
        limit: Bytes that the result may have, and what stands between two codings; a decompression bomb ends there.

    Returns:
        The plain body.

    Raises:
        TooLargeError: It is over the limit.
        MalformedError: It is not compressed as it says.
        UnsupportedError: The compression is unknown.
    """
    codings = [coding for word in encoding.split(",") if (coding := word.strip().lower()) not in {"", "identity"}]
    if len(codings) > _LAYERS:
        raise UnsupportedError(f"a body in more than {_LAYERS} codings is not supported")
    for coding in reversed(codings):
        body = _decode(body, coding, limit)
    if len(body) > limit:
        raise too_large(limit)
    return body


def too_large(limit: int) -> TooLargeError:
    """Return the error that a body over the limit is answered with."""
    return TooLargeError(f"the request is over the limit of {limit} bytes")


def _decode(body: bytes, coding: str, limit: int) -> bytes:
    match coding:
        case "gzip" | "x-gzip":
            return _decompress(body, "gzip", lambda: zlib.decompressobj(16 + zlib.MAX_WBITS), limit)
        case "deflate":
            return _decompress(body, coding, zlib.decompressobj, limit)
        case "zstd":
            return _decompress(body, coding, lambda: _zstd(limit), limit)
    raise UnsupportedError(f"Content-Encoding {coding[:50]} is not supported: use {', '.join(CODINGS)} or none")


def _zstd(limit: int) -> zstd.ZstdDecompressor:
    # A frame that knows its size has a window of that size.
    window_log = max(_WINDOW_LOG, limit.bit_length())
    return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: min(window_log, 31)})


def _decompress(body: bytes, name: str, begin: Callable[[], _Stream], limit: int) -> bytes:
    """Decompress streams that stand one after another, to one byte over the limit at most.

    In pieces: what follows a stream is copied, which would be quadratic in the number of streams.
    """
    plain = bytearray()
    stream = begin()
    try:
        for start in range(0, len(body), _PIECE):
            piece = body[start : start + _PIECE]
            while piece and len(plain) <= limit:
                if not stream.eof:
                    plain += stream.decompress(piece, limit + 1 - len(plain))
                    piece = stream.unused_data
                elif piece := piece.lstrip(b"\0") if name == "gzip" else piece:  # gzip may be padded
                    stream = begin()
    except (zlib.error, zstd.ZstdError) as error:
        raise MalformedError(f"the body is not {name}: {error}") from error
    if len(plain) > limit:
        raise too_large(limit)
    if body and not stream.eof:
        raise MalformedError(f"the {name} body is cut off")
    return bytes(plain)
