"""Where everything is in an ExportMetricsServiceRequest, down to the data points.

Source: opentelemetry/proto/metrics/v1/metrics.proto and the messages it uses.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from waferscope_collector.wire.arrays import roomy
from waferscope_collector.wire.compiling import kernel
from waferscope_collector.wire.hashing import absorbed, finished, mixed
from waferscope_collector.wire.reading import LENGTH, VARINT, Bytes, field, varint

GAUGE, SUM, HISTOGRAM, EXPONENTIAL, SUMMARY = 5, 7, 9, 10, 11  # fields of Metric
CUMULATIVE, DELTA = 2, 1  # AggregationTemporality

# Columns of Layout.metrics.
SCOPE, NAME, NAME_END, UNIT, UNIT_END, HELP, HELP_END, KIND, TEMPORALITY, MONOTONIC, FIRST, LAST = range(12)

_FINE, _ODD, _MALFORMED = 0, 1, 2
_ROOM = 64  # rows to begin with


class OddError(Exception):
    """The bytes are a valid request written in an unusual way, or none: a full parser shall tell and rewrite them."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Positions in a request's bytes."""

    resources: NDArray[np.int64]  # (resources, 2): begin and end of each Resource
    scopes: NDArray[np.int64]  # (scopes, 3): begin and end of each InstrumentationScope, number of its resource
    metrics: NDArray[np.int64]  # (metrics, 12): see the columns above; FIRST to LAST (without) are its points
    points: NDArray[np.int64]  # (points, 2): begin and end of each data point
    keys: NDArray[np.uint64]  # (metrics, 2): state of the hash of resource, name, unit and kind


def layout(data: Bytes, seed: tuple[int, int]) -> Layout:
    """Find the parts of a request.

    Args:
        data: The body.
        seed: Two numbers of 64 bits; equal seeds give equal keys.

    Raises:
        OddError: The body is no request in the usual form.
    """
    state, resources, scopes, metrics, points, keys = _layout(data, np.uint64(seed[0]), np.uint64(seed[1]))
    if state != _FINE:
        raise OddError
    return Layout(resources, scopes, metrics, points, keys)


@kernel
def _layout(data, high, low):
    resources = np.zeros((_ROOM, 2), np.int64)
    scopes = np.zeros((_ROOM, 3), np.int64)
    metrics = np.zeros((_ROOM, 12), np.int64)
    points = np.zeros((_ROOM, 2), np.int64)
    count_r = count_s = count_m = count_p = 0
    state, at, end = _FINE, 0, len(data)
    while at < end and state == _FINE:
        number, kind, begin, at = field(data, at, end)
        if at < 0:
            state = _MALFORMED
            break
        if number != 1:
            continue
        if kind != LENGTH:
            state = _ODD
            break
        resources = roomy(resources, count_r)
        resources[count_r] = 0
        inner, inner_end = begin, at
        while inner < inner_end and state == _FINE:
            number, kind, begin, inner = field(data, inner, inner_end)
            if inner < 0:
                state = _MALFORMED
            elif number == 1:
                if kind != LENGTH or resources[count_r, 1]:
                    state = _ODD
                resources[count_r, 0], resources[count_r, 1] = begin, inner
            elif number == 2:
                if kind != LENGTH:
                    state = _ODD
                scopes = roomy(scopes, count_s)
                state, metrics, count_m, points, count_p = _scope(
                    data, begin, inner, scopes, count_s, metrics, count_m, points, count_p
                )
                scopes[count_s, 2] = count_r
                count_s += 1
        count_r += 1
    resources, scopes, metrics, points = resources[:count_r], scopes[:count_s], metrics[:count_m], points[:count_p]
    keys = np.empty((count_m, 2), np.uint64)
    if state == _FINE:
        _hash(data, resources, scopes, metrics, keys, high, low)
    return state, resources, scopes, metrics, points, keys


@kernel
def _scope(data, at, end, scopes, count_s, metrics, count_m, points, count_p):
    state = _FINE
    scopes[count_s] = 0
    while at < end and state == _FINE:
        number, kind, begin, at = field(data, at, end)
        if at < 0:
            state = _MALFORMED
        elif number == 1:
            if kind != LENGTH or scopes[count_s, 1]:
                state = _ODD
            scopes[count_s, 0], scopes[count_s, 1] = begin, at
        elif number == 2:
            if kind != LENGTH:
                state = _ODD
            metrics = roomy(metrics, count_m)
            metrics[count_m] = 0
            metrics[count_m, SCOPE] = count_s
            metrics[count_m, FIRST] = count_p
            state, points, count_p = _metric(data, begin, at, metrics[count_m], points, count_p)
            metrics[count_m, LAST] = count_p
            count_m += 1
    return state, metrics, count_m, points, count_p


@kernel
def _metric(data, at, end, metric, points, count_p):
    state = _FINE
    while at < end and state == _FINE:
        number, kind, begin, at = field(data, at, end)
        if at < 0:
            state = _MALFORMED
        elif 1 <= number <= 3:
            column = NAME if number == 1 else HELP if number == 2 else UNIT
            if kind != LENGTH or metric[column + 1]:
                state = _ODD
            metric[column], metric[column + 1] = begin, at
        elif number in (GAUGE, SUM, HISTOGRAM, EXPONENTIAL, SUMMARY):
            if kind != LENGTH or metric[KIND]:
                state = _ODD
            metric[KIND] = number
            inner = begin
            while inner < at and state == _FINE:
                number, kind, begin, inner = field(data, inner, at)
                if inner < 0:
                    state = _MALFORMED
                elif number == 1:
                    if kind != LENGTH:
                        state = _ODD
                    points = roomy(points, count_p)
                    points[count_p, 0], points[count_p, 1] = begin, inner
                    count_p += 1
                elif number in (2, 3):
                    if kind != VARINT:
                        state = _ODD
                    value, _ = varint(data, begin, inner)
                    metric[TEMPORALITY if number == 2 else MONOTONIC] = value
    return state, points, count_p


@kernel
def _hash(data, resources, scopes, metrics, keys, high, low):
    known = np.empty((len(resources), 2), np.uint64)
    for index in range(len(resources)):
        first, second = absorbed(high, low, data, resources[index, 0], resources[index, 1])
        known[index, 0], known[index, 1] = finished(first, second)
    for index in range(len(metrics)):
        metric = metrics[index]
        resource = known[scopes[metric[SCOPE], 2]]
        first, second = mixed(high, low, resource[0], resource[1])
        first, second = absorbed(first, second, data, metric[NAME], metric[NAME_END])
        first, second = absorbed(first, second, data, metric[UNIT], metric[UNIT_END])
        kind = np.uint64(metric[KIND]) | np.uint64(metric[TEMPORALITY] & 0xFF) << np.uint64(8)
        keys[index, 0], keys[index, 1] = mixed(first, second, kind, np.uint64(metric[MONOTONIC] & 1))
