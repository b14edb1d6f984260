"""What configures the wrapper: arguments of `configure`, then the environment, then defaults."""

from __future__ import annotations

import logging
import math
import os
from dataclasses import dataclass

from waferscope._internal import arguments, guard


@dataclass(frozen=True, slots=True)
class Settings:
    """The wrapper's settings, read once.

    Attributes:
        site: `wafer.site.id`; None leaves it to the resource attributes or the Collector.
        service: `service.name`; None leaves it to OTEL_SERVICE_NAME.
        version: `service.version`; None leaves it to OTEL_RESOURCE_ATTRIBUTES.
        endpoint: Base URL of an OTLP/HTTP receiver; None leaves it to OTEL_EXPORTER_OTLP_ENDPOINT.
        strict: A wrong argument raises at the call (WAFERSCOPE_STRICT=true).
        export_logs: Level from which records of `logging` are exported; None exports none (WAFERSCOPE_EXPORT_LOGS).
        gc_pauses: Measure the pauses of the garbage collector (WAFERSCOPE_GC_PAUSES=true).
        disabled: Nothing is recorded (OTEL_SDK_DISABLED=true).
        heartbeat_interval: Seconds between heartbeats (WAFERSCOPE_HEARTBEAT_INTERVAL).
        metric_interval: Seconds between exports of metrics (OTEL_METRIC_EXPORT_INTERVAL, in ms).
        linger: Seconds that an event waits for others (OTEL_BLRP_SCHEDULE_DELAY, in ms).
        span_delay: Seconds between exports of spans (OTEL_BSP_SCHEDULE_DELAY, in ms).
        flush_timeout: Seconds that the end of a process may wait for its telemetry (WAFERSCOPE_FLUSH_TIMEOUT).
        exponential: Histograms have exponential buckets
            (OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION=base2_exponential_bucket_histogram).
        exemplars: Metrics point to traces (not with OTEL_METRICS_EXEMPLAR_FILTER=always_off).
        flush_after_job: The process may be frozen once its job is done, as on AWS Lambda (AWS_LAMBDA_FUNCTION_NAME).
    """

    site: str | None
    service: str | None
    version: str | None
    endpoint: str | None
    strict: bool
    export_logs: int | None
    gc_pauses: bool
    disabled: bool
    heartbeat_interval: float
    metric_interval: float
    linger: float
    span_delay: float
    flush_timeout: float
    exponential: bool
    exemplars: bool
    flush_after_job: bool


def load(
    *,
    site: str | None = None,
    service: str | None = None,
    version: str | None = None,
    endpoint: str | None = None,
    strict: bool | None = None,
    export_logs: str | int | None = None,
    gc_pauses: bool | None = None,
) -> Settings:
    """Read the environment for what no argument gives.

    Args:
        site: See `Settings`.
        service: See `Settings`.
        version: See `Settings`.
        endpoint: See `Settings`.
        strict: See `Settings`.
        export_logs: See `Settings`; a level of `logging`, by its name or number.
        gc_pauses: See `Settings`.

    Returns:
        The settings; what can't be read is told in the log and replaced by its default.
    """
    pauses = arguments.flag("gc_pauses", gc_pauses)
    aggregation = _text("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION").lower()
    return Settings(
        site=arguments.identifier("site", site) or os.environ.get("WAFERSCOPE_SITE") or None,
        service=arguments.identifier("service", service),
        version=arguments.identifier("version", version),
        endpoint=_url(endpoint),
        strict=is_strict(strict),
        export_logs=_level(export_logs if export_logs is not None else _text("WAFERSCOPE_EXPORT_LOGS") or None),
        gc_pauses=_flag("WAFERSCOPE_GC_PAUSES") if pauses is None else pauses,
        disabled=_flag("OTEL_SDK_DISABLED"),
        heartbeat_interval=_positive("WAFERSCOPE_HEARTBEAT_INTERVAL", 10.0),
        metric_interval=_positive("OTEL_METRIC_EXPORT_INTERVAL", 15_000.0) / 1000,
        linger=_positive("OTEL_BLRP_SCHEDULE_DELAY", 200.0) / 1000,
        span_delay=_positive("OTEL_BSP_SCHEDULE_DELAY", 1000.0) / 1000,
        flush_timeout=_positive("WAFERSCOPE_FLUSH_TIMEOUT", 3.0),
        exponential=aggregation == "base2_exponential_bucket_histogram",
        exemplars=_text("OTEL_METRICS_EXEMPLAR_FILTER").lower() != "always_off",
        flush_after_job=bool(_text("AWS_LAMBDA_FUNCTION_NAME")),
    )


def is_strict(given: bool | None) -> bool:  # noqa: FBT001 - a setting's value, handed on
    """Tell whether strictness is asked for.

    Args:
        given: By the author; None leaves it to the environment.
    """
    checked = arguments.flag("strict", given)
    return arguments.is_environment_strict() if checked is None else checked


def whole(variable: str, default: int) -> int:
    """Read a positive whole number.

    Args:
        variable: Of the environment.
        default: Stands for what is unset or can't be read.
    """
    return max(int(_positive(variable, default)), 1)


def _url(given: str | None) -> str | None:
    endpoint = arguments.identifier("endpoint", given)
    if endpoint is None or endpoint.lower().startswith(("http://", "https://")):
        return endpoint
    arguments.misuse("the endpoint is a URL with http:// or https://, not %r; http:// is put before it", endpoint)
    return f"http://{endpoint}"


def _text(variable: str) -> str:
    return os.environ.get(variable, "").strip()


def _flag(variable: str) -> bool:
    return _text(variable).lower() == "true"


def _level(given: str | int | None) -> int | None:
    if given is None or (isinstance(given, int) and not isinstance(given, bool)):
        return given
    level = logging.getLevelName(str(given).upper())
    if isinstance(level, int):
        return level
    arguments.misuse("%r is no level of logging; no logs are exported", given)
    return None


def _positive(variable: str, default: float) -> float:
    text = _text(variable)
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
