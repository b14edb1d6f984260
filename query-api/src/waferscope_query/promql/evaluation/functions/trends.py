"""integral, double_exponential_smoothing and ts_of_…_over_time."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from waferscope_query.promql.errors import ExecutionError
from waferscope_query.promql.evaluation.context import Context
from waferscope_query.promql.evaluation.functions.arguments import Function
from waferscope_query.promql.evaluation.functions.histogram_ranges import OverFloats
from waferscope_query.promql.evaluation.functions.ranges import of_range
from waferscope_query.promql.evaluation.functions.windowed import over_windows
from waferscope_query.promql.evaluation.kernels import over_time, trends
from waferscope_query.promql.evaluation.values import Vector, Windows
from waferscope_query.promql.parsing.tree import Call
from waferscope_query.promql.text import general_text

_RULES = (trends.LEFT, trends.RIGHT, trends.TRAPEZOIDAL)
_MOMENTS = {
    "ts_of_first_over_time": trends.TS_OF_FIRST,
    "ts_of_last_over_time": trends.TS_OF_LAST,
    "ts_of_max_over_time": trends.TS_OF_MAX,
    "ts_of_min_over_time": trends.TS_OF_MIN,
}


def _integral(node: Call, windows: Windows, context: Context) -> Vector:
    asked = np.full(len(context.times), float(trends.TRAPEZOIDAL))
    if len(node.args) > 1:
        asked = context.scalar(node.args[1])
    known = np.isin(asked, _RULES)
    rules = np.where(known, asked, trends.TRAPEZOIDAL).astype(np.int64)
    vector = over_windows(windows, context, trends.integrals, rules)
    for value in np.unique(asked[~known & vector.present.any(axis=0)]).tolist():
        text = f"strategy should be 0, 1, or 2 (default), using 2, got {general_text(value)}"
        context.notes.warn(text, node.args[1].start)
    return vector


def _smoothing(node: Call, windows: Windows, context: Context) -> Vector:
    smoothing, trend = context.scalar(node.args[1]), context.scalar(node.args[2])
    used = over_windows(windows, context, over_time.reduced, over_time.PRESENT).present.any(axis=0)
    _refuse_factor("smoothing factor", "sf", smoothing[used])
    _refuse_factor("trend factor", "tf", trend[used])
    return over_windows(windows, context, trends.smoothed, smoothing, trend)


def _refuse_factor(name: str, short: str, values: NDArray[np.float64]) -> None:
    for value in values[(values <= 0) | (values >= 1)].tolist():
        raise ExecutionError(f"invalid {name}. Expected: 0 < {short} < 1, got: {value:f}")


def _moment(node: Call, windows: Windows, context: Context) -> Vector:
    return over_windows(windows, context, trends.moments, _MOMENTS[node.function])


_OVER_FLOATS: dict[str, OverFloats] = {
    "integral": _integral,
    "double_exponential_smoothing": _smoothing,
    **dict.fromkeys(_MOMENTS, _moment),
}
FUNCTIONS: dict[str, Function] = {
    name: partial(of_range, over_floats=over_floats) for name, over_floats in _OVER_FLOATS.items()
}
