"""The sample jobs of the repository's examples folder."""

import runpy
import sys
from pathlib import Path

from waferscope_stack.errors import StackError

RUNNER = "run_all.py"
FOLDER = Path(__file__).parents[3] / "examples"


def command() -> list[str]:
    """Return the command line that runs all sample jobs, each in a process of its own.

    Raises:
        StackError: There are none: this isn't a working copy of the repository.
    """
    if not (FOLDER / RUNNER).exists():
        raise StackError(
            f"no sample jobs: {FOLDER / RUNNER} is missing; they come with the repository, not with the package"
        )
    return [sys.executable, str(FOLDER / RUNNER)]


def count() -> int:
    """Return how many sample jobs there are."""
    samples: list[object] = runpy.run_path(str(FOLDER / RUNNER))["samples"]()
    return len(samples)


def environment(endpoint: str) -> dict[str, str]:
    """Return the variables that send the sample jobs' telemetry somewhere.

    Args:
        endpoint: URL of an OTLP/HTTP receiver.
    """
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}
