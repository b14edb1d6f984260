"""Which exporters the environment asks for, by the standard OTEL_* variables."""

from __future__ import annotations

import logging
import os
import random
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from random import Random
from typing import Any

from waferscope._internal import guard
from waferscope._internal.delivery import Quiet
from waferscope._internal.transport import Line, Route

_quiet = Quiet()
_EXPORTERS = (
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "opentelemetry.exporter.otlp.proto.http._log_exporter",
    "opentelemetry.exporter.otlp.proto.http.metric_exporter",
    "opentelemetry.exporter.otlp.common.http",
)
_ENCODERS = tuple(
    f"opentelemetry.exporter.otlp.proto.common._internal{part}" for part in ("", ".metrics_encoder", ".trace_encoder")
)
_NOISY = (*_EXPORTERS, *_ENCODERS, "opentelemetry.attributes", "urllib3.connectionpool", "urllib3.util.retry")


def build(signal: str, endpoint: str | None) -> list[Route]:
    """Make the exporters of one signal.

    Args:
        signal: `traces`, `logs` or `metrics`.
        endpoint: Base URL that wins over the environment's, or None.

    Returns:
        The exporters on their routes; one that can't be made is told in the log and left out.
    """
    names = os.environ.get(f"OTEL_{signal.upper()}_EXPORTER", "").strip() or "otlp"
    made: list[Route] = []
    for name in filter(None, map(str.strip, names.split(","))):
        with guard.CONFIGURE:
            if name == "none":
                continue
            made.append(
                _otlp_http(signal, endpoint) if _is_http(name, signal) else Route(_by_entry_point(name, signal))
            )
    return made


def _is_http(name: str, signal: str) -> bool:
    protocol = os.environ.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_PROTOCOL") or os.environ.get(
        "OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"
    )
    return name == "otlp_proto_http" or (name == "otlp" and protocol.strip() != "grpc")


def _by_entry_point(name: str, signal: str) -> Any:
    wanted = "otlp_proto_grpc" if name == "otlp" else name
    for entry in entry_points(group=f"opentelemetry_{signal}_exporter", name=wanted):
        return entry.load()()
    raise LookupError(f"no exporter named {wanted} for {signal} is installed")


def _otlp_http(signal: str, endpoint: str | None) -> Line:
    for name in _NOISY:
        logging.getLogger(name).addFilter(_quiet)
    exporter, url = _exporter_class(signal), _url(signal, endpoint)
    _leave_random_alone()
    return Line(lambda session: exporter(endpoint=url, session=session))


def _url(signal: str, endpoint: str | None) -> str | None:
    if endpoint is None:
        return None  # the exporter reads OTEL_EXPORTER_OTLP_ENDPOINT and its kin, whose default is ours
    return f"{endpoint.rstrip('/')}/v1/{signal}"


def _exporter_class(signal: str) -> Callable[..., Any]:
    module, name = {
        "traces": ("trace_exporter", "OTLPSpanExporter"),
        "logs": ("_log_exporter", "OTLPLogExporter"),
        "metrics": ("metric_exporter", "OTLPMetricExporter"),
    }[signal]
    exporter: Callable[..., Any] = getattr(import_module(f"opentelemetry.exporter.otlp.proto.http.{module}"), name)
    return exporter


def _leave_random_alone() -> None:
    """Give the exporters a generator of their own: the shared one of `random`, and its sequence, are the job's."""
    for name in _EXPORTERS:
        with guard.CONFIGURE:
            module = sys.modules.get(name)
            if getattr(module, "random", None) is random:
                module.random = Random()  # type: ignore[union-attr] # noqa: S311 - spreads retries, keeps no secret
