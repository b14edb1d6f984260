"""Several processes of one writer: one set of ports, one set of figures, and no request lost when one of them ends."""

import asyncio
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import asyncpg
import grpc
import httpx
import pytest
from support.ports import free_ports
from support.processes import Process, waferscope
from support.wait import wait_until
from writer_support import otlp
from writer_support.otlp import DELTA, NOW, SECOND
from writer_support.process import Ports, children, export, own, post, writer_process
from writer_support.running import WriterUnderTest

from waferscope_collector.receive.grpc import GrpcServer


@pytest.fixture
def ports() -> Ports:
    return Ports.free(processes="2")


def delta(number: int) -> bytes:
    point = otlp.number(1, time=NOW + number * SECOND, start=NOW)
    return otlp.metrics(otlp.total("x", point, temporality=DELTA)).SerializeToString()


async def total(conn: asyncpg.Connection) -> float:
    return await conn.fetchval("select coalesce(max(value), 0) from wafer.sample")


def send_all(ports: Ports, numbers: range) -> None:
    """Send as clients do, over both protocols: again until it is acknowledged."""

    def send(number: int) -> None:
        def sent() -> bool:
            try:
                if number % 2:
                    export(ports, delta(number))
                    return True
                return post(ports, delta(number)) == 200
            except (grpc.RpcError, httpx.TransportError):
                return False

        wait_until(sent, f"request {number} is acknowledged", within_s=60)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(send, numbers))


async def test_two_processes_share_the_ports_and_their_figures(
    database_url: str, conn: asyncpg.Connection, ports: Ports
) -> None:
    with writer_process(ports, database_url) as process:
        children(process, 2)
        await asyncio.to_thread(send_all, ports, range(1, 61))
        assert await total(conn) == 60
        seen = {(own(ports, "stored_total"), own(ports, "processes"), own(ports, "queue_bytes")) for _ in range(10)}
        assert seen == {(60.0, 2.0, 0.0)}
        assert own(ports, "request_seconds_count") == 60
        process.send(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait_exit) == 0


async def test_a_process_that_dies_is_replaced_and_counters_go_on(
    database_url: str, conn: asyncpg.Connection, ports: Ports
) -> None:
    with writer_process(ports, database_url) as process:
        for victim in children(process, 2):
            sending = asyncio.create_task(asyncio.to_thread(send_all, ports, range(1, 31)))
            await asyncio.to_thread(wait_until, lambda: own(ports, "stored_total") > 0, "something is stored")
            before = own(ports, "stored_total")
            victim.kill()
            await sending
            assert own(ports, "stored_total") >= before
        await asyncio.to_thread(wait_until, lambda: own(ports, "process_restarts_total") == 2, "both are replaced")
        await asyncio.to_thread(wait_until, lambda: own(ports, "processes") == 2, "two run")
        assert process.stderr.count("died and is started again: killed by signal 9") == 2
        await asyncio.to_thread(send_all, ports, range(31, 51))
        assert await total(conn) == 50
        assert own(ports, "queue_bytes") == 0


async def test_children_end_with_their_parent(database_url: str, ports: Ports) -> None:
    with writer_process(ports, database_url) as process:
        running = children(process, 2)
        process._process.kill()
        await asyncio.to_thread(wait_until, lambda: not any(child.is_running() for child in running), "all are gone")
    with writer_process(ports, database_url):  # the ports are free again
        pass


async def test_a_process_that_starts_gets_no_grpc_connection_before_it_serves(writer: WriterUnderTest) -> None:
    (port,) = free_ports(1)
    serving, starting = (GrpcServer("127.0.0.1", port, 100_000, shared=True) for _ in range(2))
    await serving.start(writer.intake)
    ports = Ports(0, port)
    for _ in range(20):  # each on a connection of its own
        await asyncio.to_thread(export, ports, b"")
    await asyncio.gather(serving.stop(0), starting.stop(0))


@pytest.mark.parametrize("processes", ["1", "2"])
async def test_a_stop_under_load_answers_what_is_under_way_and_loses_nothing(
    database_url: str, conn: asyncpg.Connection, processes: str
) -> None:
    ports = Ports.free(processes=processes)
    acknowledged: set[int] = set()
    stopped = threading.Event()

    def send(first: int) -> None:
        with (
            httpx.Client(timeout=60) as client,
            grpc.insecure_channel(
                f"127.0.0.1:{ports.grpc}", options=[("grpc.use_local_subchannel_pool", 1)]
            ) as channel,
        ):
            call = channel.unary_unary("/opentelemetry.proto.collector.metrics.v1.MetricsService/Export")
            for number in range(first, 100_000, 6):
                body = otlp.metrics(otlp.gauge("x", otlp.number(float(number)))).SerializeToString()
                try:
                    if first % 2:
                        call(body, timeout=60)
                    else:
                        headers = {"content-type": "application/x-protobuf"}
                        client.post(ports.url("/v1/metrics"), content=body, headers=headers).raise_for_status()
                except (grpc.RpcError, httpx.HTTPError):
                    if stopped.is_set():
                        return
                    raise
                acknowledged.add(number)

    with writer_process(ports, database_url) as process, ThreadPoolExecutor(6) as threads:
        sending = [threads.submit(send, first) for first in range(1, 7)]
        await asyncio.to_thread(wait_until, lambda: len(acknowledged) > 200, "it is under load")
        async with conn.transaction():  # now they wait for a commit
            await conn.execute("lock table wafer.ingest_batch in exclusive mode")
            await asyncio.to_thread(wait_until, lambda: own(ports, "queue_requests") == 6, "all wait")
            under_way = len(acknowledged)
            stopped.set()
            process.send(signal.SIGTERM)
            await asyncio.to_thread(wait_until, lambda: not _takes_connections(ports), "it takes no more")
        assert await asyncio.to_thread(process.wait_exit) == 0
        for done in sending:
            done.result()
    assert len(acknowledged) >= under_way + 6
    stored = {int(row["value"]) for row in await conn.fetch("select value from wafer.sample")}
    assert acknowledged == stored


def _takes_connections(ports: Ports) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", ports.http)) == 0


@pytest.mark.parametrize("protocol", ["HTTP", "gRPC"])
@pytest.mark.parametrize("first", ["1", "2"])
def test_a_port_of_somebody_else_is_one_line_and_exit_code_4(
    database_url: str, ports: Ports, protocol: str, first: str
) -> None:
    one, other = Ports.free(processes=first), Ports.free()
    both = Ports(
        one.http if protocol == "HTTP" else other.http, one.grpc if protocol == "gRPC" else other.grpc, ports.more
    )
    with writer_process(one, database_url), waferscope("serve", "writer", env=both.env(database_url)) as second:
        assert second.wait_exit(within_s=60) == 4
        assert f"for {protocol}: Address already in use" in second.stderr
        assert len(second.stderr.strip().splitlines()) == 1


def test_an_incompatible_schema_is_one_line_and_exit_code_3(empty_database_url: str, ports: Ports) -> None:
    with waferscope("serve", "writer", env=ports.env(empty_database_url)) as process:
        assert process.wait_exit(within_s=60) == 3
        assert "run `waferscope schema migrate`" in _only_line(process)


async def test_children_that_can_not_start_end_the_writer_with_their_reason(
    database_url: str, conn: asyncpg.Connection, ports: Ports
) -> None:
    with writer_process(ports, database_url) as process:
        running = children(process, 2)
        await conn.execute("delete from wafer_meta.migration where version > 1")
        for child in running:
            child.kill()
        assert await asyncio.to_thread(process.wait_exit) == 3
        assert "run `waferscope schema migrate`" in process.stderr.strip().splitlines()[-1]


def _only_line(process: Process) -> str:
    (line,) = process.stderr.strip().splitlines()
    return line
