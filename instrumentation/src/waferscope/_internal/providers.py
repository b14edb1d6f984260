"""The tracer and the way of events: of the SDK that the host has configured, else of one set up here."""

from __future__ import annotations

import copy
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry._logs import Logger, LoggerProvider, get_logger_provider, set_logger_provider
from opentelemetry.context import Context
from opentelemetry.sdk._logs import (
    LogRecordProcessor,
    ReadableLogRecord,
    ReadWriteLogRecord,
)
from opentelemetry.sdk._logs.export import LogRecordExportResult
from opentelemetry.sdk.metrics.export import MetricExportResult
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from waferscope._internal import exporters, guard, ids, weight
from waferscope._internal.delivery import Channel, Emitted, Exported, Log
from waferscope._internal.outbox import Outbox
from waferscope._internal.own_providers import PatientLoggerProvider, PatientTracerProvider
from waferscope._internal.records import Record
from waferscope._internal.settings import Settings, whole

if TYPE_CHECKING:
    from waferscope._internal.metrics import Delta

_WAITING = 8192  # spans, events, or log records: at most some 40 MB of each while the receiver is away
_BATCH = 512  # records in one request

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


class SpanQueue(SpanProcessor):
    """Lets ended spans wait for the exporting thread."""

    def __init__(self, channels: list[Channel], flush: Callable[[float], bool]) -> None:
        self._channels = channels
        self._flush = flush

    def on_end(self, span: ReadableSpan) -> None:
        """See `SpanProcessor.on_end`."""
        context = span.context
        if context is not None and context.trace_flags.sampled:
            for channel in self._channels:
                channel.put(span)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """See `SpanProcessor.force_flush`."""
        return self._flush(timeout_millis / 1000)


class RecordQueue(LogRecordProcessor):
    """Lets log records that the host emits through our provider wait for the exporting thread."""

    def __init__(self, channels: Sequence[Channel], flush: Callable[[float], bool]) -> None:
        self._channels = channels
        self._flush = flush

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """See `LogRecordProcessor.on_emit`."""
        record = copy.copy(log_record.log_record)
        record.context = Context()  # holds more than is needed, for as long as the record waits
        scope = log_record.instrumentation_scope
        readable = ReadableLogRecord(record, log_record.resource or Resource.get_empty(), scope, log_record.limits)
        for channel in self._channels:
            channel.put(readable)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """See `LogRecordProcessor.force_flush`."""
        return self._flush(timeout_millis / 1000)

    def shutdown(self) -> None:
        """Hold nothing that must be closed."""


def _nothing() -> None:
    """Do nothing."""


@dataclass(frozen=True, slots=True)
class Traces:
    """The way of spans.

    Attributes:
        tracer: Makes them.
        resource: Of its provider.
        channels: Ours; empty when the host's SDK is used.
        flush: Hands over what the host's SDK holds back.
        settle: Makes it fit for the child of a fork.
    """

    tracer: trace.Tracer
    resource: Resource
    channels: tuple[Channel, ...]
    flush: Callable[[], None]
    settle: Callable[[], None] = _nothing


@dataclass(frozen=True, slots=True)
class Events:
    """The ways of events and of log records: apart, so that a flood of lines can't push the end of a job out.

    Attributes:
        channels: Take the `Record` of an event.
        logs: Take that of a log record.
        flush: Hands over what the host's SDK holds back.
        settle: Makes it fit for the child of a fork.
    """

    channels: tuple[Channel, ...]
    logs: tuple[Channel, ...]
    flush: Callable[[], None]
    settle: Callable[[], None] = _nothing


def traces(
    settings: Settings, resource: Resource, scope: InstrumentationScope, log: Log, flush: Callable[[float], bool]
) -> Traces:
    """Find or set up the tracer."""
    provider: Any = trace.get_tracer_provider()
    channels: list[Channel] = []
    if isinstance(provider, trace.ProxyTracerProvider) or provider in _own:
        provider = PatientTracerProvider(resource=resource, shutdown_on_exit=False, id_generator=TraceIds())
        for route in exporters.build("traces", settings.endpoint):
            waiting = Outbox(whole("OTEL_BSP_MAX_QUEUE_SIZE", _WAITING), weigh=weight.of_span)
            batch = whole("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", _BATCH)
            channels.append(
                Exported("spans", SpanExportResult.SUCCESS, route, outbox=waiting, batch=batch, prepare=list, log=log)
            )
        provider.add_span_processor(SpanQueue(channels, flush))
        if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
            trace.set_tracer_provider(provider)
        _own.add(provider)
    tracer: trace.Tracer = provider.get_tracer(scope.name, scope.version, scope.schema_url)
    found = _resource_of(provider, resource)
    settle = provider.settle if provider in _own else _nothing
    return Traces(tracer, found, tuple(channels), _flush_of(provider, own=provider in _own), settle)


def events(
    settings: Settings, resource: Resource, scope: InstrumentationScope, log: Log, flush: Callable[[float], bool]
) -> Events:
    """Find or set up the way of events."""
    provider: Any = get_logger_provider()
    waiting = whole("OTEL_BLRP_MAX_QUEUE_SIZE", _WAITING)
    if not _is_unset(provider) and provider not in _own:
        logger: Logger = provider.get_logger(scope.name, scope.version, scope.schema_url)
        emitted = [
            Emitted(signal, Outbox(waiting, Record.gave_way, weight.of_record), partial(_emit, logger), log)
            for signal in ("events", "logs")
        ]
        return Events((emitted[0],), (emitted[1],), _flush_of(provider, own=False))
    provider = PatientLoggerProvider(resource=resource, shutdown_on_exit=False)
    prepare = partial(_readable, resource=resource, scope=scope)
    batch = whole("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", _BATCH)

    def exported(signal: str) -> tuple[Channel, ...]:
        return tuple(
            Exported(
                signal, LogRecordExportResult.SUCCESS, route,
                outbox=Outbox(waiting, Record.gave_way, weight.of_record), batch=batch, prepare=prepare, log=log,
            )
            for route in exporters.build("logs", settings.endpoint)
        )  # fmt: skip

    own = Events(exported("events"), exported("logs"), _flush_of(provider, own=True), provider.settle)
    provider.add_log_record_processor(RecordQueue(own.logs, flush))
    if _is_unset(get_logger_provider()):
        set_logger_provider(provider)
    _own.add(provider)
    return own


def metrics(settings: Settings, to_sdk: Callable[[Delta], Any], log: Log) -> tuple[Channel, ...]:
    """Set up the ways of the wrapper's own metrics; never those of the host's SDK."""
    return tuple(
        Exported(
            "metrics", MetricExportResult.SUCCESS, route,
            outbox=Outbox(1), batch=1, prepare=lambda deltas: to_sdk(deltas[0]), log=log,
        )
        for route in exporters.build("metrics", settings.endpoint)
    )  # fmt: skip


def _emit(logger: Logger, record: Record) -> None:
    logger.emit(record.to_sdk())


def _readable(items: list[Any], resource: Resource, scope: InstrumentationScope) -> list[ReadableLogRecord]:
    return [ReadableLogRecord(item.to_sdk(), resource, scope) if isinstance(item, Record) else item for item in items]


def _is_unset(provider: LoggerProvider) -> bool:
    from opentelemetry._logs._internal import ProxyLoggerProvider  # noqa: PLC0415 - the API exports no public name of it

    return isinstance(provider, ProxyLoggerProvider)


def _resource_of(provider: Any, default: Resource) -> Resource:
    found = getattr(provider, "resource", None)
    return found if isinstance(found, Resource) else default


def _flush_of(provider: Any, *, own: bool) -> Callable[[], None]:
    def flush() -> None:
        with guard.FLUSH:
            if not own and hasattr(provider, "force_flush"):
                provider.force_flush()

    return flush
