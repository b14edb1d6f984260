"""Running sums of many series at once."""

import numpy as np
from numpy.typing import NDArray

from waferscope_collector.wire.compiling import kernel


@kernel
def totals(values: NDArray[np.float64], before: NDArray[np.float64], begins: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the total after each value, each series on its own: rounding must not leak from one into the next.

    A step that leads out of the range of a double begins from zero again.

    Args:
        values: (values,): what is added, finite, series after series.
        before: (series,): the total of each.
        begins: (series,): where the values of each begin.
    """
    sums = np.empty(len(values), np.float64)
    for series in range(len(begins)):
        total = before[series]
        end = begins[series + 1] if series + 1 < len(begins) else len(values)
        for position in range(begins[series], end):
            total += values[position]
            if not np.isfinite(total):
                total = values[position]
            sums[position] = total
    return sums
