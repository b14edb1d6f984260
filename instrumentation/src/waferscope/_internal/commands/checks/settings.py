"""The environment: what the wrapper would make of it."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from urllib.parse import urlsplit

from waferscope._internal.commands.checks.finding import Finding

SIGNALS = ("traces", "logs", "metrics")
_DEFAULT = "http://localhost:4318"
_NUMBERS = ("WAFERSCOPE_HEARTBEAT_INTERVAL", "WAFERSCOPE_FLUSH_TIMEOUT", "OTEL_METRIC_EXPORT_INTERVAL")
_GRPC_PORT = 4317


@dataclass(frozen=True, slots=True)
class Target:
    """Where one signal goes.

    Attributes:
        signal: `traces`, `logs` or `metrics`.
        url: The full URL of its requests.
        variable: What says so; empty for the default.
    """

    signal: str
    url: str
    variable: str


def target(signal: str) -> Target | None:
    """Tell where a signal goes.

    Returns:
        None when it goes nowhere over OTLP/HTTP.
    """
    names = [name.strip() for name in (os.environ.get(f"OTEL_{signal.upper()}_EXPORTER") or "otlp").split(",")]
    if protocol(signal) == "grpc" or not {"otlp", "otlp_proto_http"} & set(names):
        return None
    own = f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT"
    if os.environ.get(own):
        return Target(signal, os.environ[own], own)
    base = os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    return Target(
        signal, f"{(base or _DEFAULT).rstrip('/')}/v1/{signal}", "OTEL_EXPORTER_OTLP_ENDPOINT" if base else ""
    )


def protocol(signal: str) -> str:
    """Give the protocol that is set for a signal."""
    own = os.environ.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_PROTOCOL")
    return (own or os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL") or "http/protobuf").strip()


def malformed(url: str) -> str:
    """Tell what is wrong with a URL; empty when nothing is."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return str(error)
    if parts.scheme not in ("http", "https"):
        return "it has to begin with http:// or https://"
    if not parts.hostname:
        return "it names no host"
    return "port 4317 is that of gRPC, over HTTP it is 4318" if port == _GRPC_PORT else ""


def check() -> Iterator[Finding]:
    """Look at the settings."""
    findings = [*_disabled(), *_numbers(), *_service(), *_site(), *_protocols(), *_endpoints()]
    yield from findings
    if all(finding.level == "note" for finding in findings):
        yield Finding("ok", "settings", "all can be read")


def _disabled() -> Iterator[Finding]:
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        yield Finding("fail", "settings", "OTEL_SDK_DISABLED=true: nothing is recorded", "unset it")


def _numbers() -> Iterator[Finding]:
    for variable in _NUMBERS:
        text = os.environ.get(variable, "").strip()
        try:
            readable = not text or 0 < float(text) < math.inf
        except ValueError:
            readable = False
        if not readable:
            yield Finding("warn", "settings", f"{variable}={text!r} is no positive number", "its default is used")


def _attributes() -> set[str]:
    pairs = os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "").split(",")
    return {pair.partition("=")[0].strip() for pair in pairs}


def _service() -> Iterator[Finding]:
    if not os.environ.get("OTEL_SERVICE_NAME") and "service.name" not in _attributes():
        yield Finding(
            "note", "settings", "no service is named: unknown_service, unless the program configures one",
            "set OTEL_SERVICE_NAME",
        )  # fmt: skip


def _site() -> Iterator[Finding]:
    if not os.environ.get("WAFERSCOPE_SITE") and "wafer.site.id" not in _attributes():
        yield Finding(
            "note", "settings", "no site is named: the Collector's WAFERSCOPE_SITE, else the writer's applies"
        )


def _protocols() -> Iterator[Finding]:
    for signal in SIGNALS:
        said = protocol(signal)
        if said == "grpc" and not entry_points(group=f"opentelemetry_{signal}_exporter", name="otlp_proto_grpc"):
            yield Finding(
                "fail", "settings", f"protocol grpc is set for {signal}, but its exporter is not installed",
                "set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf, or install opentelemetry-exporter-otlp-proto-grpc",
            )  # fmt: skip
        elif said == "grpc":
            yield Finding("note", "settings", f"{signal} go over gRPC, which this command doesn't try")
        elif said != "http/protobuf":
            yield Finding("warn", "settings", f"protocol {said!r} for {signal} is not known: http/protobuf is used")


def _endpoints() -> Iterator[Finding]:
    for signal in SIGNALS:
        exporter = os.environ.get(f"OTEL_{signal.upper()}_EXPORTER", "")
        if exporter.strip() == "none":
            yield Finding("warn", "settings", f"OTEL_{signal.upper()}_EXPORTER=none: no {signal}", "unset it")
        found = target(signal)
        wrong = malformed(found.url) if found else ""
        if found and wrong:
            yield Finding("fail", "settings", f"{found.variable} can't be right for {signal}: {wrong}", "correct it")
