"""Answers in Prometheus's JSON envelope, compressed where the client wants it."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from waferscope_query.http.errors import ErrorType

_MIN_COMPRESSED = 1024  # bytes; below, the header costs more than it saves
_GZIP_WINDOW = 31  # zlib's way to ask for a gzip header
_FASTEST = 1
_MOST_NOTES = 10  # of a kind, as Prometheus's API shows them


@dataclass(frozen=True, slots=True)
class Success:
    """What a Prometheus endpoint answers.

    Attributes:
        data: JSON, ready to be sent.
        warnings: Shown to the user with the result.
        infos: Likewise, less urgent.
    """

    data: bytes
    warnings: Sequence[str] = ()
    infos: Sequence[str] = ()


def success_body(success: Success) -> bytes:
    """Wrap a result."""
    notes = b"".join(
        b',"%ss":%s' % (kind.encode(), msgspec.json.encode(_shown(kind, texts)))
        for kind, texts in (("warning", success.warnings), ("info", success.infos))
        if texts
    )
    return b'{"status":"success","data":%s%s}' % (success.data, notes)


def _shown(kind: str, texts: Sequence[str]) -> list[str]:
    """The first annotations of a kind, and how many more there are (util/annotations, AsStrings)."""
    more = len(texts) - _MOST_NOTES
    return [*texts[:_MOST_NOTES], *([f"{more} more {kind} annotations omitted"] if more > 0 else [])]


def failure(kind: ErrorType, message: str) -> Response:
    """Answer with an error."""
    body = {"status": "error", "errorType": kind.text, "error": message}
    return Response(msgspec.json.encode(body), kind.status, media_type="application/json")


def encoded(request: Request, body: bytes) -> Response:
    """Answer with JSON, by gzip where the client accepts it; for a large body that is work for a thread."""
    headers = {"Vary": "Accept-Encoding"}
    if len(body) >= _MIN_COMPRESSED and _accepts_gzip(request):
        packer = zlib.compressobj(_FASTEST, wbits=_GZIP_WINDOW)
        body = packer.compress(body) + packer.flush()
        headers["Content-Encoding"] = "gzip"
    return Response(body, headers=headers, media_type="application/json")


def dump(value: Any) -> bytes:
    """Write JSON; floats that are no numbers become null."""
    return msgspec.json.encode(value)


def _accepts_gzip(request: Request) -> bool:
    return any(
        coding.split(";")[0].strip() == "gzip" and coding.replace(" ", "").partition(";q=")[2] not in {"0", "0.0"}
        for coding in request.headers.get("accept-encoding", "").split(",")
    )
