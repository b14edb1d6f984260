# ruff: noqa: PLR0917 - compiled code takes its arrays by position
"""What each series has at each step: of the newest sample within the lookback."""

from __future__ import annotations

from waferscope_query.promql.evaluation.kernels.compiling import kernel
from waferscope_query.promql.evaluation.kernels.steps import advance
from waferscope_query.promql.evaluation.kernels.types import Bools, Floats, Ints


@kernel
def newest(
    offsets: Ints, ts: Ints, values: Floats | Ints, stale: Bools, times: Ints, lookback: int,
    out: Floats, present: Bools, first: int, last: int,
) -> None:  # fmt: skip
    """Fill what is told of the newest samples: values, or times in ms; a stale marker ends a series."""
    for i in range(first, last):
        after, end = offsets[i], offsets[i + 1]
        for j in range(len(times)):
            after = advance(ts, after, end, times[j])
            newest = after - 1
            if newest >= offsets[i] and ts[newest] > times[j] - lookback and not stale[newest]:
                out[i, j] = values[newest]
                present[i, j] = True
