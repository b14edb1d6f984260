"""What the tests of this room share: a writer inside the test's process, and the means to feed it."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from waferscope_schemas.database import connect

sys.path.insert(0, str(Path(__file__).parent))  # importlib mode does not: the helpers are in writer_support

from writer_support.running import WriterUnderTest, running


@pytest.fixture
async def conn(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the writer's database."""
    connection = await connect(database_url)
    yield connection
    await connection.close()


@pytest.fixture
async def writer(database_url: str) -> AsyncIterator[WriterUnderTest]:
    """A writer on a fresh database."""
    async with running(database_url) as writer:
        yield writer
