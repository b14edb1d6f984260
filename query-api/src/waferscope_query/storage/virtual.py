"""Explicit-bucket histograms as series of numbers, each with a key of its own.

A key is the stored series of the histogram, and in its lowest bits a code: its sum, its count, or one of its `le`.
"""

import threading
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from waferscope_query.promql.errors import ExecutionError
from waferscope_query.promql.labels import StringPool
from waferscope_query.storage import bucket_kernels as kernels
from waferscope_query.storage.arrays import GrowingArray
from waferscope_query.storage.classic import ClassicPoints
from waferscope_query.storage.runs import Runs

CODE_BITS = 20
CODES = (1 << CODE_BITS) - 1  # the bits of a code
SUM, COUNT, FIRST_BUCKET = range(3)
"""Codes; from FIRST_BUCKET on, the `le` of a bucket."""


class BucketLabels:
    """The values of `le` of a source's histograms, numbered as they come; safe to use from several threads.

    Args:
        pool: Interns the texts.
    """

    def __init__(self, pool: StringPool) -> None:
        self.pool = pool
        self._codes: dict[str, int] = {}
        self._texts = GrowingArray[np.int32](np.int32)
        self._lock = threading.Lock()

    def codes(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Give the code of each text.

        Raises:
            ExecutionError: There are more different ones than codes.
        """
        with self._lock:
            new = [text for text in dict.fromkeys(texts) if text not in self._codes]
            if FIRST_BUCKET + len(self._codes) + len(new) > CODES:
                raise ExecutionError(f"the histograms of this site have more than {CODES - 1} different bounds")
            self._texts.extend(np.array([self.pool.code(text) for text in new], np.int32))
            for text in new:
                self._codes[text] = FIRST_BUCKET + len(self._codes)
            return np.array([self._codes[text] for text in texts], np.int64)

    def texts(self) -> NDArray[np.int32]:
        """int32[k]: the string, as a code of the pool, behind each code from FIRST_BUCKET on."""
        with self._lock:
            return self._texts.view


def exploded(groups: Sequence[ClassicPoints], labels: BucketLabels) -> Runs:
    """Make a series of each sum, count and bucket of histograms.

    Args:
        groups: Each of histograms that share their bounds.
        labels: Numbers the bounds.
    """
    begins = [np.flatnonzero(np.diff(points.series, prepend=-1)) for points in groups]
    columns = [np.append([SUM, COUNT], labels.codes(points.le)) for points in groups]
    wide = [
        (points.series[begin] << CODE_BITS)[:, None] | column
        for points, begin, column in zip(groups, begins, columns, strict=True)
    ]
    keys = np.unique(np.concatenate([np.zeros(0, np.int64), *(one.ravel() for one in wide)]))
    slots = [np.searchsorted(keys, one).astype(np.int64) for one in wide]
    counts = np.zeros(len(keys), np.int64)
    for points, begin, slot in zip(groups, begins, slots, strict=True):
        counts[slot[:, 1:]] += np.diff(begin, append=len(points.ts))[:, None]
        counts[slot[:, 0]] += np.add.reduceat(points.has_sum.astype(np.int64), begin)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    ts, bits = np.empty((2, int(offsets[-1])), np.int64)
    ends, ascending = offsets[:-1].copy(), True
    for points, begin, slot in zip(groups, begins, slots, strict=True):
        numbers = (points.sum.view(np.int64), points.count.view(np.int64), points.buckets.view(np.int64))
        rows = np.append(begin, len(points.ts)).astype(np.int64)
        layout = (rows, points.ts, points.has_sum, *numbers)
        ascending &= kernels.place_columns(*layout, slot, offsets, ends, ts, bits)
    runs = Runs(keys, offsets, ts, bits.view(np.float64))
    return runs if ascending else Runs.of(runs.points(), keys)  # the same bucket in histograms of different bounds
