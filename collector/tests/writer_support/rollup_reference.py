"""Rollups as plain Python computes them from the raw samples: what the database's must equal."""

import math
import struct
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby

STALE: float = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
EXPLICIT = -53


@dataclass(frozen=True)
class Sample:
    series: int
    ts: int  # Unix time, ms
    value: float


@dataclass(frozen=True)
class Histogram:
    """Buckets by side (1, -1) and index; explicit bounds have the index of their bound, the last is +Inf."""

    count: float
    sum: float | None
    schema: int
    bounds: tuple[float, ...] = ()
    zero: float = 0.0
    buckets: Mapping[tuple[int, int], float] = field(default_factory=dict)


@dataclass(frozen=True)
class HistogramSample:
    series: int
    ts: int
    histogram: Histogram


def is_stale(value: float | None) -> bool:
    return value is not None and struct.pack("<d", value) == struct.pack("<d", STALE)


def number_rollups(samples: Iterable[Sample], width: int) -> dict[tuple[int, int], tuple[float, ...]]:
    """(count, sum, min, max, first, last, first_ts, last_ts, increase) by series and bucket (ms)."""
    best: dict[tuple[int, int], float] = {}
    for sample in samples:
        key = (sample.series, sample.ts)
        if not is_stale(sample.value):
            known = best.get(key)
            if known is None or math.isnan(known) or sample.value > known:
                best[key] = sample.value
    rollups: dict[tuple[int, int], tuple[float, ...]] = {}
    for series, kept in groupby(sorted(best.items()), key=lambda item: item[0][0]):
        before: float | None = None
        rows = [(ts, value) for (_, ts), value in kept]
        for bucket, items in groupby(rows, key=lambda row: row[0] // width * width):
            inside = list(items)
            increase = 0.0
            for _, value in inside:
                increase += _rise(before, value)
                before = value
            values = [value for _, value in inside]
            numbers = [value for value in values if not math.isnan(value)] or [math.nan]
            rollups[series, bucket] = (
                *(len(values), sum(values), min(numbers), max(numbers), values[0], values[-1]),
                *(inside[0][0], inside[-1][0], increase),
            )
    return rollups


def _rise(before: float | None, value: float) -> float:
    if before is None or math.isnan(before) or math.isnan(value):
        return 0.0
    return value - before if value >= before else value


def histogram_rollups(
    samples: Iterable[HistogramSample], width: int
) -> dict[tuple[int, int], tuple[int, Histogram, int, int, Histogram]]:
    """(count, last, first_ts, last_ts, increase) by series and bucket (ms)."""
    best: dict[tuple[int, int], Histogram] = {}
    for sample in samples:
        key, new = (sample.series, sample.ts), sample.histogram
        if not is_stale(new.sum) and (key not in best or _rank(new) > _rank(best[key])):
            best[key] = new
    rollups = {}
    for series, kept in groupby(sorted(best.items(), key=lambda item: item[0]), key=lambda item: item[0][0]):
        before: Histogram | None = None
        rows = [(ts, histogram) for (_, ts), histogram in kept]
        for bucket, items in groupby(rows, key=lambda row: row[0] // width * width):
            inside = list(items)
            # Runs without a reset: what the last holds over what stood before the first.
            runs: list[tuple[Histogram | None, Histogram]] = []
            for _, histogram in inside:
                if before is not None and is_reset(before, histogram):
                    runs.append((None, histogram))
                elif runs:
                    runs[-1] = (runs[-1][0], histogram)
                else:
                    runs.append((before or histogram, histogram))
                before = histogram
            total: Histogram | None = None
            for base, final in runs:
                part = final if base is None else plus(final, base, -1)
                total = part if total is None else plus(total, part, 1)
            assert total is not None
            rollups[series, bucket] = (len(inside), inside[-1][1], inside[0][0], inside[-1][0], total)
    return rollups


def _rank(histogram: Histogram) -> tuple[float, float]:
    return histogram.count, -math.inf if histogram.sum is None else histogram.sum


def is_reset(before: Histogram, after: Histogram) -> bool:
    if (before.schema == EXPLICIT) != (after.schema == EXPLICIT):
        return True
    if after.count < before.count or after.schema > before.schema:
        return True
    change = plus(after, before, -1)
    return change.zero < 0 or any(count < 0 for count in change.buckets.values())


def plus(a: Histogram, b: Histogram, sign: int) -> Histogram:
    if (a.schema == EXPLICIT) != (b.schema == EXPLICIT):
        return b if sign > 0 else a
    schema = min(a.schema, b.schema)
    bounds = tuple(sorted(set(a.bounds) & set(b.bounds)))
    buckets: dict[tuple[int, int], float] = defaultdict(float)
    for histogram, factor in ((a, 1), (b, sign)):
        for (side, index), count in histogram.buckets.items():
            buckets[side, _moved(histogram, index, schema, bounds)] += factor * count
    return Histogram(
        a.count + sign * b.count,
        None if a.sum is None or b.sum is None else a.sum + sign * b.sum,
        schema,
        bounds,
        a.zero + sign * b.zero,
        dict(buckets),
    )


def _moved(histogram: Histogram, index: int, schema: int, bounds: tuple[float, ...]) -> int:
    if histogram.schema != EXPLICIT:
        return math.ceil(index / 2 ** (histogram.schema - schema))
    upper = (*histogram.bounds, math.inf)[index]
    return next((place for place, bound in enumerate(bounds) if bound >= upper), len(bounds))
