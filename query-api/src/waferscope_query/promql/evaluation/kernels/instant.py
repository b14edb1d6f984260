# ruff: noqa: PLR0917 - compiled code takes its arrays by position
"""The value of each series at each step: the newest sample within the lookback."""

from __future__ import annotations

from waferscope_query.promql.evaluation.kernels.compiling import kernel
from waferscope_query.promql.evaluation.kernels.steps import advance
from waferscope_query.promql.evaluation.kernels.types import Bools, Floats, Ints


@kernel
def newest(
    offsets: Ints, ts: Ints, values: Floats, stale: Bools, times: Ints, lookback: int,
    out: Floats, present: Bools, first: int, last: int,
) -> None:  # fmt: skip
    """Fill the newest values; a stale marker ends a series."""
    for i in range(first, last):
        after, end = offsets[i], offsets[i + 1]
        for j in range(len(times)):
            after = advance(ts, after, end, times[j])
            newest = after - 1
            if newest >= offsets[i] and ts[newest] > times[j] - lookback and not stale[newest]:
                out[i, j] = values[newest]
                present[i, j] = True


@kernel
def newest_times(
    offsets: Ints, ts: Ints, stale: Bools, times: Ints, lookback: int,
    out: Floats, present: Bools, first: int, last: int,
) -> None:  # fmt: skip
    """Fill the newest samples' timestamps in ms."""
    for i in range(first, last):
        after, end = offsets[i], offsets[i + 1]
        for j in range(len(times)):
            after = advance(ts, after, end, times[j])
            newest = after - 1
            if newest >= offsets[i] and ts[newest] > times[j] - lookback and not stale[newest]:
                out[i, j] = ts[newest]
                present[i, j] = True
