"""Questions about job runs, put to the stable views."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from waferscope_query.jobs.items import job_detail, job_item, subjob_item
from waferscope_query.storage.database import Database
from waferscope_schemas import queries

_SQL = queries.load("waferscope_query")
_MAX_EVENTS = 1000
_MAX_LOGS = 1000


@dataclass(frozen=True, slots=True)
class Filter:
    """Which runs to list.

    Attributes:
        first: Begun at or after.
        last: Begun at or before.
        statuses: In one of these; None means any.
        limit: Runs at most.
    """

    first: datetime | None
    last: datetime | None
    statuses: Sequence[str] | None
    limit: int


class JobStore:
    """Reads job runs.

    Args:
        database: The site's database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def jobs(self, wanted: Filter, app_name: str | None) -> list[dict[str, Any]]:
        """List top-level runs, newest first.

        Args:
            wanted: Which runs.
            app_name: Part of the name of the application or job, in any case.
        """
        rows = await self._fetch("list_jobs", wanted.first, wanted.last, wanted.statuses, app_name, wanted.limit)
        return await asyncio.to_thread(lambda: [job_item(row) for row in rows])

    async def subjobs(self, wanted: Filter) -> list[dict[str, Any]]:
        """List nested runs, newest first."""
        rows = await self._fetch("list_subjobs", wanted.first, wanted.last, wanted.statuses, wanted.limit)
        return await asyncio.to_thread(lambda: [subjob_item(row) for row in rows])

    async def job(self, job_id: str) -> dict[str, Any] | None:
        """Show a job with its attempts; None where there is none."""
        async with self._database.connection() as connection:
            attempts = await connection.fetch(_SQL["job_attempts"], job_id)
            if not attempts:
                return None
            sites = sorted({row["site"] for row in attempts})
            subjobs = await connection.fetch(_SQL["job_subjobs"], sites, job_id)
            steps = await connection.fetch(_SQL["job_steps"], sites, job_id)
            events = await connection.fetch(_SQL["job_events"], sites, job_id, _MAX_EVENTS)
            logs = await connection.fetch(_SQL["job_logs"], job_id, _MAX_LOGS)
        return await asyncio.to_thread(job_detail, attempts, subjobs, steps, events, logs)

    async def _fetch(self, name: str, *arguments: object) -> list[asyncpg.Record]:
        async with self._database.connection() as connection:
            return await connection.fetch(_SQL[name], *arguments)
