"""Closed chunks go into the columnstore, and again when late rows have come; nothing to do on plain PostgreSQL."""

import logging
from datetime import UTC, datetime, timedelta

import asyncpg

from waferscope_schemas import partitioning

_LOGGER = logging.getLogger(__name__)


async def convert_closed(conn: asyncpg.Connection, grace: timedelta) -> int:
    """Convert the chunks that have been closed for a while.

    Rows for a chunk wait while it is converted, so it is given time for its late rows first. A chunk that is in use is
    left to the next round: whoever waits for its lock makes others wait.

    Args:
        conn: A connection outside of a transaction, with a short ``lock_timeout``.
        grace: How long a chunk has been closed at least.

    Returns:
        How many chunks were converted.
    """
    converted = [
        await _convert(conn, chunk) for chunk in await partitioning.unconverted(conn, datetime.now(UTC) - grace)
    ]
    return sum(converted)


async def _convert(conn: asyncpg.Connection, chunk: partitioning.Unconverted) -> bool:
    try:
        await partitioning.convert(conn, chunk)
    except asyncpg.LockNotAvailableError:
        _LOGGER.info("the chunk %s is in use and is converted later", chunk.name)
        return False
    return True
