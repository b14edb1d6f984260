"""limitk and limit_ratio: some series of many."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from waferscope_query.promql.errors import ExecutionError
from waferscope_query.promql.evaluation.context import Context
from waferscope_query.promql.evaluation.grouping import Rows, ordered_groups
from waferscope_query.promql.evaluation.kernels import groups, hashing
from waferscope_query.promql.evaluation.values import Vector
from waferscope_query.promql.labels import LabelFrame
from waferscope_query.promql.parsing.tree import Aggregate, unwrap
from waferscope_query.promql.text import general_text

_LARGEST_HASH = float(2**64 - 1)
_SHORT = 255


def limit_number(vector: Vector, ids: Rows, count: int, wanted: NDArray[np.int64], context: Context) -> Vector:
    """Keep the first `wanted` int64[s] series of each group that are present."""
    context.control.check()
    kept = np.zeros_like(vector.present)
    order, bounds = ordered_groups(ids, count)
    groups.foremost(vector.present, order, bounds, wanted, kept)
    return replace(vector, present=kept)


def limit_ratio(node: Aggregate, vector: Vector, context: Context) -> Vector:
    """Keep the share of series whose hash lies below the ratio, or above its complement where it is negative.

    Raises:
        ExecutionError: The ratio is no number.
    """
    assert node.param is not None
    ratio, start = context.scalar(node.param), unwrap(node.param).start
    if np.isnan(ratio).any():
        raise ExecutionError("Ratio value is NaN")
    for extreme, limit in ((float(ratio.max(initial=0)), 1.0), (float(ratio.min(initial=0)), -1.0)):
        if abs(extreme) > 1 and extreme * limit > 0:
            text = f"ratio value should be between -1 and 1, got {general_text(extreme)}"
            context.notes.warn(f"{text}, capping to {general_text(limit)}", start)
    places = _places(vector.labels)[:, np.newaxis]
    ratio = np.clip(ratio, -1, 1)
    chosen = np.where(ratio >= 0, places < ratio, places >= 1 + ratio) & (ratio != 0)
    return replace(vector, present=vector.present & chosen)


def _places(labels: LabelFrame) -> NDArray[np.float64]:
    """float64[n], 0 to 1: where each label set's hash lies, as Prometheus hashes it."""
    texts = [_bytes_of(row) for row in labels.rows()]
    ends = np.cumsum([len(text) for text in texts], dtype=np.int64)
    data = np.frombuffer(b"".join(texts), np.uint8)
    hashes = np.zeros(len(texts), np.uint64)
    hashing.xxh64(data, np.concatenate([np.zeros(1, np.int64), ends]), hashes)
    return hashes.astype(np.float64) / _LARGEST_HASH


def _bytes_of(row: dict[str, str]) -> bytes:
    """A label set as Prometheus holds it: names and values, each behind its length."""
    pieces = (text.encode() for label in row.items() for text in label)
    return b"".join(_length(len(piece)) + piece for piece in pieces)


def _length(size: int) -> bytes:
    return bytes([size]) if size < _SHORT else bytes([_SHORT]) + size.to_bytes(3, "little")
