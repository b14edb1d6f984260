"""Databases for tests: made, cloned from the migrated template, dropped."""

import asyncio
import contextlib
import hashlib
import uuid
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

import asyncpg

import waferscope_schemas
from waferscope_schemas.migrate import migrate

T = TypeVar("T")
TEMPLATE_LOCK = 0x77616665  # any number, the same in all processes of all runs on a server


def with_database(url: str, database: str) -> str:
    """Return a URL of the same server with another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in a thread of its own, so that it works beside a test's event loop."""
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(asyncio.run, work).result()


@contextlib.contextmanager
def fresh(server_url: str, template_name: str | None = None) -> Iterator[str]:
    """Yield the URL of a new database, dropped at the end whoever is still connected."""
    name = f"test_{uuid.uuid4().hex[:16]}"
    yield run(create(server_url, name, template_name))
    run(drop(server_url, name))


async def create(server_url: str, name: str, template: str | None = None) -> str:
    """Create a database, and return its URL."""
    async with _connection(server_url) as connection:
        await connection.execute(f'create database "{name}"' + (f' template "{template}"' if template else ""))
    return with_database(server_url, name)


async def drop(server_url: str, name: str) -> None:
    """Drop a database, whoever is still connected."""
    async with _connection(server_url) as connection:
        await connection.execute(f'drop database if exists "{name}" with (force)')


async def template(server_url: str) -> str:
    """Return the name of a database with the current migrations, made by the first who asks."""
    name = f"waferscope_template_{_checksum()}"
    async with _connection(server_url) as connection:
        await connection.execute("select pg_advisory_lock($1)", TEMPLATE_LOCK)  # released by closing
        if not await connection.fetchval("select exists (select from pg_database where datname = $1)", name):
            await drop(server_url, f"{name}_new")
            await migrate(await create(server_url, f"{name}_new"))
            # Nobody may be connected to a template while it is copied: not even TimescaleDB's workers.
            await connection.execute(f'alter database "{name}_new" allow_connections false')
            await connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", f"{name}_new"
            )
            await connection.execute(f'alter database "{name}_new" rename to "{name}"')
    return name


@contextlib.asynccontextmanager
async def _connection(url: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


def _checksum() -> str:
    """Return a checksum of all that decides on a fresh database: the package's SQL and comments, and its code."""
    package = Path(waferscope_schemas.__path__[0])
    files = sorted(file for file in package.rglob("*") if file.suffix in {".py", ".sql", ".yaml"})
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]
