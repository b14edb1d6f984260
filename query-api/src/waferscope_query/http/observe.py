"""The service's own metrics."""

import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from waferscope_query.storage.source import DatabaseSource

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


class Metrics:
    """Counts requests and shows the state of the index.

    Args:
        source: Whose index is shown.
    """

    def __init__(self, source: DatabaseSource) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.requests = Counter(
            "waferscope_query_requests", "Answered requests.", ("endpoint", "status"), registry=self.registry
        )
        self.duration = Histogram(
            "waferscope_query_request_duration_seconds",
            "Time from a request to the end of its answer.",
            ("endpoint",),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.queued = Histogram(
            "waferscope_query_queue_seconds",
            "Time that requests of the Prometheus API stood in the queue, those that left it as well.",
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.refused = Counter(
            "waferscope_query_refused",
            "Queries that a limit has refused: queue_full, queue_timeout, series, samples, query_memory, total_memory.",
            ("reason",),
            registry=self.registry,
        )
        self._gauge("series", "Series in the index; a histogram counts as three.", lambda: len(source.index))
        self._gauge("strings", "Distinct label names and values in the index.", lambda: len(source.pool))
        self._gauge(
            "feed_age_seconds",
            "Time since the change feed was last polled, which each query does; -1 before the first time.",
            lambda: -1 if source.follower.polled_at is None else time.monotonic() - source.follower.polled_at,
        )
        self._gauge("cache_bytes", "Bytes of samples kept in memory.", lambda: source.cache.bytes)
        self._gauge("cache_hit_samples", "Samples that queries found in memory.", lambda: source.cache.hits)
        self._gauge("cache_read_samples", "Samples that queries had to read first.", lambda: source.cache.misses)
        results = source.cache.results
        self._gauge("result_cache_bytes", "Bytes of answered steps kept in memory.", lambda: results.bytes)
        self._gauge("result_cache_hit_steps", "Steps of range queries answered from memory.", lambda: results.hits)
        self._gauge(
            "result_cache_computed_steps",
            "Steps of range queries that were computed, of those that may be kept.",
            lambda: results.misses,
        )
        self._gauge("feed_polls", "Successful polls of the change feed.", lambda: source.follower.polls)

    def watch(self, waiting: Callable[[], int], running: Callable[[], int], memory: Callable[[], int]) -> None:
        """Show what is under way.

        Args:
            waiting: Queries in the queue.
            running: Queries at work.
            memory: Bytes that they have or have reserved.
        """
        self._gauge("queue_length", "Queries that wait for a place.", waiting)
        self._gauge("running", "Queries that have a place.", running)
        self._gauge("memory_bytes", "Bytes that queries use or have reserved.", memory)

    def _gauge(self, name: str, text: str, value: Callable[[], float]) -> None:
        Gauge(f"waferscope_query_{name}", text, registry=self.registry).set_function(value)


class Observed:
    """Measures every HTTP request by the route that answered it.

    Args:
        app: The application.
        metrics: Where to count.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request and count it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            endpoint = getattr(scope.get("route"), "path", "other")
            self._metrics.requests.labels(endpoint, status).inc()
            self._metrics.duration.labels(endpoint).observe(time.perf_counter() - started)
