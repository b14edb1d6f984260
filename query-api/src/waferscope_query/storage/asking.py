"""What a selection needs of each content, and what becomes of it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from waferscope_query.promql.errors import TooManySamplesError
from waferscope_query.promql.source import Samples, Selection
from waferscope_query.storage.assemble import Read, assemble, bucket_matchers
from waferscope_query.storage.cache.contents import Classic, Content, Floats, Natives
from waferscope_query.storage.cache.session import Session
from waferscope_query.storage.index import OWN_PARTS, Found, Part
from waferscope_query.storage.native import NativeRuns, with_natives
from waferscope_query.storage.reader import Span
from waferscope_query.storage.runs import Runs
from waferscope_query.storage.sample_reader import SampleReader
from waferscope_query.storage.virtual import BucketLabels

_HINT_REACH_MS = 300_000  # how far back the histogram may lie that tells whether the first one continues it
_MAY_HOLD_HISTOGRAMS = (Part.NATIVE, Part.EITHER)


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What a selection's contents have; None where it needs nothing of one."""

    floats: Runs | None = None
    classic: Runs | None = None
    natives: NativeRuns | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """A selection, and what it needs.

    Attributes:
        selection: What the query asks.
        found: The rows of the index that it names.
        labels: Numbers the `le` of buckets.
        span: What is read, of native histograms `reaching`.
        reaching: The span, and what may tell the hint of the first histogram in it.
        floats: Needed of `wafer.sample`.
        classic: Needed of histograms as classic series.
        natives: Needed of native ones.
    """

    selection: Selection
    found: Found
    labels: BucketLabels
    span: Span
    reaching: Span
    floats: Floats | None
    classic: Classic | None
    natives: Natives | None

    @classmethod
    def of(
        cls, selection: Selection, found: Found, *, labels: BucketLabels, reader: SampleReader, max_samples: int
    ) -> "Asked":
        """Tell what a selection needs that may have so many samples."""
        span = Span(selection.start_ms, selection.end_ms, max_samples)
        floats = Floats(np.unique(found.series_ids[np.isin(found.parts, OWN_PARTS)]), reader)
        classic = Classic.of(found, bucket_matchers(selection.matchers), labels)
        natives = Natives.of(found)
        return cls(
            *(selection, found, labels, span, replace(span, start_ms=span.start_ms - _HINT_REACH_MS)),
            floats=floats if len(floats.series) else None,
            classic=classic if len(classic.series) else None,
            natives=natives if len(natives.series) else None,
        )

    def remembered(self, view: Session) -> Answers | None:
        """Answer from memory; None where something has to be read. Errors as `Session.remembered`."""
        floats = classic = natives = None
        if self.floats and (floats := view.remembered(self.floats, self.span)) is None:
            return None
        if self.classic and (classic := view.remembered(self.classic, self.span)) is None:
            return None
        if self.natives and (natives := view.remembered(self.natives, self.reaching)) is None:
            return None
        return Answers(floats, classic, natives)

    async def read(self, session: Session) -> Answers:
        """Answer from memory and the database; errors as `Session.read`."""
        floats = classic = natives = None
        if self.floats:
            floats = await session.read(self.floats, self.span)
        if self.classic:
            classic = await session.read(self.classic, self.span)
        if self.natives:
            natives = await session.read(self.natives, self.reaching)
        return Answers(floats, classic, natives)

    def used(self, answers: Answers) -> Iterator[tuple[Content[Any], Span, Any]]:
        """Tell what of which content was of use."""
        needs = ((self.floats, self.span), (self.classic, self.span), (self.natives, self.reaching))
        for (content, span), data in zip(needs, (answers.floats, answers.classic, answers.natives), strict=True):
            if content is not None:
                yield content, span, data

    def numbers(self, answers: Answers) -> Samples:
        """Put floats and classic series under their labels; errors as `assemble`."""
        read = Read(answers.floats, answers.classic, self.span.max_samples)
        return assemble(self.found, read, self.labels)

    def assembled(self, answers: Answers, numbers: Samples) -> Samples:
        """Put native histograms beside the numbers.

        Raises:
            TooManySamplesError: There are more samples than allowed.
        """
        samples = numbers
        if answers.natives is not None and len(answers.natives):
            own = self.found.take(np.isin(self.found.parts, _MAY_HOLD_HISTOGRAMS))
            samples = with_natives(numbers, own.labels, own.series_ids, answers.natives, self.span.start_ms)
            if len(samples.ts) > self.span.max_samples:
                raise TooManySamplesError
        return samples if self.selection.starts else replace(samples, starts=None)
