"""What fails between a job and the database loses nothing and doubles nothing: everything sent is counted exactly."""

import contextlib
import os
import signal
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

import pytest
from e2e import otlp
from e2e.collector import Collector
from e2e.fab import JOBS, start_job
from e2e.site import SITE, Services, Site
from support.processes import Process
from support.wait import wait_until

pytestmark = [pytest.mark.collector, pytest.mark.timeout(300)]
HOST = {"service.name": "etch-control", "host.name": "eqp-pc-7"}
REQUESTS = 150
SENDERS = 6


@dataclass(frozen=True, slots=True)
class Line:
    """A site whose parts can fail one by one, and a Collector in front of it."""

    services: Services
    collector: Collector

    @property
    def site(self) -> Site:
        """Where the site answers."""
        return self.services.site


@pytest.fixture
def line(database_url: str, tmp_path: Path) -> Iterator[Line]:
    services = Services.prepare(database_url)
    collector = Collector.prepare(tmp_path / "spool", writer=services.site.writer_grpc, site=SITE)
    with services.query():
        yield Line(services, collector)


@pytest.mark.parametrize("end", [Process.stop, Process.kill], ids=["stopped", "killed"])
def test_while_the_writer_is_down_nothing_is_lost_or_doubled(line: Line, end) -> None:  # noqa: ANN001 - a method
    with contextlib.ExitStack() as stack:
        stack.enter_context(line.collector.running())
        writer = stack.enter_context(line.services.writer())
        with _sending(line.collector) as (requests, acknowledged):
            wait_until(lambda: acknowledged() >= REQUESTS // 3, "a third has been acknowledged")
            end(writer)
            job = stack.enter_context(start_job(line.collector, JOBS / "one_second.py"))
            wait(requests, timeout=60)  # the Collector takes all of it
        assert job.wait_exit() == 0
        assert line.collector.backlog() > 0
        stack.enter_context(line.services.writer())
        _assert_exact(line)
        wait_until(lambda: line.site.job("one-second-inspection"), "the job is at the site")
        _drained(line.collector)
        row = line.site.job("one-second-inspection")
        assert row is not None
        assert row["status"] == "succeeded"
        assert line.site.value("wafer_substrate_processed_total") == 2


def test_a_collector_killed_with_requests_in_flight_loses_and_doubles_nothing(line: Line) -> None:
    with contextlib.ExitStack() as stack:
        writer = stack.enter_context(line.services.writer())
        collector = stack.enter_context(line.collector.running())
        with _sending(line.collector) as (requests, acknowledged):
            for share in (REQUESTS // 3, REQUESTS // 2):  # twice: one may be cut off before it is read
                wait_until(lambda share=share: acknowledged() >= share, f"{share} have been acknowledged")
                with _frozen(writer):  # so that requests reach the writer, whose answers never reach the Collector
                    wait_until(lambda: _in_flight(line.collector) >= 3, "requests of three signals are in flight")
                    collector.kill()
                collector = stack.enter_context(line.collector.running())
            wait(requests, timeout=60)
        _assert_exact(line)
        assert line.services.repeated() > 0, "no request came twice, so this proves nothing"


@contextlib.contextmanager
def _sending(collector: Collector):  # noqa: ANN202 - the requests, and how many of them have been acknowledged
    """Send numbered requests of all signals, each until it is acknowledged; fail when one isn't in the end."""

    def send(number: int) -> None:
        ids = number.to_bytes(16, "big"), number.to_bytes(8, "big")
        attributes = {"wafer.job.id": f"job-{number}"}
        otlp.send(collector.endpoint, otlp.log(f"record {number}", HOST), within_s=90)
        otlp.send(collector.endpoint, otlp.delta("pulses", number, HOST), within_s=90)
        otlp.send(collector.endpoint, otlp.span("pulse", ids, HOST, attributes), within_s=90)

    with ThreadPoolExecutor(SENDERS) as pool:
        requests: list[Future[None]] = [pool.submit(send, number) for number in range(1, REQUESTS + 1)]
        yield requests, lambda: sum(request.done() for request in requests)
    for request in requests:
        request.result()


@contextlib.contextmanager
def _frozen(process: Process) -> Iterator[None]:
    """Freeze a process and its children, as an overloaded machine does."""
    os.killpg(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGCONT)


def _in_flight(collector: Collector) -> int:
    metrics = collector.own_metrics().items()
    return sum(value > 0 for series, value in metrics if series.startswith("otelcol_exporter_in_flight_requests"))


def _drained(collector: Collector) -> None:
    wait_until(lambda: collector.backlog() == 0, "the Collector's queues are empty", within_s=90)


def _assert_exact(line: Line) -> None:
    """Wait until all has come, and count it once nothing more can come."""
    total = sum(range(1, REQUESTS + 1))
    wait_until(lambda: (line.site.value("pulses_total") or 0) >= total, "all points are at the site", within_s=90)
    wait_until(lambda: len(_records(line)) >= REQUESTS, "all log records are at the site", within_s=90)
    wait_until(lambda: _spans(line) >= REQUESTS, "all spans are at the site", within_s=90)
    _drained(line.collector)
    assert line.site.value("pulses_total") == total
    assert sorted(_records(line)) == sorted(f"record {number}" for number in range(1, REQUESTS + 1))
    assert _spans(line) == REQUESTS


def _records(line: Line) -> list[str]:
    return [row["text"] for row in line.site.sql("select body #>> '{}' as text from wafer.logs where body is not null")]


def _spans(line: Line) -> int:
    return int(line.site.sql("select count(*) from wafer.spans where name = 'pulse'")[0]["count"])
