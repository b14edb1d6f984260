"""What the tests of this room share: an open connection to a migrated database."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from waferscope_schemas.database import connect


@pytest.fixture
async def conn(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to a fresh, migrated database."""
    connection = await connect(database_url)
    yield connection
    await connection.close()
