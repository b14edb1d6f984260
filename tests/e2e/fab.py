"""Everything between a job and those who look at it: a host's Collector, a site, a trace store."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from e2e.collector import Collector
from e2e.receiver import Received
from e2e.site import Site
from support.processes import Process

EXAMPLES = Path(__file__).parents[2] / "examples"
JOBS = Path(__file__).parent / "jobs"


@dataclass(frozen=True, slots=True)
class Fab:
    """A running one.

    Attributes:
        site: Where writer and query service answer.
        collector: What jobs send to.
        traces: What has come to the trace store.
    """

    site: Site
    collector: Collector
    traces: Received

    def start(self, script: Path, *arguments: str, env: Mapping[str, str] | None = None) -> Process:
        """Start a job's script; its telemetry goes to the Collector."""
        return start_job(self.collector, script, *arguments, env=env)


def start_job(collector: Collector, script: Path, *arguments: str, env: Mapping[str, str] | None = None) -> Process:
    """Start a job's script, told by the standard variable where its telemetry goes."""
    told = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint}
    return Process([sys.executable, script, *arguments], env={**told, **(env or {})})
