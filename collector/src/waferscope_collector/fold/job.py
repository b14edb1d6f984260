"""Events to job runs, so that any order, repetition or grouping of a run's events gives the same row.

Each column of a run comes from the highest-ranked event that names it: an event that ends the run outranks all that
don't, otherwise the sequence decides; of equal ranks (a producer that counts no sequence) the greater value stays.
Ranks are kept beside the columns, so the database folds on where a group ended, by wafer.newest and the same rules.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from waferscope_collector.decode.jobs import MOST_SEQUENCE
from waferscope_collector.decode.records import Facts, JobEvent

COLUMNS = tuple(field.name for field in fields(Facts))
_ABSENT = -1


@dataclass(frozen=True, slots=True)
class Run:
    """What a group of events says of one run."""

    site: str
    job_id: str
    attempt: int
    started_at: datetime
    heartbeat_at: datetime
    clock_offset: float  # s
    heard_at: datetime  # by the writer's clock
    ranks: tuple[int, ...]  # of each of `COLUMNS`; -1: no event names it
    facts: (
        Facts  # `attributes` as a JSON array of all of the rank: which is the greatest, in jsonb's order, SQL decides
    )


def rank(event: JobEvent) -> int:
    """Return the rank of an event: the higher one's word counts."""
    return event.sequence + (MOST_SEQUENCE + 1 if event.terminal else 0)


def fold(events: Iterable[tuple[JobEvent, datetime]]) -> list[Run]:
    """Fold events into runs.

    Args:
        events: Each with the time when the writer received it.

    Returns:
        One entry per run, sorted by their keys.
    """
    by_run: dict[tuple[str, str, int], list[tuple[JobEvent, datetime]]] = defaultdict(list)
    for event, received in events:
        by_run[event.run].append((event, received))
    return [_fold_run(by_run[key]) for key in sorted(by_run)]


def _fold_run(events: Sequence[tuple[JobEvent, datetime]]) -> Run:
    """Fold events of one run."""
    first = events[0][0]
    newest = {column: _newest(column, events) for column in COLUMNS}
    facts = {column: max(values, default=None) for column, (_, values) in newest.items()}
    if attributes := newest["attributes"][1]:
        facts["attributes"] = f"[{','.join(sorted(attributes))}]"
    return Run(
        site=first.site,
        job_id=first.job_id,
        attempt=first.attempt,
        started_at=min(event.started_at for event, _ in events),
        heartbeat_at=max(event.at for event, _ in events),
        clock_offset=min((received - event.at).total_seconds() for event, received in events),
        heard_at=max(received for _, received in events),
        ranks=tuple(highest for highest, _ in newest.values()),
        facts=Facts(**facts),
    )


def _newest(column: str, events: Sequence[tuple[JobEvent, datetime]]) -> tuple[int, set[Any]]:
    """Return the highest rank of the events that name a column, and the values of those that have it."""
    named = [(rank(event), value) for event, _ in events if (value := getattr(event.facts, column)) is not None]
    highest = max((of for of, _ in named), default=_ABSENT)
    return highest, {value for of, value in named if of == highest}
