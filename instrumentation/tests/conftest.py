"""What the wrapper's tests share: telemetry kept in memory, a real OTLP receiver, real processes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry._logs import set_logger_provider
from opentelemetry.context import Context, attach
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from support.otlp import Receiver, receiving

import waferscope
from waferscope._internal import guard, process
from waferscope._internal.metrics import State


def until(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    """Poll until the condition holds; fail after the deadline."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.01)
    return value


@pytest.fixture(name="until")
def _until() -> Callable[..., Any]:
    return until


class Memory:
    """Telemetry of this process, kept by the host's SDK; metrics as the meter holds them."""

    def __init__(self, spans: InMemorySpanExporter, records: InMemoryLogRecordExporter) -> None:
        self._spans = spans
        self._records = records

    def clear(self) -> None:
        self._settle()
        self._spans.clear()
        self._records.clear()
        self.metrics()

    @staticmethod
    def _settle() -> None:
        assert waferscope.flush(10)

    def spans(self) -> list[ReadableSpan]:
        return list(self._spans.get_finished_spans())

    def records(self) -> list[ReadableLogRecord]:
        self._settle()  # events reach the SDK by the exporting thread
        return list(self._records.get_finished_logs())

    def events(self) -> list[tuple[str, dict[str, Any]]]:
        return [(item.log_record.event_name or "", dict(item.log_record.attributes or {})) for item in self.records()]

    def metrics(self) -> dict[str, dict[frozenset[Any], State]]:
        current = process.current()
        delta = current.meter.take() if current else None
        return {
            item.metric.name: {frozenset(attributes): state for attributes, state in item.states.items()}
            for item in (delta.metrics if delta else ())
        }


@pytest.fixture(scope="session")
def _host_sdk() -> Memory:
    spans, records = InMemorySpanExporter(), InMemoryLogRecordExporter()
    tracers = TracerProvider(shutdown_on_exit=False)
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    trace.set_tracer_provider(tracers)
    loggers = LoggerProvider(shutdown_on_exit=False)
    loggers.add_log_record_processor(SimpleLogRecordProcessor(records))
    set_logger_provider(loggers)
    return Memory(spans, records)


@pytest.fixture
def telemetry(_host_sdk: Memory, monkeypatch: pytest.MonkeyPatch) -> Memory:
    """A configured wrapper on a host SDK that keeps all in memory."""
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    monkeypatch.setenv("WAFERSCOPE_HEARTBEAT_INTERVAL", "3600")
    for boundary in guard.BOUNDARIES:
        boundary.reset()
    attach(Context())  # a test that breaks `detach` may have left a job current
    waferscope.configure(site="fab1", service="tests")
    _host_sdk.clear()
    return _host_sdk


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A running receiver."""
    with receiving() as found:
        yield found


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a Python process with a script; what still runs at the end of the test is killed."""
    started: list[subprocess.Popen[str]] = []

    def begin(script: str, **env: str) -> subprocess.Popen[str]:
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "WAFERSCOPE_"))}
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(script)],
            # Python 3.12 and newer warn of any fork amid threads; what the wrapper promises there is tested here.
            env={**clean, "PYTHONWARNINGS": "ignore:This process:DeprecationWarning", **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield begin
    for each in started:
        if each.poll() is None:
            each.kill()
        each.communicate()


@dataclass(frozen=True)
class Ended:
    """A process that has ended."""

    code: int
    out: str
    err: str
    seconds: float


@pytest.fixture
def run(start: Start) -> Callable[..., Ended]:
    """Run a Python process with a script to its end."""

    def finish(script: str, **env: str) -> Ended:
        began = time.monotonic()
        process = start(script, **env)
        out, err = process.communicate(timeout=60)
        return Ended(process.returncode, out, err, time.monotonic() - began)

    return finish


@pytest.fixture
def black_hole() -> Iterator[str]:
    """A port that takes connections and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def closed_port() -> str:
    """A port that refuses connections."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"
