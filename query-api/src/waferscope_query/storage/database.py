"""The way into the site's database: a pool that may not be there yet, and what its failures mean to a query."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from waferscope_query.storage.errors import StorageError, StorageUnavailableError
from waferscope_schemas.database import open_pool, require_schema

_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # of a connection that is lost amid its first statement
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.TooManyConnectionsError,
)


class Database:
    """A pool of connections that is opened in the background: the service serves before its database does.

    Args:
        url: `postgresql://user:password@host:port/database`.
        connections: Connections at most.
    """

    def __init__(self, url: str, connections: int) -> None:
        self._url = url
        self._connections = connections
        self._pool: asyncpg.Pool | None = None

    async def open(self) -> None:
        """Wait for the database, then check its schema.

        Raises:
            SchemasError: The database refuses us, or its schema is incompatible; waiting would not help.
        """
        pool = await open_pool(self._url, max_size=self._connections, unchanged=True)
        try:
            async with pool.acquire() as connection:
                await require_schema(connection, "waferscope-query")
        except BaseException:
            pool.terminate()
            raise
        self._pool = pool

    async def close(self) -> None:
        """Close all connections, those in use after a short grace."""
        if self._pool is None:
            return
        try:
            async with asyncio.timeout(2):
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()

    def to_spare(self) -> bool:
        """Whether nobody would wait for a connection that is taken now; a guess where others are about to take one."""
        return self._pool is not None and (
            self._pool.get_idle_size() > 0 or self._pool.get_size() < self._pool.get_max_size()
        )

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[PoolConnectionProxy]:
        """Lend a connection; it ends when its borrower is canceled.

        Raises:
            StorageUnavailableError: The database isn't there, at the start or while the connection is used.
            StorageError: It failed in another way.
        """
        if self._pool is None:
            raise StorageUnavailableError("the database has not answered yet")
        try:
            connection = await self._pool.acquire()
        except (*_AWAY, asyncpg.PostgresError) as error:  # whatever keeps us out passes, or an operator must see to it
            raise _unavailable(error) from error
        try:
            yield connection
        except asyncio.CancelledError:
            connection.terminate()  # asyncpg does not get a connection out of a COPY that was left
            raise
        except _AWAY as error:
            raise _unavailable(error) from error
        except asyncpg.PostgresError as error:
            raise StorageError(f"the database failed: {_line(error)}") from error
        finally:
            await self._pool.release(connection)

    async def ping(self) -> None:
        """Ask the database for a sign of life.

        Raises:
            StorageUnavailableError: It does not answer.
        """
        async with self.connection() as connection:
            await connection.execute("select 1")

    async def check_schema(self) -> None:
        """Ask the database for its schema.

        Raises:
            StorageUnavailableError: It does not answer.
            IncompatibleSchemaError: It was migrated to something that this version can't work with.
        """
        async with self.connection() as connection:
            await require_schema(connection, "waferscope-query")


def _unavailable(error: BaseException) -> StorageUnavailableError:
    return StorageUnavailableError(f"the database is not available: {_line(error)}")


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
