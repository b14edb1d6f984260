"""Parts shared by the kernels: the moving pointer and compensated summation."""

from __future__ import annotations

import math

from waferscope_query.promql.evaluation.kernels.compiling import kernel
from waferscope_query.promql.evaluation.kernels.types import Floats, Ints


@kernel
def advance(ts: Ints, position: int, end: int, limit: int) -> int:
    """The first sample from `position` on whose timestamp lies after `limit`."""
    while position < end and ts[position] <= limit:
        position += 1
    return position


@kernel
def add(increment: float, total: float, lost: float) -> tuple[float, float]:
    """One step of Neumaier's variant of Kahan's summation: the new total and what rounding lost."""
    raised = total + increment
    if math.isinf(raised):
        return raised, 0.0
    if abs(total) >= abs(increment):
        return raised, lost + ((total - raised) + increment)
    return raised, lost + ((increment - raised) + total)


@kernel
def quantile_of_sorted(values: Floats, count: int, q: float) -> float:
    """Interpolated quantile of the first `count` values, sorted with NaN last; NaN ranks lowest."""
    if count == 0 or math.isnan(q):
        return math.nan
    if q < 0:
        return -math.inf
    if q > 1:
        return math.inf
    nans = 0
    while nans < count and math.isnan(values[count - 1 - nans]):
        nans += 1
    rank = q * (count - 1)
    lower = int(max(0.0, math.floor(rank)))
    upper = min(count - 1, lower + 1)
    weight = rank - math.floor(rank)
    low = math.nan if lower < nans else values[lower - nans]
    if weight == 0:
        return low
    high = math.nan if upper < nans else values[upper - nans]
    return low * (1 - weight) + high * weight
