"""The change feed: what has been committed to a table since a reader last looked; never missed, never twice.

Rows carry the id of the transaction that wrote them last (`xid`). Ids are given out in the order of beginning, not of
committing, so a reader must not follow "xid > last": an earlier id may commit later. It keeps the snapshot of its last
poll instead (which transactions it saw) and reads the rows of those that the snapshot does not see.

A snapshot is text (PostgreSQL's ``pg_snapshot``), which a reader may keep and hand on, for instance as the id of a
server-sent event. It belongs to one database; after a restore from a backup it is void.

Writers NOTIFY the channel ``wafer_feed`` once per commit group: that wakes readers and tells nothing, the feed does.
"""

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from waferscope_schemas import queries

_SQL = queries.load("waferscope_schemas")


class Feed:
    """The changes of one table.

    A reader that follows series and samples polls ``ingest_hour`` first and ``series`` after it: series are committed
    before their samples, so it knows every series of the samples that it was told of.

    Args:
        table: A table of the schema ``wafer`` with an indexed column ``xid``, which every update sets again.
        columns: The columns to read.
    """

    __slots__ = ("_all", "_since")

    def __init__(self, table: str, columns: tuple[str, ...]) -> None:
        names = {"table": table, "columns": ", ".join(columns)}
        self._all = _SQL["feed_all"].format_map(names)
        self._since = _SQL["feed_since"].format_map(names)

    async def poll(
        self, conn: asyncpg.Connection | PoolConnectionProxy, snapshot: str | None
    ) -> tuple[str, list[asyncpg.Record]]:
        """Read what was committed since a snapshot.

        Args:
            conn: A connection that is in no transaction, or in one that has written nothing; REPEATABLE READ gives the
                state that the transaction sees.
            snapshot: What an earlier poll of the same table, or `current_snapshot`, returned; None reads all rows.

        Returns:
            The snapshot to go on with, and the rows, in no particular order, each with its columns by name.
            A row that was written again since the snapshot comes once, as it is now.
        """
        rows = await (conn.fetch(self._all) if snapshot is None else conn.fetch(self._since, snapshot))
        return rows[0]["snapshot"], [row for row in rows if row["is_row"]]


async def current_snapshot(conn: asyncpg.Connection | PoolConnectionProxy) -> str:
    """Tell where a reader begins that wants only what is committed from now on.

    Args:
        conn: A connection.

    Returns:
        A snapshot for `Feed.poll`.
    """
    found: str = await conn.fetchval(_SQL["current_snapshot"])
    return found
