"""`make demo` from start to end, as a person runs it."""

import os
import sys
from pathlib import Path

import pytest
from support.processes import Process

PORTS = (
    "WAFERSCOPE_QUERY_PORT",
    "WAFERSCOPE_WRITER_HTTP_PORT",
    "WAFERSCOPE_WRITER_GRPC_PORT",
    "WAFERSCOPE_STACK_DATABASE_PORT",
    "WAFERSCOPE_COLLECTOR_GRPC_PORT",
    "WAFERSCOPE_COLLECTOR_HTTP_PORT",
    "WAFERSCOPE_COLLECTOR_HEALTH_PORT",
    "WAFERSCOPE_COLLECTOR_METRICS_PORT",
)
NO_COLLECTOR = {"PATH": os.defpath}  # with an empty cache folder


def run(folder: Path, env: dict[str, str]) -> str:
    command = [sys.executable, "-m", "waferscope_stack.demo"]
    with Process(command, env={**dict.fromkeys(PORTS, "0"), "DEMO_SECONDS": "0", **env}, cwd=folder) as demo:
        assert demo.wait_exit(within_s=280) == 0
        return demo.stdout


def cells(report: str) -> list[list[str]]:
    return [line.split() for line in report.splitlines()]


@pytest.mark.collector
@pytest.mark.timeout(600)
def test_the_demo_shows_what_the_sample_jobs_did_and_a_second_start_keeps_it(folder: Path) -> None:
    straight = run(folder, {**NO_COLLECTOR, "WAFERSCOPE_CACHE": str(folder / "cache")})
    assert "straight to the writer" in straight
    runs = [row for row in cells(straight) if row[:2] in (["recipe-window", "failed"], ["recipe-window", "succeeded"])]
    assert sorted(row[1] for row in runs) == ["failed", "succeeded"]
    assert all(float(row[2]) > 0 and float(row[3]) > 20 and row[4].startswith("LOT-") for row in runs)
    assert ["wafer-map-defects", "success", "3"] in cells(straight)
    assert "http://127.0.0.1:" in straight

    collected = run(folder, {})
    assert "through the Collector" in collected
    assert ["wafer-map-defects", "success", "6"] in cells(collected)
    assert len([row for row in cells(collected) if row[:2] == ["recipe-window", "failed"]]) == 2


def test_a_taken_port_is_one_clear_line(folder: Path) -> None:
    env = {**dict.fromkeys(PORTS, "0"), "WAFERSCOPE_QUERY_PORT": "1", "WAFERSCOPE_WRITER_HTTP_PORT": "1"}
    with Process([sys.executable, "-m", "waferscope_stack.demo"], env=env, cwd=folder) as demo:
        assert demo.wait_exit() == 4
        assert demo.stderr.startswith(
            "waferscope: port 1 is wanted by WAFERSCOPE_QUERY_PORT and WAFERSCOPE_WRITER_HTTP_PORT"
        )
        assert demo.stderr.count("\n") == 1
