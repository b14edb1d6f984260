"""A pool waits for an absent database with one line; a database that refuses us ends the wait."""

import asyncio
import logging
from urllib.parse import urlsplit

import pytest
from support.ports import free_port

from waferscope_schemas.database import connect, open_pool
from waferscope_schemas.errors import DatabaseUnreachableError, SettingsError


async def test_a_session_speaks_utc(database_url: str) -> None:
    pool = await open_pool(database_url, max_size=1)
    async with pool:
        assert await pool.fetchval("show timezone") == "UTC"


async def test_a_pool_waits_for_the_database_with_one_line_and_then_serves(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    address, port, told = urlsplit(database_url), free_port(), asyncio.Event()
    caplog.handler.addFilter(lambda _: told.set() or True)
    waiting = asyncio.create_task(
        open_pool(address._replace(netloc=f"{_login(address.netloc)}127.0.0.1:{port}").geturl(), max_size=1)
    )
    async with asyncio.timeout(20):
        await told.wait()

        async def forward(client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
            server, to_server = await asyncio.open_connection(address.hostname, address.port)
            await asyncio.gather(_pump(client, to_server), _pump(server, to_client))

        async with await asyncio.start_server(forward, "127.0.0.1", port):
            pool = await waiting
            assert await pool.fetchval("select 1") == 1
            await pool.close()
    assert [record.levelno for record in caplog.records if record.name == "waferscope_schemas.database"] == [
        logging.WARNING,
        logging.WARNING,
    ]
    assert caplog.messages[0].startswith("waiting for the database: ")
    assert caplog.messages[1].startswith("the database answers after ")


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()


def _login(netloc: str) -> str:
    return netloc.rpartition("@")[0] + "@"


async def test_a_database_that_does_not_exist_ends_the_wait(database_url: str) -> None:
    url = urlsplit(database_url)._replace(path="/no_such_database").geturl()
    with pytest.raises(DatabaseUnreachableError, match="no_such_database") as caught:
        await open_pool(url, max_size=1)
    assert caught.value.exit_code == 5


async def test_one_connection_does_not_wait() -> None:
    with pytest.raises(DatabaseUnreachableError):
        await connect(f"postgresql://u:secret@127.0.0.1:{free_port()}/x")


@pytest.mark.parametrize("url", ["mysql://u:secret@h/x", "postgresql://u:secret@h:port/x"])
async def test_a_malformed_url_is_a_wrong_setting_and_not_shown(url: str) -> None:
    with pytest.raises(SettingsError, match="WAFERSCOPE_DATABASE_URL") as caught:
        await connect(url)
    assert "secret" not in str(caught.value)
