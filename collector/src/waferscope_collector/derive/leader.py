"""One writer of a site does what all could: the one that holds an advisory lock.

The lock belongs to the connection that the work is done on. So it ends with the work: when the process dies, when the
database drops the connection, when the connection is closed after an error.
"""

from dataclasses import dataclass

import asyncpg

from waferscope_schemas import queries
from waferscope_schemas.database import connect

_SQL = queries.load("waferscope_collector")


@dataclass(frozen=True, slots=True)
class Lead:
    """The right to do it, for as long as the connection lives."""

    conn: asyncpg.Connection
    new: bool  # another writer may have led since the last time


class Leadership:
    """A try at being the one.

    Args:
        url: The database.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._conn: asyncpg.Connection | None = None

    async def gain(self) -> Lead | None:
        """Return the lead; None while another writer has it.

        Raises:
            DatabaseUnreachableError: The database is away.
        """
        if self._conn is not None and not self._conn.is_closed():
            return Lead(self._conn, new=False)
        conn = await connect(self._url)
        leads = False
        try:
            await conn.execute(_SQL["notice_dead_leaders"])
            leads = await conn.fetchval(_SQL["lead"])
        finally:
            if not leads:
                conn.terminate()
        if not leads:
            return None
        self._conn = conn
        return Lead(conn, new=True)

    def resign(self) -> None:
        """Let another writer lead; works at once, also when the database hangs."""
        if self._conn is not None:
            self._conn.terminate()
            self._conn = None
