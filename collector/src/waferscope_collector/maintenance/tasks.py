"""The tasks of the maintenance, in the order of their first run, each with its rhythm."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import asyncpg

from waferscope_collector.maintenance import columnstore, ledger, partitions, retention, rollups, statistics
from waferscope_collector.retention import Retention
from waferscope_collector.settings import WriterSettings

_PERIOD = 600.0  # s
_ROLLUP_BUDGET = 60.0  # s: with a long backlog the other tasks get their turn in between


@dataclass(frozen=True, slots=True)
class Task:
    """Something to do again and again."""

    name: str
    period: float  # s, from one begin to the next
    work: Callable[[asyncpg.Connection], Awaitable[object]]


def tasks(settings: WriterSettings) -> tuple[Task, ...]:
    """Return what is to be done, as the settings have it."""
    kept = Retention.of(settings)
    return (
        Task("partitions", _PERIOD, partitions.create_ahead),
        Task("rollups", settings.rollup_delay, lambda conn: rollups.catch_up(conn, budget=_ROLLUP_BUDGET)),
        Task("columnstore", _PERIOD, lambda conn: columnstore.convert_closed(conn, settings.columnstore_grace)),
        Task("retention", _PERIOD, lambda conn: retention.apply(conn, kept)),
        Task("ledger", _PERIOD, lambda conn: ledger.prune(conn, settings.ledger_days)),
        Task("statistics", _PERIOD, statistics.refresh),
    )
