"""A range vector by itself, `anchored` or `smoothed`: its edges become samples."""

from __future__ import annotations

import numpy as np

from waferscope_query.promql.errors import ExecutionError
from waferscope_query.promql.evaluation.kernels import extended
from waferscope_query.promql.evaluation.values import Windows
from waferscope_query.promql.source import Samples


def extended_window(windows: Windows, lookback_ms: int) -> Samples:
    """The samples within the only window of an instant query, and one at each of its edges.

    Raises:
        ExecutionError: There are histograms.
    """
    samples, end, smoothed = windows.samples, int(windows.ends[0]), windows.extension == "smoothed"
    start = end - windows.width_ms
    lookback = start - lookback_ms
    near = (samples.ts > lookback) & (samples.ts <= (end + lookback_ms if smoothed else end))
    if samples.histograms is not None and (samples.histograms.at[near] >= 0).any():
        raise ExecutionError(f"{windows.extension} modifier is not supported with histograms")
    rows, counts = [], []
    times, values = [np.zeros(0, np.int64)], [np.zeros(0)]
    for row in range(len(samples.labels)):
        piece = slice(samples.offsets[row], samples.offsets[row + 1])
        ts, numbers = samples.ts[piece][near[piece]], samples.values[piece][near[piece]]
        if not len(ts):
            continue
        first, last = extended.window_bounds(ts, 0, len(ts), start, end, smoothed)
        if first < 0:
            continue
        starts = np.zeros_like(ts)  # those of counters; of what is selected nobody knows that it is one
        left, _ = extended.left_edge(ts, numbers, starts, first, start, lookback, smoothed, False)  # noqa: FBT003, numba takes no keywords
        right, _ = extended.right_edge(ts, numbers, starts, last, 0, end, lookback, smoothed, False)  # noqa: FBT003, numba takes no keywords
        inside = (ts > start) & (ts < end)
        times.append(np.concatenate([[start], ts[inside], [end]]))
        values.append(np.concatenate([[left], numbers[inside], [right]]))
        rows.append(row)
        counts.append(len(times[-1]))
    return Samples(
        labels=samples.labels.take(np.array(rows, np.int64)),
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        ts=np.concatenate(times).astype(np.int64),
        values=np.concatenate(values),
    )
