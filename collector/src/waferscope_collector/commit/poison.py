"""A request that the database refuses: which of its records it refuses, found by trying halves."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from itertools import accumulate, compress
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from waferscope_collector.batch import Batch, Points
from waferscope_collector.decode.records import Logs, Traces
from waferscope_collector.decode.traces import span_ids
from waferscope_collector.identify import UNKNOWN, UNUSABLE

T = TypeVar("T")

REFUSED = "that the database refuses"
MOST_TRIALS = 100  # some six records of a large request

Positions = NDArray[
    np.intp
]  # in the sequence of all points, then log records, events of jobs and of the fab, then spans
Mask = NDArray[np.bool_]


async def find(batch: Batch, refuses: Callable[[Batch], Awaitable[bool]]) -> Positions | None:
    """Find the records that are refused.

    Args:
        batch: A request that is refused.
        refuses: Tells whether a part of it is.

    Returns:
        Their positions; None where there is one record only, it would take too long, or they are refused only together.
    """
    trials = 0

    async def refused(records: Positions, *, known: bool) -> list[int]:
        nonlocal trials
        if not known or len(records) == 1:
            trials += 1
            if trials > MOST_TRIALS or not await refuses(_part(batch, records)):
                return []
        if len(records) == 1:
            return [int(records[0])]
        half = len(records) // 2
        first = await refused(records[:half], known=False)
        return first + await refused(records[half:], known=not first)

    records = _records(batch)
    found = await refused(records, known=True) if len(records) > 1 else []
    return np.array(found, np.intp) if found and trials <= MOST_TRIALS else None


def without(batch: Batch, records: Positions) -> Batch:
    """Take records off a request, and count them as refused."""
    kept = np.ones(sum(_lengths(batch)), np.bool_)
    kept[records] = False
    masks = _masks(batch, kept)
    for kind, mask in zip(batch.points.kinds if batch.points else (), masks, strict=False):
        kind.ids[~mask & (kind.ids >= UNKNOWN)] = UNUSABLE
    batch.rejects.add(REFUSED, len(records))
    return _with_records(batch, masks)


def _part(batch: Batch, records: Positions) -> Batch:
    """Return some records of a request, to be tried without what it says beside them."""
    kept = np.zeros(sum(_lengths(batch)), np.bool_)
    kept[records] = True
    masks = _masks(batch, kept)
    return _with_records(replace(batch, points=batch.points and _points(batch.points, masks)), masks)


def _points(points: Points, masks: Sequence[Mask]) -> Points:
    given = iter(masks)

    def chosen(kinds: Any) -> Any:
        return tuple(kind.part(next(given)) for kind in kinds)

    return Points(  # in the order of `Points.kinds`
        numbers=chosen(points.numbers),
        number_deltas=chosen(points.number_deltas),
        histograms=chosen(points.histograms),
        histogram_deltas=chosen(points.histogram_deltas),
        carriers=chosen(points.carriers),
        info=(),
        families=(),
        hosts=frozenset(),
    )


def _with_records(batch: Batch, masks: Sequence[Mask]) -> Batch:
    """Keep the chosen log records, events, spans and the steps that these tell of."""
    logs, traces = batch.logs, batch.traces
    records, events, fab, spans = masks[-4:]
    chosen = _chosen(traces.spans, spans)
    known = {span_ids(row) for row in chosen} if traces.steps else set()
    return replace(
        batch,
        logs=Logs(
            _chosen(logs.records, records),
            tuple(_chosen(logs.events, events)),
            tuple(_chosen(logs.fab, fab)),
            logs.days,
        ),
        traces=Traces(
            chosen, tuple(step for step in traces.steps if (step.trace_id, step.span_id) in known), traces.days
        ),
    )


def _chosen(of: Sequence[T], mask: Mask) -> list[T]:
    return [*compress(of, mask.tolist())]


def _records(batch: Batch) -> Positions:
    """Return the positions of what is left to be stored."""
    left = [kind.ids >= UNKNOWN for kind in (batch.points.kinds if batch.points else ())]
    others = [np.ones(length, np.bool_) for length in _lengths(batch)[len(left) :]]
    return np.flatnonzero(np.concatenate([*left, *others]))


def _lengths(batch: Batch) -> list[int]:
    kinds = batch.points.kinds if batch.points else ()
    logs = batch.logs
    return [*(len(kind.ids) for kind in kinds), *map(len, (logs.records, logs.events, logs.fab, batch.traces.spans))]


def _masks(batch: Batch, kept: Mask) -> list[Mask]:
    return np.split(kept, [*accumulate(_lengths(batch))][:-1])
