"""What is left of times whose samples retention has dropped: rollups, and what they can be asked."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from waferscope_query.promql.matchers import Matcher
from waferscope_query.promql.printing.plain import duration_text

FIVE_MINUTES_MS, HOUR_MS = 300_000, 3_600_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Measure(enum.Enum):
    """What is asked of the buckets in a window."""

    LAST = enum.auto()
    FIRST = enum.auto()
    COUNT = enum.auto()
    SUM = enum.auto()
    MEAN = enum.auto()
    MIN = enum.auto()
    MAX = enum.auto()
    INCREASE = enum.auto()


MEASURES = {
    "avg_over_time": Measure.MEAN,
    "count_over_time": Measure.COUNT,
    "first_over_time": Measure.FIRST,
    "increase": Measure.INCREASE,
    "last_over_time": Measure.LAST,
    "max_over_time": Measure.MAX,
    "min_over_time": Measure.MIN,
    "rate": Measure.INCREASE,
    "sum_over_time": Measure.SUM,
}
"""The functions of a range that rollups answer."""


@dataclass(frozen=True, slots=True)
class Borders:
    """From when on a storage has kept everything, in ms.

    Attributes:
        raw_ms: Samples, floats and histograms alike.
        five_minutes_ms: Rollups of five minutes; those of an hour are kept for good.
    """

    raw_ms: int
    five_minutes_ms: int


@dataclass(frozen=True, slots=True)
class RollupSelection:
    """What one selector needs of times whose samples are gone.

    Attributes:
        matchers: Conditions that a series must satisfy, all of them.
        measure: What is asked.
        bucket_ms: Length of the buckets: five minutes or an hour.
        start_ms: Start of the first wanted bucket.
        end_ms: End of the last wanted bucket.
        window_ms: How far back a step looks, from the bucket's edge at or before it; whole buckets for a range.
        reach_ms: How far back the expression says that it looks.
        border_ms: Steps that look back beyond this are answered from rollups.
    """

    matchers: tuple[Matcher, ...]
    measure: Measure
    bucket_ms: int
    start_ms: int
    end_ms: int
    window_ms: int
    reach_ms: int
    border_ms: int

    @property
    def note(self) -> str:
        """What an answer says that comes from here."""
        return (
            f"samples before {moment_text(self.border_ms)} are gone: answered from rollups of"
            f" {duration_text(self.bucket_ms)} over a window of {duration_text(self.window_ms)}"
        )


def moment_text(ms: int) -> str:
    """A time in ms, to the second."""
    return f"{_EPOCH + timedelta(milliseconds=ms):%Y-%m-%dT%H:%M:%SZ}"
