"""The tracer and the logger: of the SDK that the host has configured, else of one set up here."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from opentelemetry import trace
from opentelemetry._logs import Logger, LoggerProvider, get_logger_provider, set_logger_provider
from opentelemetry.sdk._logs import LoggerProvider as SdkLoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider as SdkTracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from waferscope._internal import exporters, guard, ids
from waferscope._internal.delivery import Delivery, Events, Metrics, Spans
from waferscope._internal.settings import Settings

_own: weakref.WeakSet[Any] = weakref.WeakSet()  # providers made here, not to be taken for the host's


class TraceIds(IdGenerator):
    """Trace and span ids that neither follow nor disturb the job's own `random` (see `ids`)."""

    def generate_span_id(self) -> int:
        """Give a random 64-bit id, never 0 (which means invalid)."""
        return ids.random_bits(64) or 1

    def generate_trace_id(self) -> int:
        """Give a random 128-bit id, never 0 (which means invalid)."""
        return ids.random_bits(128) or 1

    def is_trace_id_random(self) -> bool:
        """Tell that all bits are random (W3C Trace Context, level 2)."""
        return True


@dataclass(frozen=True, slots=True)
class Signal:
    """One signal's way out.

    Attributes:
        source: The tracer or the logger.
        resource: Of its provider.
        flush: Hands over what the provider holds back.
        deliveries: The wrapper's own exporters; empty when the host's SDK is used.
    """

    source: Any
    resource: Resource
    flush: Callable[[], None]
    deliveries: tuple[Delivery, ...]


def traces(settings: Settings, resource: Resource, scope: InstrumentationScope) -> Signal:
    """Find or set up the tracer."""
    provider: Any = trace.get_tracer_provider()
    deliveries: list[Delivery] = []
    if isinstance(provider, trace.ProxyTracerProvider) or provider in _own:
        provider = SdkTracerProvider(resource=resource, shutdown_on_exit=False, id_generator=TraceIds())
        for route in exporters.build("traces", settings.endpoint):
            spans = Spans(route)
            provider.add_span_processor(BatchSpanProcessor(spans))
            deliveries.append(spans.delivery)
        if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
            trace.set_tracer_provider(provider)
        _own.add(provider)
    tracer: trace.Tracer = provider.get_tracer(scope.name, scope.version, scope.schema_url)
    return Signal(tracer, _resource_of(provider, resource), _flush_of(provider), tuple(deliveries))


def events(settings: Settings, resource: Resource, scope: InstrumentationScope) -> Signal:
    """Find or set up the logger."""
    provider: Any = get_logger_provider()
    deliveries: list[Delivery] = []
    if _is_unset(provider) or provider in _own:
        provider = SdkLoggerProvider(resource=resource, shutdown_on_exit=False)
        for route in exporters.build("logs", settings.endpoint):
            records = Events(route)
            provider.add_log_record_processor(BatchLogRecordProcessor(records))
            deliveries.append(records.delivery)
        if _is_unset(get_logger_provider()):
            set_logger_provider(provider)
        _own.add(provider)
    logger: Logger = provider.get_logger(scope.name, scope.version, scope.schema_url)
    return Signal(logger, _resource_of(provider, resource), _flush_of(provider), tuple(deliveries))


def metrics(settings: Settings) -> tuple[Metrics, ...]:
    """Set up the exporters of the wrapper's own metrics; never those of the host's SDK."""
    return tuple(Metrics(route) for route in exporters.build("metrics", settings.endpoint))


def _is_unset(provider: LoggerProvider) -> bool:
    from opentelemetry._logs._internal import ProxyLoggerProvider  # noqa: PLC0415 - the API exports no public name of it

    return isinstance(provider, ProxyLoggerProvider)


def _resource_of(provider: Any, default: Resource) -> Resource:
    found = getattr(provider, "resource", None)
    return found if isinstance(found, Resource) else default


def _flush_of(provider: Any) -> Callable[[], None]:
    def flush() -> None:
        with guard.FLUSH:
            if hasattr(provider, "force_flush"):
                provider.force_flush()

    return flush
