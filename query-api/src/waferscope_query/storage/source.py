"""The database as the engine's source (see `waferscope_query.promql.source.Source`)."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from copy import copy
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
from asyncpg.pool import PoolConnectionProxy
from numpy.typing import NDArray

from waferscope_query.promql import usage
from waferscope_query.promql.history import Borders, RollupSelection
from waferscope_query.promql.labels import LabelFrame, StringPool
from waferscope_query.promql.matchers import Matcher
from waferscope_query.promql.source import Metadata, Rollups, Samples, Selection
from waferscope_query.storage.asking import Asked
from waferscope_query.storage.assemble import bucket_matchers, merge_labels, no_samples
from waferscope_query.storage.cache.contents import Classic, Content, Floats, Natives
from waferscope_query.storage.cache.session import SampleCache, Session
from waferscope_query.storage.classic import ClassicPoints, bucket_texts
from waferscope_query.storage.database import Database
from waferscope_query.storage.follower import Follower
from waferscope_query.storage.index import BUCKET_LABEL, OWN_PARTS, Found, Part, SeriesIndex
from waferscope_query.storage.reader import Span, instant, one_snapshot, read_histograms, read_starts
from waferscope_query.storage.rollups.borders import BorderWatch
from waferscope_query.storage.rollups.select import no_rollups, read_rollups
from waferscope_query.storage.sample_reader import SampleReader
from waferscope_query.storage.starts import with_starts
from waferscope_query.storage.virtual import BucketLabels, exploded
from waferscope_schemas import queries

_SQL = queries.load("waferscope_query")
MatcherSets = Sequence[Sequence[Matcher]]
Remembered = tuple[dict[Selection, Samples], list[tuple[Content[Any], Span, Any]]]
"""Samples of selections, and what of which content they are made of."""


class DatabaseSource:
    """Series from an index that follows the database, samples from the database.

    Labels are answered for all series whatever the time range: a series has no row that says when it lived.

    Args:
        database: The site's database.
        cache: Keeps samples in memory.
    """

    def __init__(self, database: Database, cache: SampleCache) -> None:
        self.pool = StringPool()
        self.index = SeriesIndex(self.pool)
        self._reader = SampleReader(database)
        self.follower = Follower(database, self.index, cache, self._reader)
        self.cache = cache
        self.queried_at = time.monotonic()
        self._everything: tuple[int, list[Content[Any]]] = (0, [])  # of an index of that size
        self._database = database
        self._borders = BorderWatch(database)
        self._buckets = BucketLabels(self.pool)

    def uncached(self) -> "DatabaseSource":
        """Return the same source without its cache."""
        source = copy(self)
        source.cache = SampleCache(0)
        return source

    async def select(self, selections: Sequence[Selection], max_samples: int) -> list[Samples]:
        """Fetch all selections (see `Source.select`)."""
        self.queried_at = time.monotonic()
        if not selections:
            return []
        await self.follower.refresh()
        view = self.cache.view()
        found, remembered = await asyncio.to_thread(self._remembered, selections, view, max_samples)
        if remembered is None:
            samples = await self._read({one: rows for one, rows in found.items() if len(rows)}, max_samples)
        else:
            samples, used = remembered
            for content, span, data in used:
                view.use(content, span, data)
        return [samples.get(one) or no_samples(self.pool) for one in selections]

    def everything(self) -> list[Content[Any]]:
        """All that can be kept in memory, of all series; the same arrays as long as there are no new ones."""
        if self._everything[0] != len(self.index):
            found = self.index.everything()
            self._everything = len(found), self._contents(found)
        return self._everything[1]

    def _contents(self, found: Found) -> list[Content[Any]]:
        whole: list[Content[Any]] = [
            Floats(np.unique(found.series_ids[np.isin(found.parts, OWN_PARTS)]), self._reader),
            Classic.of(found, (), self._buckets),
            Natives.of(found),
        ]
        return [content for content in whole if len(content.series)]

    async def read_block(self, number: int, wanted: Content[Any]) -> int:
        """Read into memory what it lacks of a block, and tell how many samples that were.

        Args:
            number: Which block of time.
            wanted: What it should have.
        """
        if await asyncio.to_thread(self.cache.view().holds, number, wanted):
            return 0
        async with self._session() as (_, session):
            return await session.fill(number, wanted)

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[tuple[PoolConnectionProxy, Session]]:
        """Read one state of the database, and what is remembered of it."""
        async with (
            self._database.connection() as connection,
            one_snapshot(connection),
            self.cache.session(connection) as session,
        ):
            yield connection, session

    def _remembered(
        self, selections: Sequence[Selection], view: Session, max_samples: int
    ) -> tuple[dict[Selection, Found], Remembered | None]:
        """Find the series of all selections, and their samples where none has to be read."""
        found = {one: self.index.find(one.matchers) for one in dict.fromkeys(selections)}
        usage.current().check_series(sum(map(len, found.values())))
        samples: dict[Selection, Samples] = {}
        used: list[tuple[Content[Any], Span, Any]] = []
        for one, rows in found.items():
            if not len(rows):
                continue
            if not self.cache.max_bytes or one.starts:
                return found, None
            with usage.current().reading(one, len(rows)):
                asked = self._asked(one, rows, max_samples)
                answers = asked.remembered(view)
                if answers is None:
                    return found, None
                samples[one] = asked.assembled(answers, asked.numbers(answers))
                used += asked.used(answers)
            max_samples -= len(samples[one].ts)
        return found, (samples, used)

    def _asked(self, selection: Selection, found: Found, max_samples: int) -> Asked:
        return Asked.of(selection, found, labels=self._buckets, reader=self._reader, max_samples=max_samples)

    async def count(self, selections: Sequence[Selection]) -> list[int]:
        """Tell how many series of the index match selections; a histogram's buckets count as one."""
        await self.follower.refresh()
        found = {one: await asyncio.to_thread(self.index.find, one.matchers) for one in dict.fromkeys(selections)}
        return [len(found[one]) for one in selections]

    async def borders(self) -> Borders | None:
        """From when on everything is kept (see `Source.borders`)."""
        return await self._borders.borders()

    async def rollups(self, selections: Sequence[RollupSelection], max_samples: int) -> list[Rollups]:
        """Fetch rollups of all selections (see `Source.rollups`)."""
        await self.follower.refresh()
        fetched = {}
        async with self._database.connection() as connection, one_snapshot(connection):
            for one in dict.fromkeys(selections):
                found = await asyncio.to_thread(self.index.find, one.matchers)
                usage.current().check_series(len(found))
                if not len(found):
                    fetched[one] = no_rollups(self.pool, one.measure)
                    continue
                with usage.current().reading(one, len(found)):
                    fetched[one] = await read_rollups(connection, one, found, self._buckets, max_samples)
                max_samples -= fetched[one].held
        return [fetched[one] for one in selections]

    async def label_names(self, matcher_sets: MatcherSets, start_ms: int, end_ms: int) -> list[str]:
        """Sorted names of the labels of the matching series."""
        if not matcher_sets:
            await self.follower.refresh()
            return await asyncio.to_thread(lambda: sorted(self.index.label_names()))
        frame = await self.series(matcher_sets, start_ms, end_ms)
        return [name for name in frame.names if frame.column(name).any()]

    async def label_values(self, name: str, matcher_sets: MatcherSets, start_ms: int, end_ms: int) -> list[str]:
        """Sorted values of one label over the matching series."""
        if not matcher_sets:
            await self.follower.refresh()
            bounds = await self._bounds(self.index.histograms(), start_ms, end_ms) if name == BUCKET_LABEL else {}
            return await asyncio.to_thread(
                lambda: sorted({*self.index.label_values(name), *chain.from_iterable(map(bucket_texts, bounds))})
            )
        frame = await self.series(matcher_sets, start_ms, end_ms)
        return await asyncio.to_thread(lambda: sorted(set(frame.texts(name)) - {""}))

    async def series(self, matcher_sets: MatcherSets, start_ms: int, end_ms: int) -> LabelFrame:
        """The matching label sets, each once."""
        await self.follower.refresh()
        frames = [
            frame
            for matchers in matcher_sets or [[]]
            for frame in await self._presented(matchers, start_ms, end_ms)
            if len(frame)
        ]
        if not frames:
            return LabelFrame.empty(self.pool)
        return (await asyncio.to_thread(merge_labels, frames, self.pool))[0]

    async def metadata(self, metric: str | None = None) -> list[Metadata]:
        """What is known of one metric or of all."""
        await self.follower.refresh()
        return self.index.metadata(metric)

    async def _read(self, found: dict[Selection, Found], max_samples: int) -> dict[Selection, Samples]:
        """Read the samples of all selections from one snapshot of the database."""
        samples = {}
        async with self._session() as (connection, session):
            for selection, rows in found.items():
                with usage.current().reading(selection, len(rows)):
                    samples[selection] = await self._read_one(connection, session, selection, rows, max_samples)
                max_samples -= len(samples[selection].ts)
        return samples

    async def _read_one(
        self, connection: PoolConnectionProxy, session: Session, selection: Selection, found: Found, max_samples: int
    ) -> Samples:
        asked = await asyncio.to_thread(self._asked, selection, found, max_samples)
        if selection.starts:
            return await self._with_starts(connection, session, asked)
        answers = await asked.read(session)
        return await asyncio.to_thread(lambda: asked.assembled(answers, asked.numbers(answers)))

    async def _with_starts(self, connection: PoolConnectionProxy, session: Session, asked: Asked) -> Samples:
        """Read samples that tell since when they count; classic series do in the database only."""
        points: list[ClassicPoints] = []
        answers = await replace(asked, classic=None).read(session)
        if asked.classic is not None:
            points = await read_histograms(connection, asked.classic.series, asked.span)
            classic = await asyncio.to_thread(exploded, points, self._buckets)
            answers = replace(answers, classic=await asyncio.to_thread(asked.classic.narrowed, classic))
        samples = await asyncio.to_thread(asked.numbers, answers)
        if len(samples.ts):
            plain = np.zeros(0, np.int64) if asked.floats is None else asked.floats.series
            told = await read_starts(connection, plain, asked.span)
            samples = await asyncio.to_thread(with_starts, samples, asked.found, answers.floats, points, told)
        return await asyncio.to_thread(asked.assembled, answers, samples)

    async def _presented(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> list[LabelFrame]:
        """Label sets that satisfy one set of matchers, those of buckets with their `le`."""
        found = await asyncio.to_thread(self.index.find, matchers)
        bucket = found.parts == Part.BUCKET
        frames = [found.labels.take(~bucket)]
        for bounds, series_ids in (await self._bounds(found.series_ids[bucket], start_ms, end_ms)).items():
            labels = found.take(bucket & np.isin(found.series_ids, series_ids)).labels
            frames += [
                labels.assign(BUCKET_LABEL, np.full(len(labels), self.pool.code(le), np.int32))
                for le in bucket_texts(bounds)
                if all(matcher.matches(le) for matcher in bucket_matchers(matchers))
            ]
        return frames

    async def _bounds(
        self, series_ids: NDArray[np.int64], start_ms: int, end_ms: int
    ) -> dict[tuple[float, ...], list[int]]:
        """Bounds of histograms, as their newest samples in a range have them, with the series that share them."""
        sharing: dict[tuple[float, ...], list[int]] = {}
        if len(series_ids):
            async with self._database.connection() as connection:
                rows = await connection.fetch(
                    _SQL["newest_bounds"], series_ids.tolist(), instant(start_ms), instant(end_ms)
                )
            for row in rows:
                sharing.setdefault(tuple(row["custom_bounds"]), []).append(row["series_id"])
        return sharing
