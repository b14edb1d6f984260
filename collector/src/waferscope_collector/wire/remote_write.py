"""Prometheus remote write, 1.0 and 2.0, to arrays of samples.

Source: Prometheus remote-write specifications 1.0 and 2.0, their protobuf messages WriteRequest and Request.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from waferscope_collector.wire.arrays import roomy
from waferscope_collector.wire.compiling import kernel
from waferscope_collector.wire.hashing import absorbed, finished, mixed
from waferscope_collector.wire.metrics import OddError
from waferscope_collector.wire.reading import FIXED64, LENGTH, VARINT, Bytes, field, fixed64, varint

_V1, _V2 = 1, 2
_ROOM = 64  # rows to begin with
# Fields of a series: labels, samples, exemplars and histograms, and when it was created (2.0 only).
_LABELS, _SAMPLES, _CREATED = 1, 2, 6


@dataclass(frozen=True, slots=True)
class Written:
    """What a request holds."""

    series: NDArray[np.int64]  # (series, 4): begin, end, created (Unix time, ms; 0: unknown), OTHERS
    keys: NDArray[np.uint64]  # (series, 2): equal keys mean equal labels
    sample_of: NDArray[np.int64]  # (samples,): the series of each
    times: NDArray[np.int64]  # (samples,): Unix time, ms
    starts: NDArray[np.int64]  # (samples,): Unix time, ms; 0: unknown
    values: NDArray[np.float64]  # (samples,): stale markers by their bits
    symbols: NDArray[np.int64]  # (symbols, 2): begin and end of each (2.0 only)
    rest: NDArray[np.int64]  # (others, 2): begin and end of each metadata (1.0 only)


OTHERS = 3  # column of `series`: whether there are exemplars or histograms


def written(data: Bytes, version: int, seed: tuple[int, int]) -> Written:
    """Find the parts of a request, and read its samples.

    Args:
        data: The body.
        version: 1 or 2.
        seed: Two numbers of 64 bits; equal seeds give equal keys.

    Raises:
        OddError: The body is no request in the usual form.
    """
    fine, series, symbols, rest = _parts(data, version)
    if not fine:
        raise OddError
    fine, keys, sample_of, times, starts, values = _samples(
        data, version, series, symbols, np.uint64(seed[0]), np.uint64(seed[1])
    )
    if not fine:
        raise OddError
    return Written(series, keys, sample_of, times, starts, values, symbols, rest)


@kernel
def _parts(data, version):
    series, symbols, rest = np.zeros((_ROOM, 4), np.int64), np.zeros((_ROOM, 2), np.int64), np.zeros((8, 2), np.int64)
    count_t = count_s = count_r = at = 0
    where = 1 if version == _V1 else 5
    fine = True
    while at < len(data) and fine:
        number, kind, begin, at = field(data, at, len(data))
        if at < 0:
            fine = False
        elif number == where:
            fine = kind == LENGTH
            series = roomy(series, count_t)
            series[count_t] = 0
            series[count_t, 0], series[count_t, 1] = begin, at
            count_t += 1
        elif version == _V1 and number == 3:
            fine = kind == LENGTH
            rest = roomy(rest, count_r)
            rest[count_r, 0], rest[count_r, 1] = begin, at
            count_r += 1
        elif version == _V2 and number == 4:
            fine = kind == LENGTH
            symbols = roomy(symbols, count_s)
            symbols[count_s, 0], symbols[count_s, 1] = begin, at
            count_s += 1
    return fine, series[:count_t], symbols[:count_s], rest[:count_r]


@kernel
def _samples(data, version, series, symbols, high, low):
    keys = np.empty((len(series), 2), np.uint64)
    known = np.empty((len(symbols), 2), np.uint64)
    for index in range(len(symbols)):
        first, second = absorbed(high, low, data, symbols[index, 0], symbols[index, 1])
        known[index, 0], known[index, 1] = finished(first, second)
    # A row: series, time, start, bits of the value.
    rows = np.zeros((max(_ROOM, len(series)), 4), np.int64)
    count = 0
    fine = True
    for index in range(len(series)):
        at, end = series[index, 0], series[index, 1]
        first, second = high, low
        while at < end and fine:
            number, kind, begin, at = field(data, at, end)
            if at < 0:
                fine = False
            elif number == _LABELS:
                if version == _V1:
                    fine = kind == LENGTH
                    first, second = absorbed(first, second, data, begin, at)
                    continue
                if kind != LENGTH:
                    fine = False
                    break
                count_l = 0
                while begin < at and fine:
                    reference, begin = varint(data, begin, at)
                    count_l += 1
                    fine = begin > 0 and 0 <= reference < len(symbols)
                    if fine:
                        first, second = mixed(first, second, known[reference, 0], known[reference, 1])
                fine = fine and count_l % 2 == 0
            elif number == _SAMPLES:
                if kind != LENGTH:
                    fine = False
                    break
                rows = roomy(rows, count)
                rows[count] = 0
                rows[count, 0] = index
                fine = _sample(data, begin, at, rows[count])
                count += 1
            elif version == _V2 and number == _CREATED and kind == VARINT:
                series[index, 2], _ = varint(data, begin, at)
            elif number in (3, 4):
                series[index, OTHERS] = 1
        keys[index, 0], keys[index, 1] = finished(first, second)
    rows = rows[:count]
    return fine, keys, rows[:, 0].copy(), rows[:, 1].copy(), rows[:, 2].copy(), rows[:, 3].copy().view(np.float64)


@kernel
def _sample(data, at, end, row):
    while at < end:
        number, kind, begin, at = field(data, at, end)
        if at < 0:
            return False
        if number == 1 and kind == FIXED64:
            row[3] = np.int64(fixed64(data, begin))
        elif number in (2, 3) and kind == VARINT:
            value, _ = varint(data, begin, at)
            row[number - 1] = value
        elif number in (1, 2, 3):
            return False
    return True
