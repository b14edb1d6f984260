"""`make demo`: the whole stack on this machine, sample jobs, and what their data answer."""

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings

from waferscope_schemas.errors import SchemasError
from waferscope_schemas.settings import load
from waferscope_stack import collector_binary, findings, sample_jobs
from waferscope_stack.data_dir import DataDir, default_path, opened
from waferscope_stack.endpoints import Endpoints
from waferscope_stack.errors import StackError
from waferscope_stack.host_collector import HostCollector
from waferscope_stack.interruption import interruptible
from waferscope_stack.part import Child, require_running
from waferscope_stack.server_user import ServerUser
from waferscope_stack.settings import Stack as Settings
from waferscope_stack.stack import Stack, running

POLL_S = 0.2
ANSWER_S = 120.0


class Demo(BaseSettings):
    """Settings of the demo alone."""

    demo_seconds: float | None = Field(
        None, ge=0, description="How long it serves after its report; not set: until Ctrl-C"
    )


def main() -> int:
    """Run the demo; return its exit code."""
    try:
        with interruptible():
            _demo()
    except (StackError, SchemasError) as error:
        print(f"waferscope: {error}", file=sys.stderr)
        return error.exit_code
    print("Stopped; the next start keeps the data.")
    return 0


def _demo() -> None:
    os.environ.setdefault("WAFERSCOPE_SITE", "demo")
    settings, collector, demo = load(Settings), load(HostCollector), load(Demo)
    user = ServerUser.choose(settings.user)
    binary = collector_binary.find()
    with opened(default_path(user), user) as data_dir:
        endpoints = Endpoints.choose(settings)
        collector = collector.with_ports() if binary else collector
        print(f"Starting database, writer and query service; their data are in {data_dir.path} …", flush=True)
        with (
            running(data_dir, settings, endpoints) as stack,
            _receiver(collector, binary, stack, data_dir) as endpoint,
        ):
            try:
                started = datetime.now(UTC)
                _run_jobs(endpoint, stack, data_dir)
                _await_answers(stack, started)
                print(asyncio.run(findings.report(stack, endpoint)), flush=True)
                _serve(stack, demo.demo_seconds)
            finally:
                print("\nStopping …", flush=True)


@contextlib.contextmanager
def _receiver(collector: HostCollector, binary: Path | None, stack: Stack, data_dir: DataDir) -> Iterator[str]:
    """Yield where the jobs send their telemetry, and say which it is."""
    if binary is None:
        print("No Collector found (otelcol on PATH, or `make collector`): telemetry goes straight to the writer.")
        yield stack.endpoints.writer_http
        return
    with collector.running(binary, stack, data_dir):
        print(f"Telemetry goes through the Collector {binary} to the writer; it adds this host's metrics.")
        yield collector.endpoint


def _run_jobs(endpoint: str, stack: Stack, data_dir: DataDir) -> None:
    print("Running the sample jobs, each in a process of its own …", flush=True)
    log = data_dir.log("jobs")
    child = Child("sample jobs", sample_jobs.command(), sample_jobs.environment(endpoint), log)
    try:
        while (code := child.poll()) is None:
            require_running(stack.parts)
            time.sleep(POLL_S)
    finally:
        child.stop()
    if code != 0:
        raise StackError(f"the sample jobs did not end as they should; see {log}")


def _await_answers(stack: Stack, started: datetime) -> None:
    deadline = time.monotonic() + ANSWER_S
    while missing := asyncio.run(findings.missing(stack, started, sample_jobs.count())):
        require_running(stack.parts)
        if time.monotonic() > deadline:
            raise StackError(f"not answered after {ANSWER_S:.0f} s: {missing}")
        time.sleep(POLL_S)


def _serve(stack: Stack, seconds: float | None) -> None:
    if seconds is None:
        print("\nServing until Ctrl-C.", flush=True)
        stack.serve()
    else:
        print(f"\nServing for {seconds:g} s (DEMO_SECONDS).", flush=True)
        stack.serve(until=time.monotonic() + seconds)


if __name__ == "__main__":
    sys.exit(main())
