"""Runs of jobs that have not ended, by status, and the age of the oldest: no process can tell of them as a metric."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import asyncpg

from waferscope_collector.derive.request import Pairs, Request, registered, site
from waferscope_schemas import queries

_SQL = queries.load("waferscope_collector")
_DAY = 24 * 3600 * 10**9  # ns
_STATUSES = ("running", "stale", "unreachable", "lost")
_RUNS, _AGE = "wafer.job.runs", "wafer.job.running.age"

Name = tuple[str, str, str]  # site, job, equipment


@dataclass(slots=True)
class Runs:
    """Knows which names were seen in the last day: those get zeros, so that what ended does not look like a gap."""

    _seen: dict[Name, int] = field(default_factory=dict)  # when last, Unix time, ns
    _ended: set[Name] = field(default_factory=set)  # their series are to be ended

    async def begin(self, conn: asyncpg.Connection, now: int) -> None:
        """Read the names of the last day: once for each lead, since it reads a day's runs."""
        self.note((tuple(row) for row in await conn.fetch(_SQL["names_of_a_day"])), now)

    def note(self, names: Iterable[Name], now: int) -> None:
        """Take notice of names that were seen."""
        self._seen.update(dict.fromkeys(names, now))

    async def sample(self, conn: asyncpg.Connection, now: int, request: Request) -> None:
        """Add the gauges of this moment.

        Args:
            conn: A connection.
            now: Unix time, ns.
            request: Takes the points.
        """
        counts: dict[tuple[Name, str], int] = {}
        ages: dict[Name, float] = {}
        for row in await conn.fetch(_SQL["open_runs"]):
            name = row["site"], row["name"], row["equipment"]
            counts[name, row["status"]] = row["runs"]
            if row["status"] == "running":
                ages[name] = row["age"]
            self._seen[name] = now
        self._forget(now)
        for name in self._seen:
            for status in _STATUSES:
                count = counts.get((name, status), 0)
                _add(request, _RUNS, name, now, count, more=(("wafer.job.status", status),))
            _add(request, _AGE, name, now, ages.get(name, 0.0))
        for name in self._ended:
            for status in _STATUSES:
                _add(request, _RUNS, name, now, None, more=(("wafer.job.status", status),))
            _add(request, _AGE, name, now, None)

    def stored(self) -> None:
        """Take notice that the last samples are committed."""
        self._ended.clear()

    def _forget(self, now: int) -> None:
        self._ended.update(name for name, seen in self._seen.items() if seen < now - _DAY)
        for name in self._ended:
            self._seen.pop(name, None)


def _add(request: Request, metric: str, name: Name, now: int, value: float | None, *, more: Pairs = ()) -> None:
    attributes = (("wafer.equipment.id", name[2]), ("wafer.job.name", name[1]), *more)
    request.gauge(site(name[0]), metric, now, value, attributes, unit=registered(metric).unit)
