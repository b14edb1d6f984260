# ruff: noqa: PLR0917 - compiled code takes its arrays by position
"""Tables of histograms turned into columns, compiled."""

import numpy as np
from numpy.typing import NDArray

from waferscope_query.promql.evaluation.kernels.compiling import kernel
from waferscope_query.promql.evaluation.kernels.types import Bools, Ints


@kernel
def place_columns(
    rows: Ints,
    ts: Ints,
    has_sum: Bools,
    sums: Ints,
    counts: Ints,
    buckets: NDArray[np.int64],
    slots: NDArray[np.int64],
    offsets: Ints,
    ends: Ints,
    out_ts: Ints,
    out_bits: Ints,
) -> bool:
    """Put the sum, the count and each bucket of histograms where their slots go on.

    Args:
        rows: int64[s + 1]; series i owns the histograms rows[i] to rows[i + 1].
        ts: int64[n], ascending within a series.
        has_sum: bool[n]; where it is false, there is no sum.
        sums: int64[n], bits.
        counts: int64[n], bits.
        buckets: int64[n, b], bits.
        slots: int64[s, 2 + b]: of the sum, the count and the buckets of each series.
        offsets: int64[k]: where each slot begins.
        ends: int64[k]: how far each slot is filled; grows.
        out_ts: Filled.
        out_bits: Filled.

    Returns:
        Whether the times of each slot ascend.
    """
    ascending = True
    for i in range(len(slots)):
        first, last = rows[i], rows[i + 1]
        for column in range(slots.shape[1]):
            slot = slots[i, column]
            at = ends[slot]
            begun = at > offsets[slot]
            for row in range(first, last):
                if column == 0 and not has_sum[row]:
                    continue
                if begun and out_ts[at - 1] >= ts[row]:
                    ascending = False
                begun = True
                out_ts[at] = ts[row]
                if column == 0:
                    out_bits[at] = sums[row]
                elif column == 1:
                    out_bits[at] = counts[row]
                else:
                    out_bits[at] = buckets[row, column - 2]
                at += 1
            ends[slot] = at
    return ascending
