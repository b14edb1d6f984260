"""The running stack: database, schema, writer and query service, started in this order and stopped in reverse."""

import asyncio
import contextlib
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from urllib.parse import urlsplit, urlunsplit

from waferscope_schemas.database import open_pool
from waferscope_schemas.migrate import migrate
from waferscope_stack.data_dir import DataDir
from waferscope_stack.endpoints import Endpoints
from waferscope_stack.errors import StackError
from waferscope_stack.part import Child, Part, require_running, waferscope
from waferscope_stack.postgres import Postgres
from waferscope_stack.settings import Stack as Settings

READER = "waferscope_reader"
READY_S = 120.0  # a first start may compile the query service's kernels
POLL_S = 0.1


class Stack:
    """A stack that serves.

    Attributes:
        endpoints: Where its parts listen.
        database_url: The database, password included.
        parts: What runs, in the order of starting; whoever runs more beside it adds it here.
    """

    def __init__(self, endpoints: Endpoints, database_url: str, parts: list[Part]) -> None:
        self.endpoints = endpoints
        self.database_url = database_url
        self.parts = parts

    def as_json(self) -> str:
        """Return one line for programs."""
        where = self.endpoints
        return json.dumps(
            {
                "query": where.query,
                "writer_http": where.writer_http,
                "writer_grpc": where.writer_grpc,
                "database_url": self.database_url,
            }
        )

    def as_text(self) -> str:
        """Return one line for people, without the password."""
        where = self.endpoints
        return (
            f"WaferScope is ready: query {where.query}, writer {where.writer_http} (gRPC {where.writer_grpc}), "
            f"database {without_password(self.database_url)}"
        )

    def serve(self, until: float | None = None) -> None:
        """Watch over the parts.

        Args:
            until: When to return, by `time.monotonic()`; None: never, only a signal's exception ends it.

        Raises:
            PartEndedError: A part ended by itself.
        """
        while until is None or time.monotonic() < until:
            require_running(self.parts)
            time.sleep(POLL_S)


@contextlib.contextmanager
def running(data_dir: DataDir, settings: Settings, endpoints: Endpoints) -> Iterator[Stack]:
    """Start a stack, and stop it at the end.

    Args:
        data_dir: Where its data, passwords and logs are.
        settings: The user's settings.
        endpoints: Where it listens.

    Yields:
        The stack, once all of it serves.

    Raises:
        DatabaseStartError: The embedded database doesn't come up.
        PartEndedError: A part ended at its start.
        StackError: A part doesn't get ready.
    """
    with contextlib.ExitStack() as stack:
        parts: list[Part] = []
        database_url = _start_database(data_dir, settings, endpoints, parts, stack)
        environment = {**endpoints.environment(), "WAFERSCOPE_DATABASE_URL": database_url}
        for name, command in (("writer", "serve writer"), ("query service", "serve query")):
            child = Child(name, waferscope(*command.split()), environment, data_dir.log(command.split()[1]))
            stack.callback(child.stop)
            parts.append(child)
        for url in (endpoints.writer_http, endpoints.query):
            await_ready(f"{url}/v1/readyz", parts)
        yield Stack(endpoints, database_url, parts)


def await_ready(url: str, parts: Sequence[Part]) -> None:
    """Wait until a URL answers with 200.

    Args:
        url: What to ask.
        parts: What must go on running meanwhile.

    Raises:
        PartEndedError: A part ended by itself.
        StackError: No answer in time.
    """
    deadline = time.monotonic() + READY_S
    while not _answers(url):
        require_running(parts)
        if time.monotonic() > deadline:
            raise StackError(f"{url} isn't ready after {READY_S:.0f} s")
        time.sleep(POLL_S)


def without_password(database_url: str) -> str:
    """Return a database URL fit to be shown."""
    parts = urlsplit(database_url)
    user, at, address = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user.split(':')[0]}{at}{address}"))


def _start_database(
    data_dir: DataDir, settings: Settings, endpoints: Endpoints, parts: list[Part], stack: contextlib.ExitStack
) -> str:
    """Start the embedded database unless there is another, bring its schema up to date, and return its URL."""
    reader_password = settings.reader_password.get_secret_value() if settings.reader_password else None
    if settings.database_url is not None:
        url = settings.database_url.get_secret_value()
        asyncio.run(_wait_for(url))
    else:
        server = Postgres.start(data_dir, endpoints.database_port or 0)
        stack.callback(server.stop)
        parts.append(server)
        url = server.url
        reader_password = reader_password or data_dir.secret(READER)
    asyncio.run(migrate(url, reader_password=reader_password))
    return url


async def _wait_for(database_url: str) -> None:
    """Wait until another's database is there, and say so once."""
    await (await open_pool(database_url, max_size=1)).close()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - our own http URLs
            return bool(answer.status == HTTPStatus.OK)
    except (urllib.error.URLError, OSError):
        return False
