"""The ways out of a process: one for spans, one for events and log records, one for metrics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version

from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from waferscope import semconv
from waferscope._internal import points, providers, resource
from waferscope._internal.delivery import Channel, Log
from waferscope._internal.providers import Events, Traces
from waferscope._internal.settings import Settings

Flush = Callable[[float], bool]


@dataclass(frozen=True, slots=True)
class Ways:
    """All ways out.

    Attributes:
        traces: Of spans, with the tracer that makes them.
        events: Of events and log records.
        metrics: Of deltas.
    """

    traces: Traces
    events: Events
    metrics: tuple[Channel, ...]


def find(settings: Settings, log: Log, flush: Flush) -> Ways:
    """Find the ways of the host's SDK, and set up those that it lacks; metrics always have their own.

    Args:
        settings: Say who sends, and where to.
        log: Tells how deliveries go.
        flush: Sends what waits, within the seconds that it is given.
    """
    described = resource.build(settings)
    scope = own_scope()
    traces = providers.traces(settings, described, scope, log, flush)
    events = providers.events(settings, traces.resource, scope, log, flush)
    to_sdk = partial(points.to_sdk, resource=resource.for_metrics(traces.resource), scope=scope)
    return Ways(traces, events, providers.metrics(settings, to_sdk, log))


def own_scope() -> InstrumentationScope:
    """Describe who makes the telemetry: the wrapper, its version and the schema of its names."""
    return InstrumentationScope("waferscope", version("waferscope"), semconv.SCHEMA_URL)
