"""What the maintenance did last: in memory for the writer's own metrics, in a table for everybody else."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import asyncpg

from waferscope_schemas import queries
from waferscope_schemas.errors import one_line

_SQL = queries.load("waferscope_collector")


@dataclass(frozen=True, slots=True)
class TaskState:
    """What one task did since this writer maintains the site."""

    task: str
    successes: int = 0
    errors: int = 0
    last_success: datetime | None = None
    duration_s: float | None = None  # of the last success
    last_error: str | None = None
    last_error_at: datetime | None = None


class States:
    """The states of all tasks; written by the maintenance, read by whoever reports them, all in one event loop."""

    def __init__(self) -> None:
        self.holding = False
        """Whether this writer is the one that maintains the site."""
        self._tasks: dict[str, TaskState] = {}

    @property
    def tasks(self) -> tuple[TaskState, ...]:
        """What each task did, in the order in which they ran first."""
        return tuple(self._tasks.values())

    async def succeeded(self, conn: asyncpg.Connection, task: str, duration_s: float) -> None:
        """Note that a task did what it had to."""
        known, now = self._known(task), datetime.now(UTC)
        self._tasks[task] = replace(known, successes=known.successes + 1, last_success=now, duration_s=duration_s)
        await conn.execute(_SQL["note_success"], task, duration_s)

    async def failed(self, conn: asyncpg.Connection, task: str, error: BaseException) -> None:
        """Note that a task could not do what it had to."""
        known, now, text = self._known(task), datetime.now(UTC), one_line(error)[:500]
        self._tasks[task] = replace(known, errors=known.errors + 1, last_error=text, last_error_at=now)
        if not conn.is_closed():
            await conn.execute(_SQL["note_error"], task, text)

    def _known(self, task: str) -> TaskState:
        return self._tasks.get(task, TaskState(task))
