"""Events to job runs, so that any order, repetition or grouping of a run's events gives the same row.

Each column of a run comes from the highest-ranked event that names it: an event that ends the run outranks all that
don't, otherwise the sequence decides. Ranks are kept beside the columns, so the database folds on where a group ended.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from datetime import datetime

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
    ranks: tuple[int, ...]  # of each of `COLUMNS`; -1: no event names it
    facts: Facts


def rank(event: JobEvent) -> int:
    """Return the rank of an event: the higher one's word counts."""
    return event.sequence + (MOST_SEQUENCE + 1 if event.terminal else 0)


def fold(events: Iterable[tuple[JobEvent, datetime]]) -> Iterator[list[Run]]:
    """Fold events into rounds of runs, each with at most one entry per run.

    Nearly always there is one round. Two events of one run with equal ranks (a job id that was used twice) go to
    different rounds: which of their values stays is decided in one place, the database.

    Args:
        events: Each with the time when the writer received it.

    Yields:
        Runs sorted by their keys.
    """
    rounds: dict[int, list[Run]] = defaultdict(list)
    by_run: dict[tuple[str, str, int], list[tuple[JobEvent, datetime]]] = defaultdict(list)
    for event, received in events:
        by_run[event.run].append((event, received))
    for key in sorted(by_run):
        for number, distinct in enumerate(_distinct_ranks(by_run[key])):
            rounds[number].append(_fold_run(distinct))
    yield from rounds.values()


def _distinct_ranks(events: list[tuple[JobEvent, datetime]]) -> Iterator[list[tuple[JobEvent, datetime]]]:
    """Part the events of a run so that no part holds one rank twice."""
    rest = sorted(events, key=lambda item: rank(item[0]))
    while rest:
        part: dict[int, tuple[JobEvent, datetime]] = {}
        rest = [item for item in rest if part.setdefault(rank(item[0]), item) is not item]
        yield list(part.values())


def _fold_run(events: list[tuple[JobEvent, datetime]]) -> Run:
    """Fold events of one run, sorted by rank."""
    first = events[0][0]
    ranks = dict.fromkeys(COLUMNS, _ABSENT)
    values = dict.fromkeys(COLUMNS)
    for event, _ in events:
        for column in COLUMNS:
            if (value := getattr(event.facts, column)) is not None:
                ranks[column], values[column] = rank(event), value
    return Run(
        site=first.site,
        job_id=first.job_id,
        attempt=first.attempt,
        started_at=min(event.started_at for event, _ in events),
        heartbeat_at=max(event.at for event, _ in events),
        clock_offset=min((received - event.at).total_seconds() for event, received in events),
        ranks=tuple(ranks.values()),
        facts=Facts(**values),
    )
