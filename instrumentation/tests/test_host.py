"""A program does with the wrapper what it does without, whatever fails inside: output, order, errors, exit status."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent / "host"

# What is done to the whole process before the program begins, with the wrapper and without.
OUTSIDE = {
    "nothing": "",
    "no standard error": "sys.stderr = None",
    "standard error is closed": "sys.stderr.close()",
    "logging is disabled": "import logging; logging.disable(logging.CRITICAL)",
    "wall clock of another type": "import time; time.time_ns = lambda: 'late'",
    "perf counter of another type": "import time; time.perf_counter_ns = lambda: None",
    "time stands still": "import time; time.time_ns = time.perf_counter_ns = lambda: 1",
    "time before 1970": "import time; time.time_ns = lambda: -5",
}

# What is done to the wrapper.
INSIDE = {
    "log handler": """
        class Broken(logging.Handler):
            def handle(self, record): broken()
        logging.getLogger("waferscope").addHandler(Broken())
        clock.wall = broken
    """,
    "no psutil": "sys.modules['psutil'] = None",
    "psutil": "import psutil; psutil.Process = broken",
    "no SDK": "sys.modules['opentelemetry.sdk'] = None",
    "no threads": """
        start = threading.Thread.start
        def refuse(self):
            if self.name.startswith("waferscope"):
                raise RuntimeError("can't start new thread")
            start(self)
        threading.Thread.start = refuse
    """,
    "urandom": "os.urandom = broken",
    "fork hooks": """
        ids.reseed = broken
        termination.Termination.pause = termination.Termination.go_on = termination.Termination.renew = broken
    """,
    "renewal of the pipeline": "runtime.Runtime.renew = broken",
    "renewal of channels": "delivery.Exported.renew = broken",
    "socket of signals": "termination._connected = broken",
    "getsignal": "termination._has_default_action = termination.Termination._release = broken",
    "atexit": "import atexit; atexit.register = atexit.unregister = broken",
    "close": "runtime.Runtime.close = broken",
    "flush": "process.flush = runtime.Runtime.flush = broken",
    "export": "import requests; requests.Session.request = requests.Session.send = broken",
    "delivery": "delivery.Exported.send = broken",
    "encoding": "records.Record.to_sdk = broken",
    "heartbeats": "run.Run.beat = run.Run.sample = broken",
    "run": "run.Run.start = run.Run.end = broken",
    "steps": "run.Run.enter_step = run.Run.leave_step = broken",
    "context": "context.current = context.attach = context.detach = broken",
    "spans": "span.start = span.end = broken",
    "metrics": "metrics.Meter.record = metrics.Meter.take = metrics.Meter.fold = broken",
    "arguments": "arguments.attributes = arguments.identifier = arguments.number = broken",
    "settings": "import waferscope._internal.api as api; api.load = process.load = broken",
    "the wrapper's wall clock": "clock.wall = broken",
    "the wrapper's ticks": "clock.ticks = broken",
    "the thread's clock": "from waferscope._internal import worker; worker.monotonic = broken",
    "the pipeline's clock": "runtime.monotonic = broken",
}

START = """
import sys
{outside}
import runpy
sys.argv = ["program", {ending!r}]
{inside}
runpy.run_path({program!r}, run_name="__main__")
"""

BROKEN = """
import logging, os, threading
import waferscope
from waferscope._internal import arguments, clock, context, delivery, ids, metrics, process, records, run, runtime
from waferscope._internal import span, termination
def broken(*_, **__):
    raise LookupError("a fault of the wrapper")
"""


def _dedent(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    margin = min((len(line) - len(line.lstrip()) for line in lines), default=0)
    return "\n".join(line[margin:] for line in lines)


def _run(ending: str, outside: str, inside: str | None, endpoint: str = "http://127.0.0.1:9") -> tuple[int, str, str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "WAFERSCOPE_"))}
    code = START.format(
        outside=outside,
        ending=ending,
        inside="" if inside is None else BROKEN + _dedent(inside),
        program=str(HERE / "program.py"),
    )
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env={
            **clean,
            **({"PYTHONPATH": str(HERE / "stand_in")} if inside is None else {}),
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
            "WAFERSCOPE_FLUSH_TIMEOUT": "0.2",
            "WAFERSCOPE_HEARTBEAT_INTERVAL": "0.02",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return ended.returncode, ended.stdout, (ended.stderr.strip().splitlines() or [""])[-1]


@cache
def _without(ending: str, outside: str) -> tuple[int, str, str]:
    return _run(ending, outside, None)


@pytest.mark.parametrize("ending", ["return", "raise", "exit", "text", "interrupt", "SIGTERM", "abort"])
def test_a_program_ends_as_without_the_wrapper(ending: str) -> None:
    assert _run(ending, "", "") == _without(ending, "")


@pytest.mark.parametrize("done", OUTSIDE)
def test_what_is_wrong_with_the_process_changes_nothing_more_with_the_wrapper(done: str) -> None:
    code, out, _ = _run("raise", OUTSIDE[done], "")
    assert (code, out) == _without("raise", OUTSIDE[done])[:2]


@pytest.mark.parametrize("fault", INSIDE)
def test_a_fault_inside_the_wrapper_changes_nothing(fault: str) -> None:
    assert _run("raise", "", INSIDE[fault]) == _without("raise", "")


def test_the_program_tells_enough_to_see_a_difference() -> None:
    code, out, error = _without("raise", "")
    assert (code, error.rpartition(".")[2]) == (1, "WaferError: at the end")
    assert len(out.splitlines()) > 15


def test_a_silent_receiver_changes_nothing(black_hole: Any) -> None:
    assert _run("exit", "", "", black_hole) == _without("exit", "")
