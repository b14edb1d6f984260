"""A Prometheus server to compare with: its program is given, for none is built here."""

import contextlib
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
from support.ports import free_ports

VARIABLE = "WAFERSCOPE_BENCH_PROMETHEUS"
CONFIG = """
global: {scrape_interval: 1h}
otlp: {promote_resource_attributes: [host.name]}
storage: {tsdb: {out_of_order_time_window: 2h}}
"""


@dataclass(frozen=True)
class Prometheus:
    """A server under load."""

    url: str
    data: Path


@contextlib.contextmanager
def prometheus() -> Iterator[Prometheus | None]:
    """Run the program that the environment names, with its OTLP receiver on; yield None without one."""
    program = os.environ.get(VARIABLE)
    if not program:
        yield None
        return
    (port,) = free_ports(1)
    with tempfile.TemporaryDirectory(prefix="waferscope-bench-") as folder:
        config = Path(folder) / "prometheus.yml"
        config.write_text(CONFIG, encoding="utf-8")
        command = [program, f"--config.file={config}", f"--storage.tsdb.path={folder}/data"]
        command += [f"--web.listen-address=127.0.0.1:{port}", "--web.enable-otlp-receiver"]
        command += ["--web.enable-admin-api", "--web.enable-remote-write-receiver", "--log.level=error"]
        process = subprocess.Popen(command)
        try:
            url = f"http://127.0.0.1:{port}"
            _wait(f"{url}/-/ready")
            yield Prometheus(url, Path(folder) / "data")
        finally:
            process.terminate()
            process.wait()


def _wait(url: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(url).is_success:
                return
        time.sleep(0.1)
    raise TimeoutError(f"{url} does not answer")
