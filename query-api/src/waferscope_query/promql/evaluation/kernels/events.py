# ruff: noqa: PLR0917 - compiled code takes its arrays by position
"""Counting what happened between samples: resets and changes."""

from __future__ import annotations

import math

from waferscope_query.promql.evaluation.kernels.compiling import kernel
from waferscope_query.promql.evaluation.kernels.steps import advance
from waferscope_query.promql.evaluation.kernels.types import Bools, Floats, Ints


@kernel
def find_changes(offsets: Ints, values: Floats, out: Bools) -> None:
    """Fill before which floats the value changed; NaN after NaN is no change."""
    for i in range(len(offsets) - 1):
        for k in range(offsets[i] + 1, offsets[i + 1]):
            out[k] = values[k] != values[k - 1] and not (math.isnan(values[k]) and math.isnan(values[k - 1]))


@kernel
def counted(
    offsets: Ints, ts: Ints, _: Floats, times: Ints, width: int, events: Bools, reach: int,
    out: Floats, present: Bools, first: int, last: int,
) -> None:  # fmt: skip
    """Fill how many events (bool[m], between a sample and the one before) each window that holds samples has.

    With a `reach` in ms, the newest sample that lies no more than that before a window is the first to compare with.
    """
    for i in range(first, last):
        begin = low = high = offsets[i]
        end = offsets[i + 1]
        counted_to, number = begin + 1, 0  # `number` events in begin + 1 to counted_to
        left, left_number = begin + 1, 0  # the same up to the first sample of the window
        for j in range(len(times)):
            low = advance(ts, low, end, times[j] - width)
            high = advance(ts, max(low, high), end, times[j])
            if high == low:
                continue
            anchor = low - 1 if reach and low > begin and ts[low - 1] > times[j] - width - reach else low
            while counted_to < high:
                number += events[counted_to]
                counted_to += 1
            while left <= anchor:
                left_number += events[left]
                left += 1
            out[i, j] = number - left_number
            present[i, j] = True
