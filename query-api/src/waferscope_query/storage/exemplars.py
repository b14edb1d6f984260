"""Exemplars of series, from the database."""

import asyncio
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg
import msgspec
import numpy as np

from waferscope_query.promql.errors import TooManySamplesError
from waferscope_query.promql.matchers import Matcher
from waferscope_query.storage.assemble import bucket_matchers
from waferscope_query.storage.classic import bucket_texts
from waferscope_query.storage.database import Database
from waferscope_query.storage.index import BUCKET_LABEL, Found, Part
from waferscope_query.storage.reader import instant
from waferscope_query.storage.source import DatabaseSource
from waferscope_schemas import queries

_SQL = queries.load("waferscope_query")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST = 100_000  # exemplars of an answer


@dataclass(frozen=True, slots=True)
class Exemplar:
    """One measurement; its labels lead to the trace."""

    ms: int  # Unix time
    value: float
    labels: dict[str, str]


@dataclass(frozen=True, slots=True)
class ExemplarsOfSeries:
    """The exemplars of a series, by time."""

    labels: dict[str, str]
    exemplars: list[Exemplar]


class ExemplarStore:
    """Finds exemplars.

    Those of a histogram are shown with the bucket that they fell into, as Prometheus's own are.

    Args:
        source: Knows the series.
        database: Where the exemplars are.
    """

    def __init__(self, source: DatabaseSource, database: Database) -> None:
        self._source = source
        self._database = database

    async def find(
        self, matcher_sets: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int
    ) -> list[ExemplarsOfSeries]:
        """Return the exemplars of all series that satisfy a set of matchers, each series once, in order of labels.

        Args:
            matcher_sets: Of each selector.
            start_ms: First timestamp, inclusive, Unix time.
            end_ms: Last timestamp, inclusive.

        Raises:
            TooManySamplesError: There are more exemplars than an answer may hold.
            StorageError: The database failed.
        """
        await self._source.follower.refresh()
        found: dict[tuple[tuple[str, str], ...], ExemplarsOfSeries] = {}
        for matchers in matcher_sets:
            rows = await asyncio.to_thread(self._source.index.find, matchers)
            kept = rows.take(np.isin(rows.parts, (Part.PLAIN, Part.EITHER, Part.BUCKET)))
            if len(kept):
                for one in await self._read(kept, matchers, start_ms, end_ms):
                    found.setdefault((*sorted(one.labels.items()),), one)
        return [found[key] for key in sorted(found)]

    async def _read(
        self, rows: Found, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> list[ExemplarsOfSeries]:
        ids = np.unique(rows.series_ids).tolist()
        begin, end = instant(start_ms), instant(end_ms)
        async with self._database.connection() as connection:
            stored = await connection.fetch(_SQL["exemplars"], ids, begin, end, _MOST + 1)
            newest = await connection.fetch(_SQL["newest_bounds"], ids, begin, end)
        if len(stored) > _MOST:
            raise TooManySamplesError
        by_series: dict[int, list[Exemplar]] = {}
        for row in stored:
            by_series.setdefault(row["series_id"], []).append(_exemplar(row))
        bounds = {row["series_id"]: row["custom_bounds"] for row in newest}
        wanted = bucket_matchers(matchers)
        answer: list[ExemplarsOfSeries] = []
        for series_id, part, labels in zip(
            rows.series_ids.tolist(), rows.parts.tolist(), rows.labels.rows(), strict=True
        ):
            exemplars = by_series.get(series_id, [])
            if part == Part.BUCKET:
                answer += [
                    ExemplarsOfSeries({**labels, BUCKET_LABEL: le}, inside)
                    for le, inside in _by_bucket(exemplars, bounds.get(series_id, []))
                    if all(matcher.matches(le) for matcher in wanted)
                ]
            elif exemplars:
                answer.append(ExemplarsOfSeries(labels, exemplars))
        return answer


def _by_bucket(exemplars: list[Exemplar], bounds: Sequence[float]) -> Iterator[tuple[str, list[Exemplar]]]:
    inside: dict[int, list[Exemplar]] = {}
    for exemplar in exemplars:
        inside.setdefault(bisect_left(bounds, exemplar.value), []).append(exemplar)
    texts = bucket_texts(bounds)
    return ((texts[place], inside[place]) for place in sorted(inside))


def _exemplar(row: asyncpg.Record) -> Exemplar:
    labels = {name: str(value) for name, value in msgspec.json.decode(row["labels"]).items()}
    for name in ("trace_id", "span_id"):
        if row[name]:
            labels[name] = row[name].hex()
    return Exemplar((row["ts"] - _EPOCH) // timedelta(milliseconds=1), row["value"], labels)
