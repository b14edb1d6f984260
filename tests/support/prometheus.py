"""A Prometheus server to compare answers with: its program is given, for none is built here."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.ports import free_port
from support.processes import Process

VARIABLE = "WAFERSCOPE_TEST_PROMETHEUS"
# What is always on here.
_FEATURES = (
    "promql-delayed-name-removal,promql-experimental-functions,promql-duration-expr,promql-extended-range-selectors"
)


@contextlib.contextmanager
def prometheus() -> Iterator[str]:
    """Run the program that the environment names, on no samples; yield its URL. Skip without one."""
    program = os.environ.get(VARIABLE)
    if not program:
        pytest.skip(f"optional: needs a Prometheus 3 server: set {VARIABLE} to its program")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="waferscope-prometheus-") as folder:
        config = Path(folder) / "prometheus.yml"
        config.write_text(
            "global: {scrape_interval: 1h}\nstorage: {tsdb: {out_of_order_time_window: 10y}}\n", encoding="utf-8"
        )
        command = [
            program,
            f"--config.file={config}",
            f"--storage.tsdb.path={folder}/data",
            f"--enable-feature={_FEATURES}",
        ]
        command += [
            f"--web.listen-address=127.0.0.1:{port}",
            "--web.enable-admin-api",
            "--web.enable-remote-write-receiver",
        ]
        with Process(command) as process:
            process.wait_healthy(f"http://127.0.0.1:{port}/-/ready")
            yield f"http://127.0.0.1:{port}"
