"""The real Collector as a child process, with the repository's own configuration and free ports."""

import contextlib
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from support.ports import free_ports
from support.processes import Process

from waferscope_stack import collector_binary

CONFIG = Path(__file__).parents[2] / "collector" / "config"
HOST, HOST_TEMPO = CONFIG / "host.yaml", CONFIG / "host-tempo.yaml"


@dataclass(frozen=True, slots=True)
class Collector:
    """A Collector's addresses and settings; start it as often as a test needs."""

    environment: dict[str, str]
    http_port: int
    metrics_port: int
    health_port: int

    @classmethod
    def prepare(cls, spool: Path, *, writer: str, tempo: str | None = None, site: str | None = None) -> "Collector":
        """Choose free ports.

        Args:
            spool: The folder of its queues.
            writer: The writer's gRPC address, host:port.
            tempo: The trace store's, host:port; None for a host without one.
            site: The site id; None leaves it to the writer.
        """
        grpc_port, http_port, health_port, metrics_port = free_ports(4)
        environment = {
            "WAFERSCOPE_COLLECTOR_SPOOL": str(spool),
            "WAFERSCOPE_COLLECTOR_WRITER_ENDPOINT": f"http://{writer}",
            "WAFERSCOPE_COLLECTOR_GRPC_PORT": str(grpc_port),
            "WAFERSCOPE_COLLECTOR_HTTP_PORT": str(http_port),
            "WAFERSCOPE_COLLECTOR_HEALTH_PORT": str(health_port),
            "WAFERSCOPE_COLLECTOR_METRICS_PORT": str(metrics_port),
        }
        if tempo is not None:
            environment["WAFERSCOPE_COLLECTOR_TEMPO_ENDPOINT"] = f"http://{tempo}"
        if site is not None:
            environment["WAFERSCOPE_SITE"] = site
        return cls(environment, http_port, metrics_port, health_port)

    @property
    def endpoint(self) -> str:
        """Where jobs send OTLP over HTTP."""
        return f"http://127.0.0.1:{self.http_port}"

    @contextlib.contextmanager
    def running(self) -> Iterator[Process]:
        """Run it; yield it once it serves."""
        files = [HOST, HOST_TEMPO] if "WAFERSCOPE_COLLECTOR_TEMPO_ENDPOINT" in self.environment else [HOST]
        with run(*(word for file in files for word in ("--config", file)), env=self.environment) as process:
            yield process.wait_healthy(f"http://127.0.0.1:{self.health_port}/v1/health")

    def own_metrics(self) -> dict[str, float]:
        """Return its own metrics, by the series as Prometheus's text format writes it."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
        return {series: float(value) for series, value in pairs}

    def backlog(self) -> float:
        """Return how many requests it holds or is sending."""
        waiting = "otelcol_exporter_queue_size", "otelcol_exporter_in_flight_requests"
        return sum(value for series, value in self.own_metrics().items() if series.startswith(waiting))


def run(*arguments: str | Path, env: dict[str, str]) -> Process:
    """Start the Collector's binary."""
    binary = collector_binary.find()
    assert binary is not None, "guarded by the marker `collector`"
    return Process([binary, *arguments], env=env)
