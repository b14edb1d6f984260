"""Compressed bodies: every coding that clients use, and bombs that end at the limit."""

import gzip
import random
import socket
import time
import zlib

import pytest
from backports import zstd
from writer_support import otlp
from writer_support.process import EXPORT, Ports, writer_process
from writer_support.running import WriterUnderTest

from waferscope_collector.errors import MalformedError, TooLargeError, UnsupportedError
from waferscope_collector.receive.body import decompress

LIMIT = 1024 * 1024


def zstd_stream(plain: bytes) -> bytes:
    """Compress as streaming clients do: the frame does not know its size."""
    compressor = zstd.ZstdCompressor()
    return compressor.compress(plain) + compressor.flush()


PACK = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstd.compress,
    "zstd ": zstd_stream,
}


@pytest.mark.parametrize("body_size", [0, 100, 4096, 10_000])
@pytest.mark.parametrize("coding", PACK)
def test_streams_are_read_one_after_another(coding: str, body_size: int) -> None:
    plain = random.Random(body_size).randbytes(body_size)  # does not shrink: streams end anywhere in a piece
    streams = b"".join(PACK[coding](plain[i::7]) for i in range(7))
    expected = b"".join(plain[i::7] for i in range(7))
    assert decompress(streams, coding, len(plain)) == expected
    if plain:
        with pytest.raises(TooLargeError):
            decompress(streams, coding, len(plain) - 1)
    for cut in (streams[:-1], streams + streams[:3], streams + b"\x1f"):
        with pytest.raises(MalformedError):
            decompress(cut, coding, len(plain))


@pytest.mark.parametrize("coding", PACK)
def test_a_bomb_ends_at_the_limit(coding: str) -> None:
    bomb = PACK[coding](bytes(200 * LIMIT))
    for body in (bomb, bomb * 3, PACK[coding](bytes(LIMIT)) + bomb):
        with pytest.raises(TooLargeError):
            decompress(body, coding, LIMIT)
    with pytest.raises(TooLargeError):  # also between two codings
        decompress(PACK["gzip"](bomb * 100), f"{coding},gzip", 1024)
    assert decompress(PACK[coding](bytes(LIMIT)), coding, LIMIT) == bytes(LIMIT)


def test_codings_are_undone_in_reverse() -> None:
    plain = b"points" * 100
    assert decompress(gzip.compress(zstd.compress(plain)), "zstd, GZIP", LIMIT) == plain
    assert decompress(zstd.compress(gzip.compress(plain)), "identity,gzip,,zstd", LIMIT) == plain
    assert decompress(plain, " identity ", LIMIT) == plain
    with pytest.raises(MalformedError):
        decompress(gzip.compress(zstd.compress(plain)), "gzip, zstd", LIMIT)
    with pytest.raises(UnsupportedError, match="codings"):
        decompress(plain, "gzip,gzip,gzip,gzip", LIMIT)
    with pytest.raises(UnsupportedError, match="br is not supported"):
        decompress(plain, "gzip, br", LIMIT)


def test_zstd_frames_that_hold_no_data_are_skipped() -> None:
    skipped = b"\x50\x2a\x4d\x18" + (4).to_bytes(4, "little") + b"abcd"
    assert decompress(skipped + zstd.compress(b"points") + skipped, "zstd", LIMIT) == b"points"


def test_zstd_may_not_ask_for_more_memory_than_the_limit_is_worth() -> None:
    compressor = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: 27})
    large = compressor.compress(b"points") + compressor.flush()
    with pytest.raises(MalformedError, match="memory"):
        decompress(large, "zstd", LIMIT)
    knows_its_size = zstd.compress(bytes(40 * LIMIT), 19)
    assert len(decompress(knows_its_size, "zstd", 40 * LIMIT)) == 40 * LIMIT


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_the_time_is_linear_in_the_streams(coding: str) -> None:
    empty = PACK[coding](b"")
    seconds = []
    for count in (10_000, 100_000):
        began = time.process_time()
        assert decompress(empty * count, coding, LIMIT) == b""
        seconds.append(time.process_time() - began)
    assert seconds[1] < 30 * seconds[0]  # a quadratic one takes 100 times as long


async def test_zstd_over_http(writer: WriterUnderTest) -> None:
    body = otlp.metrics(otlp.gauge("x", otlp.number(1))).SerializeToString()
    headers = {"content-type": "application/x-protobuf", "content-encoding": "zstd"}
    async with writer.client() as client:
        assert (await client.post("/v1/metrics", content=zstd_stream(body), headers=headers)).status_code == 200
        assert (await client.post("/v1/metrics", content=body, headers=headers)).status_code == 400
        unknown = await client.post("/v1/metrics", content=body, headers=headers | {"content-encoding": "br"})
    assert (unknown.status_code, unknown.headers["accept-encoding"]) == (415, "zstd, gzip, deflate")


def test_zstd_over_grpc_is_refused(database_url: str) -> None:
    """The library of gRPC answers INTERNAL before we are asked, where its own specification wants UNIMPLEMENTED."""
    ports = Ports.free()
    message = zstd.compress(otlp.metrics(otlp.gauge("x", otlp.number(1))).SerializeToString())
    with writer_process(ports, database_url), socket.create_connection(("127.0.0.1", ports.grpc), 20) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(4, 0, 0, b""))
        headers = {
            ":method": "POST", ":scheme": "http", ":path": EXPORT, ":authority": "writer", "te": "trailers",
            "content-type": "application/grpc", "grpc-encoding": "zstd",
        }  # fmt: skip
        connection.sendall(_frame(1, 4, 1, b"".join(map(_literal, headers, headers.values()))))
        connection.sendall(_frame(0, 1, 1, b"\1" + len(message).to_bytes(4, "big") + message))
        answer = b""
        while b"grpc-status" not in answer:
            part = connection.recv(4096)
            assert part, answer
            answer += part
    assert answer.partition(b"grpc-status")[2][:3] == b"\x0213"  # sent again after neither


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def _literal(name: str, value: str) -> bytes:
    """Write a header as HPACK does without index and without Huffman's code."""
    return b"\0" + bytes((len(name),)) + name.encode() + bytes((len(value),)) + value.encode()
