"""NumberDataPoints to arrays.

Source: opentelemetry/proto/metrics/v1/metrics.proto, message NumberDataPoint.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from waferscope_collector.wire.compiling import kernel
from waferscope_collector.wire.hashing import absorbed, finished
from waferscope_collector.wire.metrics import OddError
from waferscope_collector.wire.reading import FIXED64, LENGTH, VARINT, Bytes, field, fixed64, varint

STALE = 0x7FF0000000000002  # Prometheus's stale marker: the bits of a NaN

_START, _TIME, _DOUBLE, _EXEMPLAR, _INT, _ATTRIBUTE, _FLAGS = 2, 3, 4, 5, 6, 7, 8


@dataclass(frozen=True, slots=True)
class NumberPoints:
    """One entry per data point, in their order."""

    keys: NDArray[np.uint64]  # (points, 2): the series
    times: NDArray[np.uint64]  # Unix time, ns
    starts: NDArray[np.uint64]  # Unix time, ns; 0: unknown
    values: NDArray[np.float64]  # stale markers by their bits
    has_value: NDArray[np.bool_]
    exemplars: NDArray[np.int32]  # how many


def number_points(
    data: Bytes, points: NDArray[np.int64], metrics: NDArray[np.int64], keys: NDArray[np.uint64]
) -> NumberPoints:
    """Read data points.

    Args:
        data: The request.
        points: (points, 2): where they begin and end.
        metrics: (points,): the metric of each.
        keys: (metrics, 2): the hash that each metric's points go on from.

    Raises:
        OddError: A point is written in an unusual way, or none.
    """
    fine, *arrays = _read(data, points, metrics, keys)
    if not fine:
        raise OddError
    return NumberPoints(*arrays)


@kernel
def _read(data, points, metrics, keys):
    count = len(points)
    known = np.empty((count, 2), np.uint64)
    times, starts = np.zeros(count, np.uint64), np.zeros(count, np.uint64)
    bits = np.zeros(count, np.uint64)
    values = bits.view(np.float64)
    has_value = np.zeros(count, np.bool_)
    exemplars = np.zeros(count, np.int32)
    for index in range(count):
        at, end = points[index, 0], points[index, 1]
        high, low = keys[metrics[index], 0], keys[metrics[index], 1]
        stale = False
        while at < end:
            number, kind, begin, at = field(data, at, end)
            if at < 0:
                return False, known, times, starts, values, has_value, exemplars
            if number == _ATTRIBUTE and kind == LENGTH:
                high, low = absorbed(high, low, data, begin, at)
            elif number == _TIME and kind == FIXED64:
                times[index] = fixed64(data, begin)
            elif number == _DOUBLE and kind == FIXED64:
                bits[index] = fixed64(data, begin)
                has_value[index] = True
            elif number == _INT and kind == FIXED64:
                values[index] = np.float64(np.int64(fixed64(data, begin)))
                has_value[index] = True
            elif number == _START and kind == FIXED64:
                starts[index] = fixed64(data, begin)
            elif number == _FLAGS and kind == VARINT:
                flags, _ = varint(data, begin, at)
                stale = bool(flags & 1)
            elif number == _EXEMPLAR and kind == LENGTH:
                exemplars[index] += 1
            elif _START <= number <= _FLAGS:
                return False, known, times, starts, values, has_value, exemplars
        if stale:
            bits[index] = STALE
            has_value[index] = True
        known[index, 0], known[index, 1] = finished(high, low)
    return True, known, times, starts, values, has_value, exemplars
