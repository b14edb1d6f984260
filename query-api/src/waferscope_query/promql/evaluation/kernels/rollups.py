# ruff: noqa: FBT001, FBT003, PLR0917 - compiled code takes its arrays and flags by position
"""Change over a window of rollups, as it would be told from their samples."""

from __future__ import annotations

import math

from waferscope_query.promql.evaluation.kernels.compiling import kernel
from waferscope_query.promql.evaluation.kernels.counters import extrapolation_factor
from waferscope_query.promql.evaluation.kernels.steps import add, advance
from waferscope_query.promql.evaluation.kernels.types import Bools, Floats, Ints


@kernel
def rise(before: float, value: float) -> float:
    """How far a counter rose between two samples, as rollups count it: from zero after a reset, nothing over a NaN."""
    if math.isnan(before) or math.isnan(value):
        return 0.0
    return value - before if value >= before else value


@kernel
def increases(
    offsets: Ints, ts: Ints, values: Floats, times: Ints, width: int,
    counts: Floats, firsts: Floats, lasts: Floats, first_times: Floats, last_times: Floats, per_second: bool,
    out: Floats, present: Bools, first: int, last: int,
) -> None:  # fmt: skip
    """Fill rate (per second) or increase; a bucket's value is its increase since the last sample before it.

    What rose before the first sample in a window doesn't belong to it and is taken off; the rest is stretched to the
    window as that of samples is.
    """
    for i in range(first, last):
        low = high = offsets[i]
        end = offsets[i + 1]
        for j in range(len(times)):
            low = advance(ts, low, end, times[j] - width)
            high = advance(ts, max(low, high), end, times[j])
            samples, change, lost = 0.0, 0.0, 0.0
            for k in range(low, high):
                samples += counts[k]
                change, lost = add(values[k], change, lost)
            if samples < 2:  # noqa: PLR2004, a change takes two samples
                continue
            if low > offsets[i]:
                change, lost = add(-rise(lasts[low - 1], firsts[low]), change, lost)
            change += 0.0 if math.isinf(change) else lost
            factor = extrapolation_factor(
                (first_times[low] - (times[j] - width)) / 1000, (times[j] - last_times[high - 1]) / 1000,
                (last_times[high - 1] - first_times[low]) / 1000, int(samples), change, firsts[low], True,
            )  # fmt: skip
            if per_second:
                factor /= width / 1000
            out[i, j] = change * factor
            present[i, j] = True
