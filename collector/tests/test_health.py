"""Health is told in time, whatever the database does, and so is the end."""

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest
from writer_support import otlp
from writer_support.process import PROTOBUF, Ports, writer_process


class Link:
    """A way to the database that can hang, as a server that is stopped or a network that swallows packets."""

    def __init__(self, database_url: str) -> None:
        self._target = urlsplit(database_url)
        self._flows = asyncio.Event()
        self._flows.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.url = ""

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator["Link"]:
        server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        user, _, _ = self._target.netloc.rpartition("@")
        self.url = self._target._replace(netloc=f"{user}@127.0.0.1:{port}").geturl()
        yield self
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def hang(self) -> None:
        self._flows.clear()

    def flow(self) -> None:
        self._flows.set()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.add(asyncio.current_task())
        await self._flows.wait()
        theirs = await asyncio.open_connection(self._target.hostname, self._target.port)
        try:
            await asyncio.gather(self._pass(reader, theirs[1]), self._pass(theirs[0], writer))
        finally:
            for end in (writer, theirs[1]):
                end.close()
            for end in (writer, theirs[1]):
                with contextlib.suppress(OSError):
                    await end.wait_closed()

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65_536):
                await self._flows.wait()
                sink.write(data)
                await sink.drain()
            sink.write_eof()


async def ready(ports: Ports) -> tuple[int, dict[str, str], float]:
    began = time.monotonic()
    async with httpx.AsyncClient(timeout=10) as client:
        answer = await client.get(ports.url("/v1/readyz"))
    return answer.status_code, answer.json(), time.monotonic() - began


@pytest.mark.parametrize("processes", ["1", "2"])
async def test_a_database_that_hangs_holds_back_neither_health_nor_the_end(database_url: str, processes: str) -> None:
    body = otlp.metrics(otlp.gauge("x", otlp.number(1))).SerializeToString()
    async with Link(database_url).open() as link, httpx.AsyncClient(timeout=60) as client:
        ports = Ports.free(processes=processes, grace="3")
        process = await asyncio.to_thread((running := writer_process(ports, link.url)).__enter__)
        try:
            assert (await ready(ports))[:2] == (
                200, {"status": "ok", "database": "ok", "schema": "ok", "queue": "ok"}
            )  # fmt: skip
            link.hang()
            sending = asyncio.create_task(client.post(ports.url("/v1/metrics"), content=body, headers=PROTOBUF))
            for found in await asyncio.gather(*(ready(ports) for _ in range(5))):
                assert found[0] == 503
                assert found[1]["database"] == "no answer within 1 s"
                assert found[2] < 2
            assert (await client.get(ports.url("/v1/healthz"))).json() == {"status": "ok"}
            link.flow()
            assert (await sending).status_code == 200
            async with asyncio.timeout(20):
                while (await ready(ports))[0] != 200:
                    pass
            link.hang()
            sending = asyncio.create_task(client.post(ports.url("/v1/metrics"), content=body * 2, headers=PROTOBUF))
            async with asyncio.timeout(20):
                while "waferscope_writer_queue_requests 1.0" not in (await client.get(ports.url("/metrics"))).text:
                    pass
            began = time.monotonic()
            process.send(signal.SIGTERM)
            await asyncio.to_thread(process.wait_exit)
            assert time.monotonic() - began < 10
            assert (await sending).status_code == 503
        finally:
            link.flow()
            await asyncio.to_thread(running.__exit__, None, None, None)


async def test_readiness_tells_each_dependency(database_url: str, conn: asyncpg.Connection) -> None:
    ports = Ports.free()
    process = await asyncio.to_thread((running := writer_process(ports, database_url)).__enter__)
    try:
        await conn.execute("update wafer_meta.migration set version = version + 1000 where version = 1")
        code, found, _ = await ready(ports)
        assert (code, found["database"], found["queue"]) == (503, "ok", "ok")
        assert "upgrade waferscope-schemas" in found["schema"]
        await conn.execute("update wafer_meta.migration set version = 1 where version > 1000")
        assert (await ready(ports))[0] == 200
        assert process.exit_code() is None
    finally:
        await asyncio.to_thread(running.__exit__, None, None, None)
