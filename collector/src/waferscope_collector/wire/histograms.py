"""HistogramDataPoints, which have explicit bounds, to arrays.

Source: opentelemetry/proto/metrics/v1/metrics.proto, message HistogramDataPoint.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from waferscope_collector.wire.compiling import kernel
from waferscope_collector.wire.hashing import absorbed, finished
from waferscope_collector.wire.metrics import OddError
from waferscope_collector.wire.reading import FIXED64, LENGTH, VARINT, Bytes, field, fixed64, varint

_START, _TIME, _COUNT, _SUM, _COUNTS, _BOUNDS, _EXEMPLAR, _ATTRIBUTE, _FLAGS, _MIN, _MAX = range(2, 13)

HAS_SUM, HAS_MIN, HAS_MAX = 1, 2, 4  # bits of `has`
FINE, STALE, UNFIT = 0, 1, 2  # of `states`; unfit: the buckets do not fit the bounds, or these don't rise


@dataclass(frozen=True, slots=True)
class HistogramPoints:
    """One entry per data point, in their order."""

    keys: NDArray[np.uint64]  # (points, 2): the series
    times: NDArray[np.uint64]  # Unix time, ns
    starts: NDArray[np.uint64]  # Unix time, ns; 0: unknown
    scalars: NDArray[np.float64]  # (points, 4): count, sum, min, max
    has: NDArray[np.uint8]  # which of sum, min and max are there
    states: NDArray[np.uint8]
    exemplars: NDArray[np.int32]  # how many
    counts: NDArray[np.float64]  # of all buckets of all points
    counts_at: NDArray[np.int64]  # (points + 1,): where the buckets of each point begin
    bounds: NDArray[np.float64]  # upper bounds of all buckets but the last one of each point
    bounds_at: NDArray[np.int64]  # (points + 1,)


def histogram_points(
    data: Bytes, points: NDArray[np.int64], metrics: NDArray[np.int64], keys: NDArray[np.uint64]
) -> HistogramPoints:
    """Read data points.

    Args:
        data: The request.
        points: (points, 2): where they begin and end.
        metrics: (points,): the metric of each.
        keys: (metrics, 2): the hash that each metric's points go on from.

    Raises:
        OddError: A point is written in an unusual way, or none.
    """
    fine, places, *scalars = _read(data, points, metrics, keys)
    if not fine:
        raise OddError
    return HistogramPoints(*scalars, *_buckets(data, places, scalars[3], scalars[5]))


@kernel
def _read(data, points, metrics, keys):
    count = len(points)
    places = np.zeros((count, 4), np.int64)  # of counts and bounds
    known = np.empty((count, 2), np.uint64)
    times, starts = np.zeros(count, np.uint64), np.zeros(count, np.uint64)
    bits = np.zeros((count, 4), np.uint64)
    scalars = bits.view(np.float64)
    has, states = np.zeros(count, np.uint8), np.zeros(count, np.uint8)
    exemplars = np.zeros(count, np.int32)
    fine = True
    for index in range(count):
        at, end = points[index, 0], points[index, 1]
        high, low = keys[metrics[index], 0], keys[metrics[index], 1]
        while at < end and fine:
            number, kind, begin, at = field(data, at, end)
            if at < 0:
                fine = False
            elif number == _ATTRIBUTE and kind == LENGTH:
                high, low = absorbed(high, low, data, begin, at)
            elif number == _TIME and kind == FIXED64:
                times[index] = fixed64(data, begin)
            elif number == _START and kind == FIXED64:
                starts[index] = fixed64(data, begin)
            elif number == _COUNT and kind == FIXED64:
                scalars[index, 0] = np.float64(fixed64(data, begin))
            elif number == _SUM and kind == FIXED64:
                bits[index, 1] = fixed64(data, begin)
                has[index] |= HAS_SUM
            elif number in (_MIN, _MAX) and kind == FIXED64:
                bits[index, 2 if number == _MIN else 3] = fixed64(data, begin)
                has[index] |= HAS_MIN if number == _MIN else HAS_MAX
            elif number in (_COUNTS, _BOUNDS) and kind == LENGTH:
                column = 0 if number == _COUNTS else 2
                if (at - begin) % 8 or places[index, column + 1]:
                    fine = False
                places[index, column], places[index, column + 1] = begin, at
            elif number == _FLAGS and kind == VARINT:
                flags, _ = varint(data, begin, at)
                states[index] = flags & 1
            elif number == _EXEMPLAR and kind == LENGTH:
                exemplars[index] += 1
            elif _START <= number <= _MAX:
                fine = False
        known[index, 0], known[index, 1] = finished(high, low)
    return fine, places, known, times, starts, scalars, has, states, exemplars


@kernel
def _buckets(data, places, scalars, states):
    """Read the buckets; a point that has none at all counts in a single one."""
    count = len(places)
    counts_at, bounds_at = np.zeros(count + 1, np.int64), np.zeros(count + 1, np.int64)
    for index in range(count):
        buckets = (places[index, 1] - places[index, 0]) // 8
        bounds = (places[index, 3] - places[index, 2]) // 8
        if states[index] == FINE:
            if bounds and buckets == bounds + 1 and np.isinf(_float(data, places[index, 3] - 8)):
                bounds -= 1  # an explicit bound of +Inf: what is over it, nothing, belongs to the bucket below
                buckets -= 1
            elif not bounds and not buckets:
                buckets = 1
            if buckets != bounds + 1 or not _rise(data, places[index, 2], bounds):
                states[index] = UNFIT
        keep = states[index] == FINE
        counts_at[index + 1] = counts_at[index] + (buckets if keep else 0)
        bounds_at[index + 1] = bounds_at[index] + (bounds if keep else 0)
    counts, bounds_found = np.empty(counts_at[-1]), np.empty(bounds_at[-1])
    for index in range(count):
        begin, size = counts_at[index], counts_at[index + 1] - counts_at[index]
        given = (places[index, 1] - places[index, 0]) // 8
        for number in range(size):
            counts[begin + number] = (
                np.float64(fixed64(data, places[index, 0] + 8 * number)) if given else scalars[index, 0]
            )
        if size and given > size:
            counts[begin + size - 1] += np.float64(fixed64(data, places[index, 0] + 8 * size))
        begin = bounds_at[index]
        for number in range(bounds_at[index + 1] - begin):
            bounds_found[begin + number] = _float(data, places[index, 2] + 8 * number)
    return counts, counts_at, bounds_found, bounds_at


@kernel
def _float(data, at):
    return np.uint64(fixed64(data, at)).view(np.float64)


@kernel
def _rise(data, at, count):
    """Tell whether bounds are finite and rise."""
    before = -np.inf
    for number in range(count):
        bound = _float(data, at + 8 * number)
        if not before < bound < np.inf:
            return False
        before = bound
    return True
