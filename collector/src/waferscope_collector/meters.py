"""The writer's own metrics, shown on /metrics."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Meters:
    """One set of metrics per writer, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "waferscope_writer_requests",
            "Requests by signal, protocol and outcome",
            ["signal", "protocol", "outcome"],
            registry=self.registry,
        )
        self.stored = Counter(
            "waferscope_writer_stored",
            "Points, records and spans committed, by signal",
            ["signal"],
            registry=self.registry,
        )
        self.refused = Counter(
            "waferscope_writer_refused",
            "Points, records and spans that can never be stored, by signal and reason",
            ["signal", "reason"],
            registry=self.registry,
        )
        self.repeated = Counter(
            "waferscope_writer_repeated",
            "Requests that the ledger knew already, by signal",
            ["signal"],
            registry=self.registry,
        )
        self.series_created = Counter(
            "waferscope_writer_series_created", "Series created by this writer", registry=self.registry
        )
        self.commit_seconds = Histogram(
            "waferscope_writer_commit_seconds",
            "Time of one commit group, from its begin to the acknowledgement",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.queue_bytes = Gauge(
            "waferscope_writer_queue_bytes",
            "Decompressed bytes of requests that are not answered yet",
            registry=self.registry,
        )
        self.cached_series = Gauge(
            "waferscope_writer_cached_series", "Identities whose series id is in memory", registry=self.registry
        )
