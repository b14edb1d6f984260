"""A range vector by itself, `anchored` or `smoothed`: its edges become samples."""

from __future__ import annotations

import numpy as np

from waferscope_query.promql.evaluation.kernels import extended
from waferscope_query.promql.evaluation.selecting import floats_of
from waferscope_query.promql.evaluation.values import Windows
from waferscope_query.promql.source import Samples


def extended_window(windows: Windows, lookback_ms: int) -> Samples:
    """The samples within the only window of an instant query, and one at each of its edges."""
    samples, end, smoothed = floats_of(windows.samples), int(windows.ends[0]), windows.extension == "smoothed"
    start = end - windows.width_ms
    rows, counts = [], []
    times, values = [np.zeros(0, np.int64)], [np.zeros(0)]
    for row in range(len(samples.labels)):
        piece = slice(samples.offsets[row], samples.offsets[row + 1])
        ts, numbers = samples.ts[piece], samples.values[piece]
        near = (ts > start - lookback_ms) & (ts <= (end + lookback_ms if smoothed else end))
        ts, numbers = ts[near], numbers[near]
        first, last = extended.window_bounds(ts, 0, len(ts), start, end, smoothed) if len(ts) else (-1, -1)
        if first < 0 and (not len(ts) or ts[-1] <= start):
            continue
        first, last = max(first, 0), max(last, 0)
        left, right = extended.edges(ts, numbers, first, last, 0, start, end, smoothed, False)  # noqa: FBT003, numba takes no keywords
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
