"""Functions of `anchored` and `smoothed` range vectors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from waferscope_query.promql.evaluation.context import Context
from waferscope_query.promql.evaluation.functions.histogram_ranges import events_of
from waferscope_query.promql.evaluation.functions.started import resets_of_floats
from waferscope_query.promql.evaluation.functions.windowed import over_windows
from waferscope_query.promql.evaluation.kernels import events, extended
from waferscope_query.promql.evaluation.kernels.native import extending
from waferscope_query.promql.evaluation.mixed import Made, refuse_mixtures, split, with_changes
from waferscope_query.promql.evaluation.selecting import known_starts
from waferscope_query.promql.evaluation.values import Vector, Windows
from waferscope_query.promql.parsing.tree import Call

_CHANGES = {"rate": (True, True), "increase": (True, False), "delta": (False, False)}  # counter, per second
_ALLOWED = {"smoothed": tuple(sorted(_CHANGES)), "anchored": tuple(sorted((*_CHANGES, "resets", "changes")))}


def refusal(extension: str, function: str) -> str | None:
    """Why a function can't take windows extended so, if it can't."""
    allowed = _ALLOWED.get(extension)
    if allowed is None or function in allowed:
        return None
    return f"{extension} modifier can only be used with: {', '.join(allowed)} - not with {function}"


def of_extended(node: Call, windows: Windows, context: Context) -> Vector:
    """Evaluate rate, increase, delta, resets or changes of extended windows."""
    if node.function not in _CHANGES:
        return _counted(node, windows, context)
    if windows.samples.histograms is None:
        return _change_of_floats(node, windows, context)
    return _change(node, windows, context)


def _counted(node: Call, windows: Windows, context: Context) -> Vector:
    """Count resets or changes, the newest sample before the window being the first to compare with."""
    samples = windows.samples
    if samples.histograms is not None:
        happened = events_of(node, samples)
    elif node.function == "resets":
        happened, _ = resets_of_floats(samples)
    else:
        happened = np.zeros(len(samples.ts), np.bool_)
        events.find_changes(samples.offsets, samples.values, happened)
    plain = replace(windows, samples=replace(samples, histograms=None))
    return over_windows(plain, context, events.counted, happened, context.limits.lookback_ms)


def _change_of_floats(node: Call, windows: Windows, context: Context) -> Vector:
    return over_windows(
        windows, context, extended.changes_of_extended, known_starts(windows.samples), context.limits.lookback_ms,
        windows.extension == "smoothed", *_CHANGES[node.function],
    )  # fmt: skip


def _change(node: Call, windows: Windows, context: Context) -> Vector:
    """Change where there are histograms: a window with all that is near it holds floats or histograms, not both."""
    mixed = split(node.args[0].start, windows, _reaching(windows, context.limits.lookback_ms))
    floats, wanted = refuse_mixtures(_change_of_floats(node, mixed.floats, context), mixed, context)
    rows, steps = np.nonzero(wanted)
    said = np.zeros(len(rows), np.int64)
    counter, per_second = _CHANGES[node.function]
    samples = mixed.histograms.samples
    table = extending.changes_of_extended(
        mixed.cells.table, mixed.cells.at.astype(np.int64), samples.ts, mixed.bounds.lows[wanted],
        mixed.bounds.highs[wanted], windows.ends[steps], windows.width_ms,
        windows.extension == "smoothed", counter, per_second, said,
    )  # fmt: skip
    return with_changes(floats, Made(table, rows, steps), said, mixed, context)


def _reaching(windows: Windows, reach: int) -> tuple[np.typing.NDArray[np.int64], int]:
    """The right ends and the width of what is near windows."""
    if windows.extension == "smoothed":
        return windows.ends + reach, windows.width_ms + 2 * reach
    return windows.ends, windows.width_ms + reach
