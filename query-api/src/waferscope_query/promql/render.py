"""Stage 5, render: an answer as the `data` of Prometheus's JSON.

The numbers are written by orjson as one array, which is many times faster than text by text; what it writes another
way than Go (integers with `.0`, exponents, NaN and infinities) is put right afterwards.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import orjson
from numpy.typing import NDArray

from waferscope_query.promql.evaluation.run import Answer
from waferscope_query.promql.evaluation.values import Scalar, String, Vector
from waferscope_query.promql.labels import LabelFrame
from waferscope_query.promql.source import Samples
from waferscope_query.promql.text import json_float_text

_PLAIN_FROM, _PLAIN_BELOW = 1e-4, 1e15  # within these orjson writes no exponent
_BETWEEN = b'"],'


def render(answer: Answer) -> bytes:
    """The JSON object `{"resultType": …, "result": …}`; series of a matrix are sorted by their labels."""
    value = answer.value
    if isinstance(value, String):
        return b'{"resultType":"string","result":[%s,%s]}' % (_seconds(answer.times)[0], orjson.dumps(value.value))
    if isinstance(value, Scalar):
        return _scalar(value, answer)
    if isinstance(value, Samples):
        return _matrix(value)
    if answer.instant:
        return _instant(value, answer.times)
    return _matrix(_as_samples(value, answer.times))


def _scalar(value: Scalar, answer: Answer) -> bytes:
    if not answer.instant:
        offsets = np.array([0, len(answer.times)])
        return _result(b"matrix", [b'{"metric":{},"values":[%s]}' % _points(offsets, answer.times, value.values)[0]])
    text = _texts(value.values)[0]
    return b'{"resultType":"scalar","result":[%s,"%s"]}' % (_seconds(answer.times)[0], text)


def _instant(vector: Vector, times: NDArray[np.int64]) -> bytes:
    time = _seconds(times)[0]
    rows = zip(_metrics(vector.labels), _texts(vector.values[:, 0]), strict=True)
    return _result(b"vector", [b'{"metric":%s,"value":[%s,"%s"]}' % (metric, time, text) for metric, text in rows])


def _matrix(samples: Samples) -> bytes:
    points = _points(samples.offsets, samples.ts, samples.values)
    metrics = _metrics(samples.labels)
    return _result(
        b"matrix",
        [b'{"metric":%s,"values":[%s]}' % (metrics[row], points[row]) for row in _sorted_rows(samples.labels)],
    )


def _result(kind: bytes, items: list[bytes]) -> bytes:
    return b'{"resultType":"%s","result":[%s]}' % (kind, b",".join(items))


def _as_samples(vector: Vector, times: NDArray[np.int64]) -> Samples:
    offsets = np.concatenate([[0], np.cumsum(vector.present.sum(axis=1))]).astype(np.int64)
    ts = np.broadcast_to(times, vector.present.shape)[vector.present]
    return Samples(vector.labels, offsets, ts, vector.values[vector.present])


def _metrics(labels: LabelFrame) -> list[bytes]:
    """Each label set as a JSON object."""
    return [orjson.dumps(row) for row in labels.rows()]


def _sorted_rows(labels: LabelFrame) -> list[int]:
    """Rows in Prometheus's order of label sets: name by name, value by value, the shorter set first."""
    keys = [list(row.items()) for row in labels.rows()]
    return sorted(range(len(keys)), key=keys.__getitem__)


def _points(offsets: NDArray[np.int64], ts: NDArray[np.int64], values: NDArray[np.float64]) -> list[bytes]:
    """The samples of each series as `[time,"value"],…`."""
    distinct, which = np.unique(ts, return_inverse=True)
    heads = np.array([_BETWEEN + b"[" + time + b',"' for time in _seconds(distinct)], object)
    pieces = np.empty(2 * len(ts), object)
    pieces[0::2] = heads[which]
    pieces[1::2] = _texts(values)
    series = [b"".join(pieces[2 * first : 2 * last].tolist()) for first, last in pairwise(offsets.tolist())]
    return [text[len(_BETWEEN) :] + b'"]' for text in series]


def _seconds(ts: NDArray[np.int64]) -> list[bytes]:
    """Timestamps as Prometheus writes them: three decimals, or none."""
    return [_second(time) for time in ts.tolist()]


def _second(time_ms: int) -> bytes:
    whole, rest = divmod(abs(time_ms), 1000)
    sign = b"-" if time_ms < 0 else b""
    return b"%s%d.%03d" % (sign, whole, rest) if rest else b"%s%d" % (sign, whole)


def _texts(values: NDArray[np.float64]) -> list[bytes]:
    """Each value as Go writes it."""
    if not len(values):
        return []
    dumped = orjson.dumps(np.ascontiguousarray(values), option=orjson.OPT_SERIALIZE_NUMPY)
    texts = (dumped[1:-1] + b",").replace(b".0,", b",")[:-1].split(b",")
    size = np.abs(values)
    plain = (size == 0) | ((size >= _PLAIN_FROM) & (size < _PLAIN_BELOW))
    for index in np.flatnonzero(~plain).tolist():
        texts[index] = json_float_text(float(values[index])).encode()
    return texts
