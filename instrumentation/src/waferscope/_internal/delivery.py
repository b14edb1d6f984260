"""Exporters that keep what could not be delivered, say so once, and stay silent otherwise."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Sequence
from enum import Enum
from typing import Any

from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.metrics.export import MetricExportResult, MetricsData
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from waferscope._internal import guard
from waferscope._internal.transport import Route

_KEPT = 16  # batches (of at most 512 records by the SDK's default) that wait for the receiver to come back

_delivering = threading.local()


class Delivery:
    """Sends batches of one signal in order.

    A batch that the receiver did not take for a passing reason waits and is sent again, byte for byte, so that the
    writer's ledger knows it if only the answer was lost. At most 16 wait; the oldest is dropped, counted, told once.
    """

    def __init__(self, signal: str, success: Enum, route: Route) -> None:
        self._signal = signal
        self._success = success
        self._route = route
        self._lock = threading.Lock()
        self._waiting: deque[Any] = deque()

    def deliver(self, batch: Any) -> bool:
        """Send what waits, then `batch`.

        Args:
            batch: What the exporter of the signal takes.

        Returns:
            Whether nothing waits any more.
        """
        with self._lock:
            self._waiting.append(batch)
            while len(self._waiting) > _KEPT:
                self._drop("the receiver was away for too long")
            return self._drain()

    def retry(self) -> bool:
        """Send what waits; tell whether nothing waits any more."""
        with self._lock:
            return self._drain()

    def hurry(self, deadline: float) -> None:
        """Make the last tries before the process ends.

        Args:
            deadline: By the monotonic clock, s.
        """
        self._route.hurry(deadline)

    def renew(self) -> None:
        """Start empty in the child of a fork: what waits is the parent's to send."""
        self._lock = threading.Lock()
        self._waiting.clear()
        self._route.renew()

    def _drain(self) -> bool:
        while self._waiting:
            if self._attempt(self._waiting[0]):
                self._waiting.popleft()
            elif not self._route.failure_passes():
                self._drop("they could not be sent, or were refused")
            else:
                guard.EXPORT.failed(None, "%s can't be delivered now, trying again", self._signal, count=0)
                return False
        return True

    def _attempt(self, batch: Any) -> bool:
        _delivering.active = True
        try:
            with guard.EXPORT:
                return self._route.exporter.export(batch) is self._success
            return False
        finally:
            _delivering.active = False

    def _drop(self, reason: str) -> None:
        self._waiting.popleft()
        guard.EXPORT.failed(None, "%s were dropped: %s", self._signal, reason)


class Spans(SpanExporter):
    """Delivers spans by another exporter."""

    def __init__(self, route: Route) -> None:
        self.delivery = Delivery("spans", SpanExportResult.SUCCESS, route)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """See `SpanExporter.export`."""
        with guard.EXPORT:
            return SpanExportResult.SUCCESS if self.delivery.deliver(spans) else SpanExportResult.FAILURE
        return SpanExportResult.FAILURE


class Events(LogRecordExporter):
    """Delivers log events by another exporter."""

    def __init__(self, route: Route) -> None:
        self.delivery = Delivery("events", LogRecordExportResult.SUCCESS, route)

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        """See `LogRecordExporter.export`."""
        with guard.EXPORT:
            return LogRecordExportResult.SUCCESS if self.delivery.deliver(batch) else LogRecordExportResult.FAILURE
        return LogRecordExportResult.FAILURE

    def force_flush(self, timeout_millis: int = 10_000) -> bool:
        """Send what waits; see `LogRecordExporter.force_flush`."""
        del timeout_millis
        with guard.EXPORT:
            return self.delivery.retry()
        return False

    def shutdown(self) -> None:
        """Hold nothing that must be closed."""


class Metrics:
    """Delivers metrics by an exporter of the SDK."""

    def __init__(self, route: Route) -> None:
        self.delivery = Delivery("metrics", MetricExportResult.SUCCESS, route)

    def export(self, data: MetricsData) -> None:
        """Send what waits, then `data`."""
        with guard.EXPORT:
            self.delivery.deliver(data)


class Quiet(logging.Filter):
    """Keeps the exporters' own complaints about our batches out of the host's log: `Delivery` tells them once."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let through what is not about a batch of ours."""
        del record
        return not getattr(_delivering, "active", False)
