"""`waferscope replay` sends every file that the Collector's file exporter writes, once however often it is started."""

import contextlib
import io
import json
import subprocess
from base64 import b64decode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.trace.v1 import trace_pb2
from support.ports import free_ports
from support.processes import WAFERSCOPE, Process, waferscope
from writer_support import otlp
from writer_support.otlp import DELTA, NOW, SECOND

from waferscope_collector.errors import MalformedError
from waferscope_collector.replay import messages
from waferscope_collector.replay.messages import DamagedError
from waferscope_collector.replay.signal import identify
from waferscope_collector.zstd import ZstdFile
from waferscope_stack import collector_binary

LIMIT = 1024 * 1024


def requests(count: int = 6) -> list[tuple[str, Message]]:
    """Requests of all signals as a Collector mixes them in one file; none of them may be stored twice."""
    made: list[tuple[str, Message]] = []
    for number in range(count):
        at = NOW + number * SECOND
        log = logs_pb2.LogRecord(time_unix_nano=at, severity_number=9, trace_id=bytes(range(16)), span_id=b"\7" * 8)
        log.body.string_value = f"line {number}\n"
        span = trace_pb2.Span(
            trace_id=bytes(range(16)), span_id=(number + 1).to_bytes(8, "big"), name="fit", start_time_unix_nano=at,
            end_time_unix_nano=at + 5, status=trace_pb2.Status(code=1),
        )  # fmt: skip
        delta = otlp.total("parts", otlp.number(1, time=at, start=NOW), temporality=DELTA)
        made += [("metrics", otlp.metrics(delta)), ("logs", otlp.logs(log)), ("traces", otlp.traces(span))]
    return made


def as_json(request: Message) -> bytes:
    """Write a request as the Collector does: enums as numbers, ids in hexadecimal."""

    def hexadecimal(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: b64decode(item).hex() if key in {"traceId", "spanId", "parentSpanId"} else hexadecimal(item)
                for key, item in value.items()
            }
        return [hexadecimal(item) for item in value] if isinstance(value, list) else value

    return json.dumps(hexadecimal(MessageToDict(request, use_integers_for_enums=True))).encode()


def lines(bodies: Sequence[bytes]) -> bytes:
    return b"".join(body + b"\n" for body in bodies)


def lengths(bodies: Sequence[bytes]) -> bytes:
    return b"".join(len(body).to_bytes(4, "big") + body for body in bodies)


def packed(plain: bytes) -> bytes:
    out = io.BytesIO()
    with ZstdFile(out, "w") as file:
        file.write(plain)
    return out.getvalue()


FORMATS: dict[str, tuple[bool, Callable[[Sequence[bytes]], bytes]]] = {
    "json": (True, lines),
    "proto": (False, lengths),
    "json, each request in zstd": (True, lambda bodies: lengths([packed(body) for body in bodies])),
    "proto, each request in zstd": (False, lambda bodies: lengths([packed(body) for body in bodies])),
    "json in one zstd frame": (True, lambda bodies: packed(lines(bodies))),
    "proto in one zstd frame": (False, lambda bodies: packed(lengths(bodies))),
    "proto in many zstd frames": (False, lambda bodies: b"".join(packed(lengths([body])) for body in bodies)),
}


def written(form: str, made: Sequence[tuple[str, Message]]) -> bytes:
    in_json, framed = FORMATS[form]
    return framed([as_json(request) if in_json else request.SerializeToString() for _, request in made])


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_gives_back_the_requests(form: str) -> None:
    made = requests()
    found = [identify(body) for body in messages.read(io.BytesIO(written(form, made)), LIMIT)]
    assert found == [(signal, request.SerializeToString()) for signal, request in made]


@pytest.mark.parametrize("form", FORMATS)
def test_a_cut_file_gives_what_stands_before_the_cut(form: str) -> None:
    made = requests()
    whole = written(form, made)
    for cut in (len(whole) - 1, len(whole) * 2 // 3, 5, 3):
        found = []
        with contextlib.suppress(DamagedError, MalformedError):
            found += [identify(body) for body in messages.read(io.BytesIO(whole[:cut]), LIMIT)]
        assert found == [(signal, request.SerializeToString()) for signal, request in made][: len(found)]


def test_a_request_over_the_limit_ends_a_file() -> None:
    for form in FORMATS:
        file = io.BytesIO(written(form, [("logs", otlp.logs(otlp.event("x" * 5000)))]))
        with pytest.raises(DamagedError, match=r"over the limit|no such file"):
            list(messages.read(file, 4000))


@pytest.mark.parametrize("body", [b"{", b'{"resourceProfiles": []}', b'{"a": 1}', b"\x0a\xff", b"\x0b", b"\xff" * 20])
def test_what_is_no_request_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedError):
        identify(body)


@pytest.mark.parametrize("body", [b"", b"{}", otlp.logs().SerializeToString(), b"\x0a\x00"])
def test_an_empty_request_is_none(body: bytes) -> None:
    assert identify(body) is None


# Real processes ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Writer:
    database_url: str
    http: int
    grpc: int

    @contextlib.contextmanager
    def running(self) -> Iterator[Process]:
        env = {
            "WAFERSCOPE_DATABASE_URL": self.database_url,
            "WAFERSCOPE_WRITER_HTTP_PORT": str(self.http),
            "WAFERSCOPE_WRITER_GRPC_PORT": str(self.grpc),
            "WAFERSCOPE_WRITER_SAMPLE_INTERVAL": "0",  # the test counts what it has sent
        }
        with waferscope("serve", "writer", env=env) as process:
            yield process.wait_healthy(f"http://127.0.0.1:{self.http}/v1/readyz", within_s=60)

    def replay(self, *arguments: Any, over: str = "http", **more: Any) -> "subprocess.CompletedProcess[str]":
        endpoint = f"http://127.0.0.1:{self.http}" if over == "http" else f"grpc://127.0.0.1:{self.grpc}"
        command = [WAFERSCOPE, "replay", "--endpoint", endpoint, *map(str, arguments)]
        return subprocess.run(command, check=False, capture_output=True, text=True, timeout=100, **more)


@pytest.fixture
def target(database_url: str) -> Writer:
    return Writer(database_url, *free_ports(2))


async def stored(conn: asyncpg.Connection) -> tuple[int, int, float]:
    return tuple(
        await conn.fetchrow(
            "select (select count(*) from wafer.log_record), (select count(*) from wafer.span),"
            " (select max(value) from wafer.sample join wafer.series using (series_id) where metric not like 'wafer%')"
        )
    )


async def test_files_are_stored_once_over_http_and_grpc(
    target: Writer, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    made = requests(12)
    files = [tmp_path / "data.json", tmp_path / "data-2026-11-24T05-02-14.173.json"]  # the exporter's rotated names
    files[0].write_bytes(written("json", made[:18]))
    files[1].write_bytes(written("proto, each request in zstd", made[18:]))
    with target.running():
        for over in ("http", "grpc", "http"):
            done = target.replay(*files, over=over)
            assert done.returncode == 0, done.stderr
            assert "36 requests" in done.stdout
            assert "accepted: 36" in done.stdout
            assert await stored(conn) == (12, 12, 12)
        with files[0].open("rb") as file:
            assert target.replay("-", stdin=file).returncode == 0
    assert await stored(conn) == (12, 12, 12)


async def test_what_is_refused_is_told_by_reason(target: Writer, conn: asyncpg.Connection, tmp_path: Path) -> None:
    late = otlp.logs(otlp.event("a", NOW + 10**15), otlp.event("b"), otlp.event("c", NOW + 10**15))
    bodies = [as_json(late), b'{"resourceProfiles": []}', as_json(otlp.logs(otlp.event("d"))), b"no JSON"]
    file = tmp_path / "data.json"
    file.write_bytes(lines(bodies))
    cut = tmp_path / "cut"
    cut.write_bytes(written("proto", requests())[:-3])
    with target.running():
        done = target.replay(file, cut)
    assert done.returncode == 1
    assert "accepted: 19, 1 of them in part" in done.stdout
    assert "refused: 2 records: 2 log records too far in the future" in done.stdout
    assert "refused: 1 requests: it has none of resourceMetrics, resourceLogs, resourceSpans" in done.stdout
    assert f"damaged: {cut}, after 17 requests: it ends inside of a request" in done.stdout
    assert (await stored(conn))[0] == 2 + 6


async def test_a_writer_that_is_away_is_waited_for(target: Writer, conn: asyncpg.Connection, tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.write_bytes(written("proto", requests()))
    for port, scheme in ((target.http, "http"), (target.grpc, "grpc")):
        endpoint = f"{scheme}://127.0.0.1:{port}"
        with waferscope("replay", "--endpoint", endpoint, file) as replay:
            replay.wait_stderr("0 accepted")
            with target.running():
                assert replay.wait_exit() == 0
    assert await stored(conn) == (6, 6, 6)


def test_a_writer_that_stays_away_is_one_line_and_exit_code_3(target: Writer, tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.write_bytes(written("proto", requests()))
    done = target.replay(file, "--patience", "1", "--quiet")
    assert done.returncode == 3
    assert "took nothing for 1 s" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments", [["/nowhere/data.json"], ["/"], ["--endpoint", "file:///tmp", "/dev/null"], ["--in-flight", "0", "x"]]
)
def test_a_wrong_call_is_exit_code_2(target: Writer, arguments: list[str]) -> None:
    done = target.replay(*arguments)
    assert done.returncode == 2, done.stderr


EXPORTER = """
receivers: {otlp: {protocols: {http: {endpoint: "127.0.0.1:%(port)d"}}}}
exporters:
  file/json: {path: %(folder)s/json}
  file/proto: {path: %(folder)s/proto, format: proto}
  file/zstd: {path: %(folder)s/zstd, format: json, compression: zstd}
  file/rotated: {path: %(folder)s/rotated, format: proto, compression: zstd, rotation: {max_megabytes: 1}}
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    metrics: {receivers: [otlp], exporters: [file/json, file/proto, file/zstd, file/rotated]}
    logs: {receivers: [otlp], exporters: [file/json, file/proto, file/zstd, file/rotated]}
    traces: {receivers: [otlp], exporters: [file/json, file/proto, file/zstd, file/rotated]}
"""


@pytest.mark.collector
@pytest.mark.parametrize("gate", ["-", ""], ids=["by request", "native"])
def test_files_of_the_real_exporter(tmp_path: Path, gate: str) -> None:
    binary = collector_binary.find()
    assert binary is not None
    if b"name: file\n" not in subprocess.run([binary, "components"], check=True, capture_output=True).stdout:
        pytest.skip("optional: needs a Collector with the file exporter, such as otelcol-contrib on PATH as otelcol")
    made = requests()
    (port,) = free_ports(1)
    config = tmp_path / "config.yaml"
    config.write_text(EXPORTER % {"port": port, "folder": tmp_path})
    command = [binary, "--config", config, f"--feature-gates={gate}exporter.file.nativeCompression"]
    with Process(command) as collector:
        collector.wait_stderr("Everything is ready")
        for signal, request in made:
            headers = {"content-type": "application/x-protobuf"}
            url = f"http://127.0.0.1:{port}/v1/{signal}"
            httpx.post(url, content=request.SerializeToString(), headers=headers).raise_for_status()
        collector.stop()
    expected = sorted((signal, request.SerializeToString()) for signal, request in made)
    for name in ("json", "proto", "zstd", "rotated"):
        with (tmp_path / name).open("rb") as file:
            found = [identify(body) for body in messages.read(file, LIMIT)]
        # The order of fields is each library's own.
        kinds = {signal: type(request) for signal, request in made}
        parsed = [(item[0], kinds[item[0]].FromString(item[1]).SerializeToString()) for item in found if item]
        assert sorted(parsed) == expected, name
