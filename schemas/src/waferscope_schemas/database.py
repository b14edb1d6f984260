"""Ways into the database: one connection at once, or a pool that waits until the database is there."""

import asyncio
import logging
import time

import asyncpg

from waferscope_schemas.compatibility import require_schema
from waferscope_schemas.errors import DatabaseUnreachableError, SettingsError, one_line

__all__ = ["connect", "open_pool", "require_schema"]

_LOGGER = logging.getLogger(__name__)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0  # seconds between tries while the database is away
_CONNECT_TIMEOUT = 10.0  # seconds

# Session settings: times are UTC everywhere; compiling a query costs more than our short ones take.
_SESSION = {"application_name": "waferscope", "timezone": "UTC", "jit": "off"}

# What passes by itself: the server is starting, stopping, full, or out of reach.
_TRANSIENT = (
    OSError,
    TimeoutError,
    asyncpg.CannotConnectNowError,
    asyncpg.PostgresConnectionError,
    asyncpg.TooManyConnectionsError,
    asyncpg.AdminShutdownError,
)


async def connect(url: str) -> asyncpg.Connection:
    """Open one connection now.

    Args:
        url: ``postgresql://user:password@host:port/database``.

    Returns:
        An open connection.

    Raises:
        DatabaseUnreachableError: The database does not answer, or does not let us in.
        SettingsError: The URL is malformed.
    """
    try:
        return await asyncpg.connect(url, timeout=_CONNECT_TIMEOUT, server_settings=_SESSION)
    except (asyncpg.ClientConfigurationError, ValueError):
        raise _malformed() from None
    except (*_TRANSIENT, asyncpg.PostgresError) as error:
        raise DatabaseUnreachableError(f"the database cannot be reached: {one_line(error)}") from error


class _Unchanged(asyncpg.Connection):
    """A connection whose borrowers set nothing in its session: returning it takes no round trip."""

    def get_reset_query(self) -> str:
        """Return what undoes the settings of a borrower: nothing."""
        return ""


async def open_pool(url: str, *, max_size: int, unchanged: bool = False) -> asyncpg.Pool:
    """Open a pool; while the database is away, wait for it and say so in one log line.

    Args:
        url: ``postgresql://user:password@host:port/database``.
        max_size: Connections at most.
        unchanged: Whether nobody sets, locks or listens in the session of a connection beyond a transaction. Else what
            was set is undone at the return of each.

    Returns:
        A pool that the database has let in. It opens connections as they are asked for.

    Raises:
        DatabaseUnreachableError: The database is there but does not let us in (credentials, name).
        SettingsError: The URL is malformed.
    """
    started, pause = time.monotonic(), _FIRST_PAUSE
    while isinstance(found := await _try(url, max_size, _Unchanged if unchanged else asyncpg.Connection), str):
        if pause == _FIRST_PAUSE:
            _LOGGER.warning("waiting for the database: %s", found)
        pause = min(pause * 2, _LONGEST_PAUSE)
        await asyncio.sleep(pause)
    if pause > _FIRST_PAUSE:
        _LOGGER.warning("the database answers after %.1f s", time.monotonic() - started)
    return found


async def _try(url: str, max_size: int, kind: type[asyncpg.Connection]) -> asyncpg.Pool | str:
    """Open the pool, or tell what keeps the database away."""
    try:
        return await _open(url, max_size, kind)
    except _TRANSIENT as error:
        return one_line(error)
    except (asyncpg.ClientConfigurationError, ValueError):
        raise _malformed() from None
    except asyncpg.PostgresError as error:
        raise DatabaseUnreachableError(f"the database refuses us: {one_line(error)}") from error


async def _open(url: str, max_size: int, kind: type[asyncpg.Connection]) -> asyncpg.Pool:
    # No connection is kept open for its own sake: asyncpg logs a traceback at each try to restore such a one.
    pool = asyncpg.create_pool(
        url,
        min_size=0,
        max_size=max_size,
        timeout=_CONNECT_TIMEOUT,
        server_settings=_SESSION,
        connection_class=kind,
    )
    try:
        await pool
        async with pool.acquire():  # the pool itself has not asked the database yet
            return pool
    except BaseException:
        pool.terminate()
        raise


def _malformed() -> SettingsError:
    # The parser's own message may quote the URL with its password.
    return SettingsError("WAFERSCOPE_DATABASE_URL: is no valid URL: postgresql://user:password@host:port/database")
