"""Databases, a writer and clients for the benchmarks of the writer."""

import asyncio
import contextlib
import os
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import grpc
import httpx
import psutil
from support import databases
from support.keeper import GIVEN_URL_VARIABLE
from support.ports import free_ports
from support.processes import waferscope

from waferscope_stack.data_dir import opened
from waferscope_stack.postgres import Postgres
from waferscope_stack.server_user import ServerUser

IN_FLIGHT = 4  # requests that a client has under way, as a Collector's exporter has consumers
METRICS = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"


@contextlib.contextmanager
def servers() -> Iterator[dict[str, str]]:
    """Yield the URLs of an empty database on plain PostgreSQL, and on the given server where there is one."""
    with tempfile.TemporaryDirectory(prefix="waferscope-bench-") as folder, contextlib.ExitStack() as stack:
        Path(folder).chmod(0o755)  # the server runs as another user when this process is root's
        data_dir = stack.enter_context(opened(Path(folder) / "data", ServerUser.choose()))
        server = Postgres.start(data_dir)
        stack.callback(server.stop)
        found = {"plain PostgreSQL": stack.enter_context(databases.fresh(server.url))}
        if given := os.environ.get(GIVEN_URL_VARIABLE):
            found["TimescaleDB"] = stack.enter_context(databases.fresh(given))
        yield found


@dataclass(frozen=True)
class Writer:
    """A writer under load."""

    grpc: str  # address
    http: str  # URL
    process: psutil.Process

    def cpu(self) -> float:
        """Return the CPU seconds of its processes so far."""
        times = [one.cpu_times() for one in (self.process, *self.process.children(recursive=True))]
        return sum(one.user + one.system for one in times)

    def memory(self) -> int:
        """Return the resident bytes of its processes."""
        return sum(one.memory_info().rss for one in (self.process, *self.process.children(recursive=True)))


@contextlib.contextmanager
def writer(url: str, **env: str) -> Iterator[Writer]:
    """Run a writer on a database."""
    http, port = free_ports(2)
    ports = {"WAFERSCOPE_WRITER_HTTP_PORT": str(http), "WAFERSCOPE_WRITER_GRPC_PORT": str(port)}
    # Nothing but what is measured is stored.
    base = {"WAFERSCOPE_DATABASE_URL": url, "WAFERSCOPE_WRITER_SAMPLE_INTERVAL": "0"}
    with waferscope("serve", "writer", env={**base, **ports, **env}) as process:
        process.wait_healthy(f"http://127.0.0.1:{http}/v1/readyz")
        yield Writer(f"127.0.0.1:{port}", f"http://127.0.0.1:{http}", psutil.Process(process.pid))


async def by_grpc(address: str, bodies: Sequence[bytes], method: str = METRICS) -> float:
    """Send requests and wait for all answers; return seconds."""
    options = (("grpc.max_send_message_length", -1),)
    async with grpc.aio.insecure_channel(address, options=options) as channel:
        export = channel.unary_unary(method)
        room = asyncio.Semaphore(IN_FLIGHT)

        async def one(body: bytes) -> None:
            async with room:
                await export(body, timeout=60)

        await channel.channel_ready()
        began = time.perf_counter()
        await asyncio.gather(*map(one, bodies))
        return time.perf_counter() - began


async def by_http(url: str, bodies: Sequence[bytes], headers: dict[str, str], in_flight: int = IN_FLIGHT) -> float:
    """Post requests and wait for all answers; return seconds."""
    limits = httpx.Limits(max_connections=in_flight)
    async with httpx.AsyncClient(limits=limits, timeout=60) as client:
        room = asyncio.Semaphore(in_flight)

        async def one(body: bytes) -> None:
            async with room:
                (await client.post(url, content=body, headers=headers)).raise_for_status()

        began = time.perf_counter()
        await asyncio.gather(*map(one, bodies))
        return time.perf_counter() - began


async def bare_copy(url: str, table: str, columns: Sequence[str], commits: Sequence[bytes]) -> float:
    """Copy rows over one connection, a commit each, into a table like one that is there; return seconds.

    The table stays and grows from one call to the next, as the one that the writer fills does.
    """
    conn = await asyncpg.connect(url)
    try:
        await _like(conn, table)
        began = time.perf_counter()
        for rows in commits:
            await conn.copy_to_table(
                f"bare_{table}", source=_once(rows), columns=list(columns), format="binary", schema_name="wafer"
            )
        return time.perf_counter() - began
    finally:
        await conn.close()


async def _like(conn: asyncpg.Connection, table: str) -> None:
    """Make a table with the columns, indexes and partitions of one that is there, unless it was made before."""
    bare = f"wafer.bare_{table}"
    if await conn.fetchval("select to_regclass($1)", bare):
        return
    like = f"create table {bare} (like wafer.{table} including defaults including indexes)"
    if await conn.fetchval("select relkind <> 'p' from pg_class where oid = $1::text::regclass", f"wafer.{table}"):
        await conn.execute(like)
        await conn.execute(
            f"select create_hypertable('{bare}', by_range('ts', interval '1 hour'), create_default_indexes => false)"
        )
        return
    await conn.execute(f"{like} partition by range (ts)")
    for row in await conn.fetch("select current_date + n as day from generate_series(-2, 1) n"):
        day = row["day"]
        await conn.execute(
            f"create table {bare}_{day:%Y%m%d} partition of {bare}"
            f" for values from ('{day} 00:00+00') to ('{day}'::date + 1)"
        )


async def _once(rows: bytes) -> AsyncIterator[bytes]:
    yield rows
