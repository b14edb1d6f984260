"""Whether the writer can store requests: answered in time whatever the database does."""

import asyncio
import contextlib
from dataclasses import dataclass

import asyncpg

from waferscope_collector.commit.faults import PASSING
from waferscope_collector.meters import PREFIX, Meters
from waferscope_schemas.database import connect, require_schema
from waferscope_schemas.errors import IncompatibleSchemaError, one_line

_PATIENCE = 1.0  # s: health checks wait for 2 s at most
_OK = "ok"


@dataclass(frozen=True, slots=True)
class _Found:
    database: str
    schema: str


class Readiness:
    """Asks the database on a connection of its own, so that neither commits nor a hung server hold an answer back.

    Args:
        url: The database.
        meters: Tell whether the queue is full.
    """

    def __init__(self, url: str, meters: Meters) -> None:
        self._url = url
        self._meters = meters
        self._conn: asyncpg.Connection | None = None
        self._asking: asyncio.Task[_Found] | None = None

    async def __call__(self) -> dict[str, str]:
        """Return the state of each dependency: "ok", or what is wrong."""
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask())
        found = await asyncio.shield(self._asking)  # shared by all who ask at once
        full = self._meters.whole().get_sample_value(f"{PREFIX}_queue_full")
        return {"database": found.database, "schema": found.schema, "queue": "full" if full else _OK}

    async def close(self) -> None:
        """Close the connection."""
        if self._asking is not None:
            self._asking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._asking
        self._drop()

    async def _ask(self) -> _Found:
        try:
            async with asyncio.timeout(_PATIENCE):
                if self._conn is None or self._conn.is_closed():
                    self._conn = await connect(self._url)
                await require_schema(self._conn)
        except IncompatibleSchemaError as error:
            return _Found(_OK, one_line(error))
        except (asyncpg.PostgresError, *PASSING) as error:
            self._drop()
            late = isinstance(error, TimeoutError) and not str(error)
            return _Found(f"no answer within {_PATIENCE:g} s" if late else one_line(error), "unknown")
        finally:
            self._asking = None
        return _Found(_OK, _OK)

    def _drop(self) -> None:
        if self._conn is not None:
            self._conn.terminate()  # at once: closing in good order would wait for a hung server
            self._conn = None
