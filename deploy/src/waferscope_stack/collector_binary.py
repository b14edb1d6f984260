"""Finds the OpenTelemetry Collector of this machine."""

import os
import shutil
from pathlib import Path

NAMES = ("otelcol", "otelcol-contrib")
BUILT = Path("collector-0.160.0", "otelcol")  # by `make collector`


def find() -> Path | None:
    """Return the Collector: the one on PATH, else the one that `make collector` built, else None."""
    for name in NAMES:
        if found := shutil.which(name):
            return Path(found)
    built = _cache() / BUILT
    return built if os.access(built, os.X_OK) else None


def _cache() -> Path:
    """Return the folder that the Makefile calls CACHE."""
    if own := os.environ.get("WAFERSCOPE_CACHE"):
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "waferscope"
