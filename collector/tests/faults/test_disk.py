"""A disk that is full: clients are told to come again, and everything is stored once when there is room."""

import contextlib
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import grpc
import pytest
from support import databases
from writer_support import load, otlp
from writer_support.otlp import NOW, SECOND
from writer_support.running import running

from waferscope_collector.errors import UnavailableError
from waferscope_collector.receive.status import grpc_code
from waferscope_schemas.database import connect

SIZE = 16  # MiB
POINTS = 5_000  # of a request: more than what is left in the pages that a table has


@pytest.fixture
def small_disk(postgres_url: str) -> Iterator[Path]:
    """A file system of a few MiB that the server may write to."""
    data = Path(databases.run(_data_directory(postgres_url)))
    if not data.exists():
        pytest.skip("optional: the given server is on another machine, which can't be given a small disk")
    folder = Path(tempfile.mkdtemp(prefix="waferscope-disk-"))
    mounting = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE}m,mode=777", "tmpfs", folder], check=False, capture_output=True
    )
    if mounting.returncode:
        folder.rmdir()
        pytest.skip("optional: mounting a small disk needs root")
    try:
        folder.chmod(0o755)
        os.chown(folder, data.stat().st_uid, data.stat().st_gid)
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
        shutil.rmtree(folder)


async def _data_directory(url: str) -> str:
    conn = await asyncpg.connect(url)
    try:
        found: str = await conn.fetchval("show data_directory")
        return found
    finally:
        await conn.close()


@pytest.fixture
def tablespace(postgres_url: str, small_disk: Path) -> Iterator[str]:
    """A tablespace on the small disk."""
    name = f"test_{uuid.uuid4().hex[:16]}"
    databases.run(_execute(postgres_url, f"create tablespace {name} location '{small_disk}'"))
    yield name
    databases.run(_execute(postgres_url, f"drop tablespace {name}"))


async def _execute(url: str, statement: str) -> None:
    conn = await asyncpg.connect(url)
    try:
        await conn.execute(statement)
    finally:
        await conn.close()


@pytest.fixture
async def conn(tablespace: str, database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to a database whose rows go to the small disk; its catalog and the WAL don't."""
    assert tablespace
    connection = await connect(database_url)
    database = database_url.rsplit("/", 1)[1]
    await connection.execute(f'alter database "{database}" set default_tablespace = {tablespace}')  # of new partitions
    for row in await connection.fetch(
        "select oid::regclass::text as name from pg_class"
        " where relnamespace = 'wafer'::regnamespace and relkind in ('r', 'p')"
    ):  # of a hypertable: its chunks to come
        await connection.execute(f"alter table {row['name']} set tablespace {tablespace}")
    yield connection
    await connection.close()


@contextlib.contextmanager
def full(disk: Path) -> Iterator[None]:
    """Fill a disk to its last byte."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    yield
    filler.unlink()


async def test_a_full_disk_is_503_until_there_is_room_again(
    small_disk: Path, conn: asyncpg.Connection, database_url: str
) -> None:
    many = [
        otlp.metrics(
            otlp.gauge("many", *(otlp.number(n, time=NOW - n * SECOND // 100, part=str(part)) for n in range(POINTS)))
        )
        for part in range(2)
    ]
    async with running(database_url) as writer, writer.client() as client:
        await load.deliver_round([client], 0)
        await writer.send("metrics", many[0])
        with full(small_disk):
            answer = await client.post(
                "/v1/metrics", content=many[1].SerializeToString(), headers={"content-type": "application/x-protobuf"}
            )
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
            assert b"No space left on device" in answer.content
            with pytest.raises(UnavailableError) as caught:
                await writer.send("metrics", many[1])
            assert grpc_code(caught.value) is grpc.StatusCode.UNAVAILABLE
            assert "No space left on device" in str(caught.value)
        await writer.send("metrics", many[1])
        await load.deliver_round([client], 1)
    stored = "select count(*) from wafer.sample join wafer.series using (series_id) where metric = 'many'"
    assert await conn.fetchval(stored) == 2 * POINTS
    assert await conn.fetchval(stored.replace("count(*)", "count(distinct (series_id, ts, value))")) == 2 * POINTS
