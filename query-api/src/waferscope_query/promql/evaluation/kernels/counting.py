# ruff: noqa: PLR0917 - compiled code takes its arrays by position
"""How many samples the windows of a range vector hold."""

from waferscope_query.promql.evaluation.kernels.compiling import kernel
from waferscope_query.promql.evaluation.kernels.types import Ints


@kernel
def windows(offsets: Ints, ts: Ints, sums: Ints, after: Ints, until: Ints, totals: Ints, fresh: Ints) -> int:
    """Count the samples of all windows of all series.

    Args:
        offsets: int64[n + 1].
        ts: int64[m].
        sums: int64[m + 1]: what all samples before one count; a histogram counts more than a float.
        after: int64[s], ascending or equal: left ends of the windows, exclusive.
        until: int64[s], ascending or equal: right ends, inclusive.
        totals: int64[s], grows by what the windows hold.
        fresh: int64[s], grows by what lies in a window and not in the one before.

    Returns:
        What the largest window of a series holds.
    """
    largest = 0
    for i in range(len(offsets) - 1):
        low = high = offsets[i]
        end = offsets[i + 1]
        for k in range(len(until)):
            seen = high
            while high < end and ts[high] <= until[k]:
                high += 1
            while low < high and ts[low] <= after[k]:
                low += 1
            totals[k] += sums[high] - sums[low]
            fresh[k] += sums[high] - sums[max(low, seen)]
            largest = max(largest, sums[high] - sums[low])
    return largest
