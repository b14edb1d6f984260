"""`waferscope doctor` names what is wrong, and what to do."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from waferscope._internal.commands.checks import clock, collector
from waferscope._internal.commands.checks.http import Answer

DOCTOR = [sys.executable, "-c", "import sys; from waferscope._internal.cli import main; sys.exit(main())", "doctor"]
DEAD = "http://127.0.0.1:9"
WELL = {"OTEL_SERVICE_NAME": "overlay", "WAFERSCOPE_SITE": "fab1", "WAFERSCOPE_COLLECTOR_HEALTH_PORT": "9"}

Pages = dict[str, tuple[int, str]]


class Report:
    """What it printed: lines as level, subject and text."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.code = done.returncode
        self.text = done.stdout
        self.error = done.stderr
        self.lines = [line.split(None, 2) for line in done.stdout.splitlines()]

    def of(self, subject: str) -> list[tuple[str, str]]:
        return [(level, text) for level, about, text in self.lines if about == subject]


@pytest.fixture
def doctor() -> Callable[..., Report]:
    def run(*words: str, **env: str) -> Report:
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "WAFERSCOPE_"))}
        done = subprocess.run(
            [*DOCTOR, *words], env={**clean, **env}, capture_output=True, text=True, timeout=60, check=False
        )
        return Report(done)

    return run


@pytest.fixture
def serve() -> Iterator[Callable[[Pages], str]]:
    """Serve pages by path; give the base URL."""
    servers = []

    def begin(pages: Pages) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("content-length") or 0))
                status, text = pages.get(self.path, (404, ""))
                self.send_response(status)
                self.end_headers()
                self.wfile.write(text.encode())

            def do_POST(self) -> None:
                self.do_GET()

            def log_message(self, *_: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}"

    yield begin
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


def test_all_is_well(doctor: Any, receiver: Any) -> None:
    report = doctor(**WELL, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
    assert (report.code, report.error) == (0, "")
    assert [level for level, _ in report.of("endpoint")] == ["ok"] * 3
    assert [level for level, _ in report.of("settings")] == ["ok"]
    assert sorted(receiver.bodies) == [("/v1/logs", b""), ("/v1/metrics", b""), ("/v1/traces", b"")]  # nothing to store


def test_a_dead_endpoint_fails_each_signal_and_what_was_not_named_is_a_note(doctor: Any) -> None:
    report = doctor(**WELL, OTEL_EXPORTER_OTLP_ENDPOINT=DEAD)
    assert report.code == 1
    assert [level for level, _ in report.of("endpoint")] == ["fail"] * 3
    assert "connection refused" in report.text
    levels = [level for subject in ("collector", "writer", "clock") for level, _ in report.of(subject)]
    assert len(levels) == 3
    assert set(levels) <= {"note", "ok"}  # there may be one on this machine


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 415, 500])
def test_a_refusal_fails(doctor: Any, receiver: Any, status: int) -> None:
    receiver.status = status
    report = doctor(**WELL, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
    assert report.code == 1
    assert [(level, str(status) in text) for level, text in report.of("endpoint")] == [("fail", True)] * 3


def test_back_pressure_warns(doctor: Any, receiver: Any) -> None:
    receiver.status = 503
    report = doctor(**WELL, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
    assert report.code == 0
    assert [level for level, _ in report.of("endpoint")] == ["warn"] * 3


def test_tls_where_none_is(doctor: Any, receiver: Any) -> None:
    report = doctor(**WELL, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url.replace("http", "https"))
    assert report.code == 1
    assert "no TLS there" in report.text


def test_secrets_are_not_shown(doctor: Any, receiver: Any) -> None:
    url = receiver.url.replace("//", "//user:hush@")
    report = doctor(
        **WELL, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{url}/v1/traces?key=hush", OTEL_EXPORTER_OTLP_ENDPOINT=url,
        OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer%20hush",
    )  # fmt: skip
    assert "hush" not in report.text + report.error


@pytest.mark.parametrize(
    ("variable", "value", "level"),
    [
        ("OTEL_SDK_DISABLED", "true", "fail"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "fail"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", "warn"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318", "fail"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4317", "fail"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:port", "fail"),
        ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http:///v1/logs", "fail"),
        ("OTEL_LOGS_EXPORTER", "none", "warn"),
        ("WAFERSCOPE_HEARTBEAT_INTERVAL", "often", "warn"),
        ("WAFERSCOPE_FLUSH_TIMEOUT", "-1", "warn"),
    ],
)
def test_a_wrong_setting_is_named(doctor: Any, receiver: Any, variable: str, value: str, level: str) -> None:
    report = doctor(**{**WELL, "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, variable: value})
    (found, *_) = report.of("settings")
    assert found[0] == level
    assert variable in report.text or value in report.text
    assert report.code == int(level == "fail")


def test_a_collector_is_asked_for_health_and_queues(doctor: Any, receiver: Any, serve: Any) -> None:
    labels = '{data_type="logs",exporter="w"}'
    metrics = f"otelcol_exporter_queue_size{labels} 5\notelcol_exporter_queue_capacity{labels} 5\n"
    url = serve({"/v1/health": (200, ""), "/metrics": (200, metrics)})
    port = url.rpartition(":")[2]
    env = {**WELL, "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "WAFERSCOPE_COLLECTOR_METRICS_PORT": port}
    report = doctor("--collector", url, **env)
    assert report.code == 1
    assert [level for level, _ in report.of("collector")] == ["ok", "fail"]
    assert "queue of w logs: 5 of 5" in report.text


@pytest.mark.parametrize(("size", "level"), [(0, "ok"), (50, "ok"), (80, "warn"), (99, "warn"), (100, "fail")])
def test_a_queue_is_judged_by_how_full_it_is(size: int, level: str) -> None:
    text = f'otelcol_exporter_queue_size{{exporter="w"}} {size}\notelcol_exporter_queue_capacity{{exporter="w"}} 100\n'
    assert [finding.level for finding in collector.queues(collector.read(text))] == [level]


def test_losses_are_told_and_zeros_are_not() -> None:
    lost, none = 'send_failed_spans_total{exporter="w"} 3', 'enqueue_failed_spans_total{exporter="w"} 0'
    text = f"otelcol_exporter_{lost}\notelcol_exporter_{none}\n"
    (loss,) = collector.losses(collector.read(text))
    assert loss.found == "3 spans of w could not be sent and were given up since its start"


@pytest.mark.parametrize(("status", "level"), [(200, "ok"), (503, "fail")])
def test_a_named_writer_has_to_be_ready(doctor: Any, receiver: Any, serve: Any, status: int, level: str) -> None:
    writer = serve({"/v1/readyz": (status, "no database")})
    report = doctor("--writer", writer, **WELL, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
    assert (report.code, [found for found, _ in report.of("writer")]) == (int(level == "fail"), [level])


def test_a_named_writer_that_is_away_fails(doctor: Any, receiver: Any) -> None:
    env = {**WELL, "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "WAFERSCOPE_DOCTOR_WRITER": DEAD}
    assert doctor(**env).code == 1


def test_a_writer_as_the_endpoint_needs_no_collector(doctor: Any, serve: Any) -> None:
    taken = {f"/v1/{signal}": (200, "") for signal in ("traces", "logs", "metrics")}
    report = doctor(**WELL, OTEL_EXPORTER_OTLP_ENDPOINT=serve({**taken, "/v1/readyz": (200, "")}))
    assert report.code == 0
    assert [level for level, _ in report.of("collector") + report.of("writer")] == ["note", "ok"]


def answer(date: float, sent: float, received: float) -> Answer:
    return Answer(200, b"", date, sent, received)


@pytest.mark.parametrize(
    ("answers", "level"),
    [
        ([answer(100, 100.2, 100.3)], "ok"),
        ([answer(102, 100.2, 100.3)], "ok"),  # 1.7 s to 2.8 s: may be within the tolerance
        ([answer(110, 100.2, 100.3)], "warn"),
        ([answer(90, 100.2, 100.3)], "warn"),
        ([answer(110, 100, 120)], "ok"),  # a slow answer proves nothing
        ([answer(110, 100, 120), answer(110, 100.2, 100.3)], "warn"),
    ],
)
def test_the_clock_is_judged_within_what_the_answers_prove(answers: list[Answer], level: str) -> None:
    (finding,) = clock.check([("writer.fab1", one) for one in answers])
    assert finding.level == level


def test_answers_at_different_moments_bound_the_offset_closer_than_their_resolution() -> None:
    least, most = clock.offset([answer(100, 100.9, 100.91), answer(101, 101.0, 101.01)])
    assert (least, most) == pytest.approx((-0.01, 0.1))
