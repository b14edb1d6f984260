"""The writer's own metrics, shown on /metrics.

One process keeps them in memory. Several keep them in files of a folder that they share, each its own: whoever is
asked adds all of them up, and a process that takes the place of one that died goes on with its counters.
"""

import os
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, values
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

PREFIX = "waferscope_writer"
FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"  # the library's own

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_REASONS = 64  # at most in a label: texts that hold a name or a number must not become a series each
_OTHER = "other"


def share(folder: Path, place: str) -> None:
    """Keep the metrics made from now on in a folder that several processes share.

    Args:
        folder: The folder.
        place: The process's name in it, without underscores; one that died hands it to the next.
    """
    os.environ[FOLDER_VARIABLE] = str(folder)
    values.ValueClass = values.MultiProcessValue(lambda: place)  # type: ignore[no-untyped-call]


def forget(folder: Path, place: str) -> None:
    """Drop the gauges of a process that died; its counters stay."""
    mark_process_dead(place, str(folder))  # type: ignore[no-untyped-call]


def _bounded(text: str, known: set[str]) -> str:
    """Return a label's value: the text, unless too many others were there before."""
    if text not in known and len(known) >= _REASONS:
        return _OTHER
    known.add(text)
    return text


class Meters:
    """One set of metrics, in a registry of its own.

    Args:
        prefix: What the names begin with.
    """

    def __init__(self, prefix: str = PREFIX) -> None:
        self.registry = CollectorRegistry()
        self._reasons: set[str] = set()
        self._offenders: set[str] = set()
        self.requests = self._counter(
            f"{prefix}_requests", "Requests by signal, protocol and outcome", "signal", "protocol", "outcome"
        )
        self.received_bytes = self._counter(
            f"{prefix}_received_bytes", "Bytes of requests as they came, before decompression", "signal", "protocol"
        )
        self.received = self._counter(
            f"{prefix}_received", "Points, records and spans taken in: stored, refused or known already", "signal"
        )
        self.stored = self._counter(f"{prefix}_stored", "Points, records and spans committed, by signal", "signal")
        self.refused = self._counter(
            f"{prefix}_refused",
            "Points, records and spans that can never be stored, by signal and reason",
            "signal",
            "reason",
        )
        self.partial = self._counter(
            f"{prefix}_partial_success", "Requests of which a part was refused for good, by signal", "signal"
        )
        self.repeated = self._counter(
            f"{prefix}_repeated", "Requests that the ledger knew already, by signal", "signal"
        )
        self.series_created = self._counter(f"{prefix}_series_created", "Series created by this writer")
        self.series_refused = self._counter(
            f"{prefix}_series_refused", "Series beyond a limit that were not created, by metric", "metric"
        )
        self.request_seconds = self._histogram(
            f"{prefix}_request_seconds",
            "Time from a request's last byte to its answer, by signal and protocol",
            "signal",
            "protocol",
        )
        self.commit_seconds = self._histogram(
            f"{prefix}_commit_seconds", "Time of one commit group, from its begin to the acknowledgement"
        )
        self.queue_bytes = self._gauge(
            f"{prefix}_queue_bytes", "Decompressed bytes of requests that are not answered yet"
        )
        self.queue_requests = self._gauge(f"{prefix}_queue_requests", "Requests that are not answered yet")
        self.queue_full = self._gauge(
            f"{prefix}_queue_full", "1 while no process of the writer takes more requests", mode="livemin"
        )
        self.cached_series = self._gauge(f"{prefix}_cached_series", "Identities whose series id is in memory")

    def refuse(self, signal: str, reason: str, count: int) -> None:
        """Count what is refused for good; of the reasons, so many get a label and the rest shares one."""
        self.refused.labels(signal, _bounded(reason, self._reasons)).inc(count)

    def refuse_series(self, metric: str, count: int) -> None:
        """Count series that were not created; of the metrics, so many get a label and the rest shares one."""
        self.series_refused.labels(_bounded(metric, self._offenders)).inc(count)

    def whole(self) -> CollectorRegistry:
        """Return the metrics of all processes of the writer together."""
        folder = os.environ.get(FOLDER_VARIABLE)
        if folder is None:
            return self.registry
        registry = CollectorRegistry()
        MultiProcessCollector(registry, folder)  # type: ignore[no-untyped-call]
        return registry

    def page(self) -> bytes:
        """Return what /metrics shows."""
        return generate_latest(self.whole())

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, *labels: str) -> Histogram:
        return Histogram(name, text, labels, buckets=_SECONDS, registry=self.registry)

    def _gauge(self, name: str, text: str, *, mode: str = "livesum") -> Gauge:
        gauge = Gauge(name, text, registry=self.registry, multiprocess_mode=mode)  # type: ignore[arg-type]
        gauge.set(0)
        return gauge
