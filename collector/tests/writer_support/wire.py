"""A wire between a writer and PostgreSQL that reads what it carries, and fails at the statement that a test names.

Source: PostgreSQL documentation, "Frontend/Backend Protocol", "Message Formats".
"""

import asyncio
import contextlib
import re
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit, urlunsplit

_HEAD = struct.Struct(">ci")
_STARTUP = struct.Struct(">i")
_NUMBERED = re.compile(r"__asyncpg_savepoint_\w+__")


class Carried:
    """One connection through the wire, at a statement that the server has not got yet."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.pid = 0  # of the server's process
        self.losing = False
        self._client, self._server = client, server

    def cut(self) -> None:
        """Cut the connection now."""
        for side in (self._client, self._server):
            side.transport.abort()

    def lose_answer(self) -> None:
        """Let the server run the statement, and cut the connection instead of handing on that it did."""
        self.losing = True


Fault = Callable[[Carried], Awaitable[None]]


class Wire:
    """Where a writer connects to.

    Attributes:
        url: Of the database through the wire.
        statements: What was carried: the head of each statement, in order.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.statements: list[str] = []
        self._when: Callable[[str], bool] | None = None
        self._fault: Fault | None = None

    def fail(self, fault: Fault, when: Callable[[str], bool]) -> None:
        """Meet a fault before the next statement for which `when` holds, once."""
        self._fault, self._when = fault, when

    @property
    def failed(self) -> bool:
        """Whether the fault was met."""
        return self._fault is None

    def calm(self) -> None:
        """Meet no fault any more."""
        self._fault = None

    async def statement(self, text: str, carried: Carried) -> None:
        """Meet the fault if its time has come."""
        self.statements.append(text)
        if (fault := self._fault) and self._when and self._when(text):
            self._fault = None
            await fault(carried)


@contextlib.asynccontextmanager
async def wired(database_url: str) -> AsyncIterator[Wire]:
    """Lay a wire to a database's server."""
    parts = urlsplit(database_url)
    assert parts.hostname is not None
    assert parts.port is not None

    carrying: set[Any] = set()

    async def carry(from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        carrying.add(asyncio.current_task())
        from_server, to_server = await asyncio.open_connection(parts.hostname, parts.port)
        carried = Carried(to_client, to_server)
        directions = (_to_server(from_client, to_server, wire, carried), _to_client(from_server, to_client, carried))
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await asyncio.gather(*directions)
        finally:
            for side in (to_server, to_client):
                side.transport.abort()
            for side in (to_server, to_client):
                with contextlib.suppress(OSError):
                    await side.wait_closed()

    server = await asyncio.start_server(carry, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    user = parts.netloc.rpartition("@")[0]
    netloc = f"{user}@127.0.0.1:{port}"
    wire = Wire(urlunsplit(parts._replace(netloc=netloc, query="sslmode=disable")))
    try:
        yield wire
    finally:
        server.close()
        for task in carrying:
            task.cancel()
        await asyncio.gather(*carrying, return_exceptions=True)


async def _to_server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, wire: Wire, carried: Carried) -> None:
    prepared: dict[bytes, str] = {}
    size = await reader.readexactly(4)
    writer.write(size + await reader.readexactly(_STARTUP.unpack(size)[0] - 4))
    while True:
        kind, body = await _message(reader)
        if kind == b"P":
            name, text, _ = body.split(b"\0", 2)
            prepared[name] = text.decode()
        elif kind == b"B":
            await wire.statement(_head(prepared[body.split(b"\0", 2)[1]]), carried)
        elif kind == b"Q":
            await wire.statement(_head(body[:-1].decode()), carried)
        _send(writer, kind, body)
        await writer.drain()


async def _to_client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, carried: Carried) -> None:
    while True:
        kind, body = await _message(reader)
        if kind == b"K":
            (carried.pid,) = _STARTUP.unpack(body[:4])
        if not carried.losing or kind == b"G":  # the server asks for a COPY's rows
            _send(writer, kind, body)
            await writer.drain()
        elif kind == b"Z":  # the server is done with the statement
            carried.cut()


async def _message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    kind, size = _HEAD.unpack(await reader.readexactly(_HEAD.size))
    return kind, await reader.readexactly(size - 4)


def _send(writer: asyncio.StreamWriter, kind: bytes, body: bytes) -> None:
    writer.write(_HEAD.pack(kind, len(body) + 4) + body)


def _head(statement: str) -> str:
    """Return a statement's name, or its first line where it has none."""
    first = statement.strip().partition("\n")[0]
    return _NUMBERED.sub("savepoint", first.removeprefix("-- "))
