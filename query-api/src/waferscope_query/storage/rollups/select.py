"""From rollups in the database to what the engine asks of them (see `waferscope_query.promql.history`)."""

import asyncio
from dataclasses import dataclass, replace

import numpy as np
from asyncpg.pool import PoolConnectionProxy
from numpy.typing import NDArray

from waferscope_query.promql.errors import ExecutionError, TooManySamplesError
from waferscope_query.promql.history import Measure, RollupSelection
from waferscope_query.promql.labels import LabelFrame, StringPool
from waferscope_query.promql.source import Rollups, Samples
from waferscope_query.storage.assemble import Read, assemble, bucket_matchers
from waferscope_query.storage.cache.contents import Classic
from waferscope_query.storage.classic import ClassicPoints
from waferscope_query.storage.copied import Points
from waferscope_query.storage.index import OWN_PARTS, Found
from waferscope_query.storage.index import Part as Shown
from waferscope_query.storage.native import NativeRuns, with_natives
from waferscope_query.storage.rollups.reading import (
    Buckets,
    Part,
    Rows,
    holds_histograms,
    read_classic,
    read_natives,
    read_numbers,
)
from waferscope_query.storage.runs import Runs
from waferscope_query.storage.virtual import BucketLabels, exploded

_COLUMNS = {  # the value first
    Measure.LAST: ("last",),
    Measure.FIRST: ("first",),
    Measure.COUNT: ("count",),
    Measure.SUM: ("sum",),
    Measure.MEAN: ("sum", "count"),
    Measure.MIN: ("min",),
    Measure.MAX: ("max",),
    Measure.INCREASE: ("increase", "count", "first", "last", "first_ts", "last_ts"),
}
_OF_HISTOGRAMS = {
    Measure.LAST: Part("last", "last_ts"),
    Measure.COUNT: Part("last", "bucket", counted=True),
    Measure.INCREASE: Part("increase", "bucket"),
}
_MAY_HOLD_HISTOGRAMS = (Shown.NATIVE, Shown.EITHER)


async def read_rollups(
    connection: PoolConnectionProxy, selection: RollupSelection, found: Found, labels: BucketLabels, max_samples: int
) -> Rollups:
    """Read what a selection asks of rollups.

    Args:
        connection: An open connection.
        selection: What is asked.
        found: The rows of the index that it names.
        labels: Numbers the values of `le`.
        max_samples: Samples that may come of it at most, see `Rollups.held`.

    Raises:
        TooManySamplesError: There are more.
        ExecutionError: Histograms were asked for something that their rollups don't know.
    """
    buckets = Buckets.of(selection, max_samples // len(_COLUMNS[selection.measure]))
    numbers, histograms = await _numbers(connection, selection, found, buckets), _NOTHING
    if not np.all(found.parts == Shown.PLAIN):
        histograms = await _histograms(connection, selection, found, buckets)
    rollups = await asyncio.to_thread(_assembled, selection, found, labels, _Answers(numbers, *histograms), max_samples)
    if rollups.held > max_samples:
        raise TooManySamplesError
    return rollups


@dataclass(frozen=True, slots=True, eq=False)
class _Answers:
    """The database's, of a selection."""

    numbers: Rows
    classic: list[ClassicPoints]
    natives: NativeRuns | None


_Histograms = tuple[list[ClassicPoints], NativeRuns | None]
_NOTHING: _Histograms = ([], None)


async def _numbers(connection: PoolConnectionProxy, selection: RollupSelection, found: Found, buckets: Buckets) -> Rows:
    plain = np.unique(found.series_ids[np.isin(found.parts, OWN_PARTS)])
    columns = _COLUMNS[selection.measure]
    if not len(plain):
        return Rows(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((len(columns), 0)))
    ts = "last_ts" if selection.measure is Measure.LAST else "bucket"
    previous = selection.measure is Measure.INCREASE
    return await read_numbers(connection, plain, buckets, ts, columns, previous=previous)


async def _histograms(
    connection: PoolConnectionProxy, selection: RollupSelection, found: Found, buckets: Buckets
) -> _Histograms:
    classic = np.unique(found.series_ids[~np.isin(found.parts, OWN_PARTS)])
    own = np.unique(found.series_ids[np.isin(found.parts, _MAY_HOLD_HISTOGRAMS)])
    part = _OF_HISTOGRAMS.get(selection.measure)
    if part is None:
        if await holds_histograms(connection, np.union1d(classic, own), buckets):
            raise ExecutionError(
                "of histograms whose samples are gone, rollups answer instant selectors and count_over_time, increase,"
                " last_over_time, rate only"
            )
        return _NOTHING
    bounded = await read_classic(connection, classic, buckets, part) if len(classic) else []
    natives = await read_natives(connection, own, buckets, part) if len(own) else None
    return bounded, natives if natives is not None and len(natives.ts) else None


def _assembled(
    selection: RollupSelection, found: Found, labels: BucketLabels, read: _Answers, max_samples: int
) -> Rollups:
    numbers, classic, natives = read.numbers, read.classic, read.natives
    if selection.measure is Measure.COUNT:
        classic, numbers, natives = [_counted(points) for points in classic], _with_counts(numbers, natives), None
    shown = _shown(selection, found, classic, labels)
    # Samples are assembled with their rows' numbers for values: so all columns come into their order.
    rows = Points(numbers.series, numbers.ts, np.arange(len(numbers.ts), dtype=np.float64))
    together = selection.measure is not Measure.INCREASE
    if together and (classic or natives is not None):
        points = _runs(Points(numbers.series, numbers.ts, numbers.columns[0]))
        samples = assemble(found, Read(points, shown, max_samples), labels)
        return Rollups(_with_own(samples, found, natives, selection.start_ms), np.zeros((0, 0)))
    samples = assemble(found, Read(_runs(rows), None, max_samples), labels)
    columns = np.ascontiguousarray(numbers.columns[:, samples.values.astype(np.int64)])
    samples = replace(samples, values=columns[0])
    if not classic and natives is None:
        return Rollups(samples, columns[1:])
    whole = assemble(found, Read(None, shown, max_samples), labels)
    return Rollups(samples, columns[1:], _with_own(whole, found, natives, selection.start_ms))


def _runs(points: Points) -> Runs:
    return Runs.of(points, np.unique(points.series))


def _shown(selection: RollupSelection, found: Found, classic: list[ClassicPoints], labels: BucketLabels) -> Runs | None:
    """What the selection shows of histograms as classic series."""
    if not classic:
        return None
    return Classic.of(found, bucket_matchers(selection.matchers), labels).narrowed(exploded(classic, labels))


def _counted(points: ClassicPoints) -> ClassicPoints:
    """Samples instead of observations: each series of a histogram has as many."""
    buckets = np.repeat(points.count[:, None], len(points.le), axis=1)
    return replace(points, buckets=buckets, sum=points.count)


def _with_counts(numbers: Rows, natives: NativeRuns | None) -> Rows:
    if natives is None:
        return numbers
    return Rows(
        np.concatenate([numbers.series, natives.owners]),
        np.concatenate([numbers.ts, natives.ts]),
        np.concatenate([numbers.columns, natives.table.head[None, :, 0]], axis=1),
    )


def _with_own(samples: Samples, found: Found, natives: NativeRuns | None, start_ms: int) -> Samples:
    if natives is None or not len(natives):
        return samples
    own = found.take(np.isin(found.parts, _MAY_HOLD_HISTOGRAMS))
    return with_natives(samples, own.labels, own.series_ids, natives, start_ms)


def no_rollups(pool: StringPool, measure: Measure) -> Rollups:
    """What a selection of no series finds."""
    nothing: NDArray[np.float64] = np.zeros((len(_COLUMNS[measure]) - 1, 0))
    empty = Samples(LabelFrame.empty(pool), np.zeros(1, np.int64), np.zeros(0, np.int64), np.zeros(0))
    return Rollups(empty, nothing)
