"""Requests out of the files that the Collector's file exporter writes.

It writes, by its settings (opentelemetry-collector-contrib, exporter/fileexporter, file_writer.go and
compression_writer.go at 0.160):

| format | compression | file |
|---|---|---|
| json | none | one request in JSON a line |
| proto | none | each request behind its length, 4 bytes, big-endian |
| both | zstd | each request compressed alone, behind its compressed length |
| both | zstd, feature gate exporter.file.nativeCompression | a file as without compression, in zstd frames |

The first bytes tell which one it is: no length within the limit begins as a zstd frame or as JSON does.
"""

import io
from collections.abc import Iterator
from typing import Any

import zstandard

from waferscope_collector.errors import WriterError

_ZSTD = b"\x28\xb5\x2f\xfd"
_LENGTH = 4
_JSON_STARTS = b"{ \t\r\n"
_BUFFER = 256 * 1024  # bytes


class DamagedError(WriterError):
    """A file ends, or goes on, as the exporter writes none; what stood before was read."""


def read(file: io.BufferedIOBase, limit: int) -> Iterator[bytes]:
    """Read the requests of a file, one at a time.

    Args:
        file: Is read from where it stands; it may be a pipe.
        limit: Bytes of a request at most.

    Yields:
        Requests in JSON or protobuf: JSON begins with a brace, protobuf does not.

    Raises:
        DamagedError: The rest can't be read.
    """
    start, source = _begin(file)
    if start != _ZSTD:
        yield from _plain(start, source, limit)
        return
    frames = zstandard.ZstdDecompressor().stream_reader(source, read_across_frames=True)
    try:
        yield from _plain(*_begin(frames), limit)
    except zstandard.ZstdError as error:
        raise DamagedError(f"it is damaged: {error}") from error


def _begin(file: Any) -> tuple[bytes, io.BufferedReader]:
    """Return the first bytes of a file, and the whole file, those bytes included."""
    start = file.read(_LENGTH)
    return start, io.BufferedReader(_Joined(start, file), _BUFFER)


class _Joined(io.RawIOBase):
    """Some bytes, and then a file."""

    def __init__(self, start: bytes, file: Any) -> None:
        self._start = start
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        part, self._start = self._start[: len(buffer)], self._start[len(buffer) :]
        part = part or self._file.read(len(buffer))
        buffer[: len(part)] = part
        return len(part)


def _plain(start: bytes, source: io.BufferedReader, limit: int) -> Iterator[bytes]:
    return _lines(source, limit) if start[:1] and start[0] in _JSON_STARTS else _lengths(source, limit)


def _lines(source: io.BufferedReader, limit: int) -> Iterator[bytes]:
    while line := source.readline(limit + 1):
        if len(line) > limit:
            raise DamagedError(f"a line is over the limit of {limit} bytes")
        if line.strip():
            yield line.strip()


def _lengths(source: io.BufferedReader, limit: int) -> Iterator[bytes]:
    while head := source.read(_LENGTH):
        length = int.from_bytes(head, "big")
        if len(head) == _LENGTH and length > limit:
            raise DamagedError(f"a request of {length} bytes is over the limit of {limit}, or this is no such file")
        body = source.read(length)
        if len(head) < _LENGTH or len(body) < length:
            raise DamagedError("it ends inside of a request")
        yield _decompressed(body, limit) if body.startswith(_ZSTD) else body


def _decompressed(body: bytes, limit: int) -> bytes:
    try:
        with zstandard.ZstdDecompressor().stream_reader(body, read_across_frames=True) as frames:
            plain = frames.read(limit + 1)
    except zstandard.ZstdError as error:
        raise DamagedError(f"it is damaged: {error}") from error
    if len(plain) > limit:
        raise DamagedError(f"a request is over the limit of {limit} bytes")
    return plain
