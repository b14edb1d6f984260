"""Stage 5, render: an answer as the `data` of Prometheus's JSON.

The numbers are written by msgspec as one array, which is many times faster than text by text, and put between their
timestamps by a kernel; what msgspec writes another way than Go (`.0`, exponents, NaN, infinities) is put right there.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import msgspec
import numpy as np
from numpy.typing import NDArray

from waferscope_query.promql.evaluation.kernels import writing
from waferscope_query.promql.evaluation.run import Answer
from waferscope_query.promql.evaluation.values import Scalar, String, Vector
from waferscope_query.promql.histogram_text import json_texts
from waferscope_query.promql.histograms import HistogramCells
from waferscope_query.promql.labels import LabelFrame
from waferscope_query.promql.source import Samples
from waferscope_query.promql.text import json_float_text

_BYTES_OF_POINT, _BYTES_OF_SERIES = 160, 700  # measured: numbers as Python has them, texts, what they become
_PLAIN_FROM, _PLAIN_BELOW = 1e-4, 1e15  # within these msgspec writes no exponent


def render(answer: Answer) -> bytes:
    """The JSON object `{"resultType": …, "result": …}`; series of a matrix are sorted by their labels."""
    value = answer.value
    if isinstance(value, String):
        text = msgspec.json.encode(value.value)
        return b'{"resultType":"string","result":[%s,%s]}' % (_seconds(answer.times)[0], text)
    if isinstance(value, Scalar):
        return _scalar(value, answer)
    if isinstance(value, Samples):
        times, which = np.unique(value.ts, return_inverse=True)
        return _matrix(value.labels, _fields(value.offsets, times, which, value.values, value.histograms))
    if answer.instant:
        return _instant(value, answer.times)
    offsets = np.concatenate([[0], np.cumsum(value.present.sum(axis=1))])
    which = np.nonzero(value.present)[1]
    histograms = None if value.histograms is None else value.histograms.take(value.present)
    return _matrix(value.labels, _fields(offsets, answer.times, which, value.values[value.present], histograms))


def room(answer: Answer) -> int:
    """Bytes that rendering takes at a time, about."""
    value = answer.value
    if isinstance(value, String):
        return len(value.value)
    if isinstance(value, Scalar):
        return _BYTES_OF_POINT * len(value.values)
    points = len(value.ts) if isinstance(value, Samples) else int(value.present.sum())
    return _BYTES_OF_POINT * points + _BYTES_OF_SERIES * len(value.labels)


def _scalar(value: Scalar, answer: Answer) -> bytes:
    if not answer.instant:
        which = np.arange(len(answer.times))
        points = _points(np.array([0, len(which)]), answer.times, which, value.values)
        return _result(b"matrix", [b'{"metric":{},"values":[%s]}' % points[0]])
    text = json_float_text(float(value.values[0])).encode()
    return b'{"resultType":"scalar","result":[%s,"%s"]}' % (_seconds(answer.times)[0], text)


def _instant(vector: Vector, times: NDArray[np.int64]) -> bytes:
    time = _seconds(times)[0]
    points = [b'"value":[%s,"%s"]' % (time, json_float_text(value).encode()) for value in vector.values[:, 0].tolist()]
    if vector.histograms is not None:
        at = vector.histograms.at[:, 0]
        found = np.flatnonzero(at >= 0)
        for row, text in zip(found.tolist(), json_texts(vector.histograms.table, at[found]), strict=True):
            points[row] = b'"histogram":[%s,%s]' % (time, text)
    rows = zip(metrics_of(vector.labels), points, strict=True)
    return _result(b"vector", [b'{"metric":%s,%s}' % row for row in rows])


def _matrix(labels: LabelFrame, fields: list[bytes]) -> bytes:
    metrics = metrics_of(labels)
    return matrix((metrics[row], fields[row]) for row in labels.order())


def matrix(series: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The result of a range query: each series' labels as an object, and its points as fields."""
    return _result(b"matrix", [b'{"metric":%s,%s}' % one for one in series])


def _fields(
    offsets: NDArray[np.int64],
    times: NDArray[np.int64],
    which: NDArray[np.int64],
    values: NDArray[np.float64],
    histograms: HistogramCells | None,
) -> list[bytes]:
    """The points of each series, floats and histograms apart, as fields of its object."""
    if histograms is None:
        return [b'"values":[%s]' % points for points in _points(offsets, times, which, values)]
    is_float = histograms.at < 0
    kept = np.concatenate([[0], np.cumsum(is_float)])[offsets]
    floats = _points(kept, times, which[is_float], values[is_float])
    texts = json_texts(histograms.table, histograms.at[~is_float])
    seconds = _seconds(times)
    points = [b"[%s,%s]" % (seconds[time], text) for time, text in zip(which[~is_float].tolist(), texts, strict=True)]
    return [
        b",".join(
            [b'"values":[%s]' % listed] * bool(listed)
            + [b'"histograms":[%s]' % b",".join(points[first:last])] * (last > first)
        )
        for listed, (first, last) in zip(floats, pairwise((offsets - kept).tolist()), strict=True)
    ]


def _result(kind: bytes, items: list[bytes]) -> bytes:
    return b'{"resultType":"%s","result":[%s]}' % (kind, b",".join(items))


def metrics_of(labels: LabelFrame) -> list[bytes]:
    """Each label set as a JSON object."""
    return [msgspec.json.encode(row) for row in labels.rows()]


def _points(
    offsets: NDArray[np.int64], times: NDArray[np.int64], which: NDArray[np.int64], values: NDArray[np.float64]
) -> list[bytes]:
    """The points of each series as `[time,"value"],…`; point k lies at times[which[k]]."""
    text, ends = written(times, which, values)
    bounds = np.concatenate([[0], ends])[offsets].tolist()
    return [text[first : max(first, last - 1)] for first, last in pairwise(bounds)]


def written(
    times: NDArray[np.int64], which: NDArray[np.int64], values: NDArray[np.float64]
) -> tuple[bytes, NDArray[np.int64]]:
    """Points as `[time,"value"],` one after the other, and where each ends; point k lies at times[which[k]]."""
    if not len(values):
        return b"", np.zeros(0, np.int64)
    numbers = msgspec.json.encode(values.tolist())[1:-1] + b","
    size = np.abs(values)
    special = ~((size == 0) | ((size >= _PLAIN_FROM) & (size < _PLAIN_BELOW)))
    texts, text_ends = _joined([json_float_text(value).encode() for value in values[special].tolist()])
    heads, head_ends = _joined([b'[%s,"' % time for time in _seconds(times)])
    longest = int(np.diff(head_ends, prepend=0).max()) + 3
    out = np.empty(len(numbers) + len(texts) + longest * len(values), np.uint8)
    ends = np.zeros(len(values), np.int64)
    writing.points(_bytes(numbers), special, texts, text_ends, heads, head_ends, which.astype(np.int64), out, ends)
    return out[: ends[-1]].tobytes(), ends


def _joined(texts: list[bytes]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Texts one after the other, and where each ends."""
    return _bytes(b"".join(texts)), np.cumsum([len(text) for text in texts], dtype=np.int64)


def _bytes(text: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(text, np.uint8)


def _seconds(ts: NDArray[np.int64]) -> list[bytes]:
    """Timestamps as Prometheus writes them: three decimals, or none."""
    return [_second(time) for time in ts.tolist()]


def _second(time_ms: int) -> bytes:
    whole, rest = divmod(abs(time_ms), 1000)
    sign = b"-" if time_ms < 0 else b""
    return b"%s%d.%03d" % (sign, whole, rest) if rest else b"%s%d" % (sign, whole)
