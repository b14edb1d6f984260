"""Where samples come from: the protocol between the engine and a storage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from waferscope_query.promql.histograms import HistogramCells
from waferscope_query.promql.history import Borders, RollupSelection
from waferscope_query.promql.labels import LabelFrame, StringPool
from waferscope_query.promql.matchers import Matcher

USUAL_INTERVAL_MS = 15_000
"""Between the samples of a series, where only its existence is known: the export interval of wrapper and Collector."""

STALE_BITS = 0x7FF0000000000002
"""The NaN that says: from here on this series has no value (Prometheus, value.StaleNaN)."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What one selector of an expression needs.

    Attributes:
        matchers: Conditions that a series must satisfy, all of them.
        start_ms: First wanted timestamp, inclusive, milliseconds since the epoch.
        end_ms: Last wanted timestamp, inclusive.
        starts: Whether start timestamps are of use.
    """

    matchers: tuple[Matcher, ...]
    start_ms: int
    end_ms: int
    starts: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """The samples of n series, one after the other.

    Attributes:
        labels: The n label sets, all different.
        offsets: int64[n + 1]; series i owns the samples offsets[i] to offsets[i + 1].
        ts: int64[m], milliseconds, strictly ascending within a series.
        values: float64[m]; of a histogram its sum. Stale markers are kept (see STALE_BITS).
        histograms: Which samples are histograms, their hints as `with_reset_hints` gives them; None where none is.
        starts: int64[m], milliseconds: since when each sample counts, 0 where nobody knows; None where nobody asked, or
            nobody knows of any.
    """

    labels: LabelFrame
    offsets: NDArray[np.int64]
    ts: NDArray[np.int64]
    values: NDArray[np.float64]
    histograms: HistogramCells | None = None
    starts: NDArray[np.int64] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Rollups:
    """What the buckets of n series know of a measure (see `history.Measure`).

    Attributes:
        samples: A sample for each bucket; its time is the bucket's start, of LAST that of the last sample in it.
        columns: float64[k, m], one column for each of these samples and of what the measure needs beside its value.
        whole: Of INCREASE, series of which the increase alone is known: those of histograms, and their counts, sums and
            classic buckets; None where there are none.
    """

    samples: Samples
    columns: NDArray[np.float64]
    whole: Samples | None = None

    @property
    def held(self) -> int:
        """How many samples this is as large as."""
        whole = 0 if self.whole is None else len(self.whole.ts)
        return len(self.samples.ts) * (1 + len(self.columns)) + whole


@dataclass(frozen=True, slots=True)
class Metadata:
    """What is known of a metric: its Prometheus type, unit and help text."""

    metric: str
    kind: str
    unit: str
    help: str


class Source(Protocol):
    """A storage the engine can read.

    All frames a source returns share its one pool. `matcher_sets` is a union: a series counts when it satisfies every
    matcher of at least one set; no set at all means every series.
    """

    @property
    def pool(self) -> StringPool:
        """The pool of all codes this source returns."""
        ...

    async def select(self, selections: Sequence[Selection], max_samples: int) -> list[Samples]:
        """Fetch all selections of a query, in their order, from one state of the storage.

        Series without samples in the range may be left out. Samples outside the range may be returned as well.
        A range may lie beyond any calendar (`x @ 9e18`): such a selection is empty.

        Raises:
            TooManySamplesError: The selections together hold more than `max_samples` samples.
        """
        ...

    async def borders(self) -> Borders | None:
        """From when on samples and short rollups are kept; None where nothing was ever dropped."""
        ...

    async def rollups(self, selections: Sequence[RollupSelection], max_samples: int) -> list[Rollups]:
        """Fetch rollups, in the order of the selections; called with what `borders` made of a plan.

        Raises:
            TooManySamplesError: The selections together hold more than `max_samples`; a bucket counts once for each
                number that is asked of it.
            ExecutionError: The rollups of a selected series don't know what is asked of them.
        """
        ...

    async def label_names(self, matcher_sets: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int) -> list[str]:
        """Sorted names of the labels of the matching series."""
        ...

    async def label_values(
        self, name: str, matcher_sets: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int
    ) -> list[str]:
        """Sorted values of one label over the matching series."""
        ...

    async def series(self, matcher_sets: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int) -> LabelFrame:
        """The matching label sets, each once."""
        ...

    async def metadata(self, metric: str | None = None) -> list[Metadata]:
        """What is known of one metric or of all."""
        ...
