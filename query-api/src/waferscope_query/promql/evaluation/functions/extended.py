"""Functions of `anchored` and `smoothed` range vectors."""

from __future__ import annotations

import numpy as np

from waferscope_query.promql.evaluation.context import Context
from waferscope_query.promql.evaluation.kernels import extended
from waferscope_query.promql.evaluation.values import Vector, Windows

_CHANGES = {"rate": (True, True), "increase": (True, False), "delta": (False, False)}
_ALLOWED = {"smoothed": tuple(sorted(_CHANGES)), "anchored": tuple(sorted((*_CHANGES, "resets", "changes")))}


def refusal(extension: str, function: str) -> str | None:
    """Why a function can't take windows extended so, if it can't."""
    allowed = _ALLOWED.get(extension)
    if allowed is None or function in allowed:
        return None
    return f"{extension} modifier can only be used with: {', '.join(allowed)} - not with {function}"


def of_extended(function: str, windows: Windows, context: Context) -> Vector:
    """Evaluate rate, increase, delta, resets or changes of extended windows."""
    samples, smoothed = windows.samples, windows.extension == "smoothed"
    values, present = context.cells(len(samples.labels))
    reach = context.limits.lookback_ms
    for first, last in context.blocks(len(values)):
        context.control.check()
        if function in _CHANGES:
            extended.changes_of_extended(
                samples.offsets, samples.ts, samples.values, windows.ends, windows.width_ms, reach, smoothed,
                *_CHANGES[function], values, present, first, last,
            )  # fmt: skip
        else:
            extended.counted_from_anchor(
                samples.offsets, samples.ts, samples.values, windows.ends, windows.width_ms, reach,
                function == "resets", values, present, first, last,
            )  # fmt: skip
    return Vector(samples.labels, values, present, np.ones(len(values), np.bool_))
