"""What configures the wrapper: arguments of `configure`, then the environment, then defaults."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass

from waferscope._internal import guard


@dataclass(frozen=True, slots=True)
class Settings:
    """The wrapper's settings, read once.

    Attributes:
        site: `wafer.site.id`; None leaves it to the resource attributes or the Collector.
        service: `service.name`; None leaves it to OTEL_SERVICE_NAME.
        version: `service.version`; None leaves it to OTEL_RESOURCE_ATTRIBUTES.
        endpoint: Base URL of an OTLP/HTTP receiver; None leaves it to OTEL_EXPORTER_OTLP_ENDPOINT.
        disabled: Nothing is recorded (OTEL_SDK_DISABLED=true).
        heartbeat_interval: Seconds between heartbeats (WAFERSCOPE_HEARTBEAT_INTERVAL).
        metric_interval: Seconds between exports of metrics (OTEL_METRIC_EXPORT_INTERVAL, in ms).
        flush_timeout: Seconds that the end of a process may wait for its telemetry (WAFERSCOPE_FLUSH_TIMEOUT).
    """

    site: str | None
    service: str | None
    version: str | None
    endpoint: str | None
    disabled: bool
    heartbeat_interval: float
    metric_interval: float
    flush_timeout: float


def load(
    site: str | None = None, service: str | None = None, version: str | None = None, endpoint: str | None = None
) -> Settings:
    """Read the environment for what no argument gives.

    Args:
        site: See `Settings`.
        service: See `Settings`.
        version: See `Settings`.
        endpoint: See `Settings`.

    Returns:
        The settings; an unreadable number is told in the log and replaced by its default.
    """
    return Settings(
        site=site or os.environ.get("WAFERSCOPE_SITE") or None,
        service=service,
        version=version,
        endpoint=endpoint,
        disabled=os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true",
        heartbeat_interval=_positive("WAFERSCOPE_HEARTBEAT_INTERVAL", 10.0),
        metric_interval=_positive("OTEL_METRIC_EXPORT_INTERVAL", 15_000.0) / 1000,
        flush_timeout=_positive("WAFERSCOPE_FLUSH_TIMEOUT", 3.0),
    )


def _positive(variable: str, default: float) -> float:
    text = os.environ.get(variable, "").strip()
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        guard.CONFIGURE.failed(None, "%s=%r is no positive number; %g is used", variable, text, default)
        return default
    return value
