"""Functions of range vectors: every window of samples becomes one value."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from waferscope_query.promql.evaluation.context import Context
from waferscope_query.promql.evaluation.functions.arguments import Function, check_quantile
from waferscope_query.promql.evaluation.functions.extended import of_extended
from waferscope_query.promql.evaluation.functions.histogram_ranges import OverFloats, over_histograms
from waferscope_query.promql.evaluation.functions.started import growth, last_growth, resets
from waferscope_query.promql.evaluation.functions.windowed import over_windows
from waferscope_query.promql.evaluation.kernels import counters, over_time, regression
from waferscope_query.promql.evaluation.values import Vector, Windows
from waferscope_query.promql.labels import METRIC_NAME
from waferscope_query.promql.parsing.literals import quote
from waferscope_query.promql.parsing.tree import Call, Expr, Subquery, ValueType

_REDUCTIONS = {
    "avg_over_time": over_time.AVG,
    "changes": over_time.CHANGES,
    "count_over_time": over_time.COUNT,
    "first_over_time": over_time.FIRST,
    "last_over_time": over_time.LAST,
    "mad_over_time": over_time.MAD,
    "max_over_time": over_time.MAX,
    "min_over_time": over_time.MIN,
    "present_over_time": over_time.PRESENT,
    "resets": over_time.RESETS,
    "stddev_over_time": over_time.STDDEV,
    "stdvar_over_time": over_time.STDVAR,
    "sum_over_time": over_time.SUM,
}
_FOR_COUNTERS = frozenset({"rate", "increase"})
_COUNTER_SUFFIXES = ("_total", "_sum", "_count", "_bucket")


def _reduction(node: Call, windows: Windows, context: Context) -> Vector:
    return over_windows(windows, context, over_time.reduced, _REDUCTIONS[node.function])


def _pick(node: Call, windows: Windows, context: Context) -> Vector:
    """first_over_time and last_over_time pick a sample as it is: its name stays."""
    return replace(_reduction(node, windows, context), drop_name=windows.drop_name)


def _quantile(node: Call, windows: Windows, context: Context) -> Vector:
    q = context.scalar(node.args[0])
    vector = over_windows(windows, context, over_time.quantiles, q)
    check_quantile(q[vector.present.any(axis=0)], node.args[0], context)
    return vector


def _resets(node: Call, windows: Windows, context: Context) -> Vector:
    return _reduction(node, windows, context) if windows.samples.starts is None else resets(windows, context)


def _growth(node: Call, windows: Windows, context: Context) -> Vector:
    if windows.samples.starts is not None:
        return growth(node, windows, context)
    return over_windows(windows, context, counters.extrapolated, True, node.function == "rate")  # noqa: FBT003, numba takes no keywords


def _delta(node: Call, windows: Windows, context: Context) -> Vector:
    del node
    return over_windows(windows, context, counters.extrapolated, False, False)  # noqa: FBT003, numba takes no keywords


def _irate(node: Call, windows: Windows, context: Context) -> Vector:
    del node
    if windows.samples.starts is not None:
        return last_growth(windows, context)
    return over_windows(windows, context, counters.last_two, True)  # noqa: FBT003, numba takes no keywords


def _idelta(node: Call, windows: Windows, context: Context) -> Vector:
    del node
    return over_windows(windows, context, counters.last_two, False)  # noqa: FBT003, numba takes no keywords


def inform_of_gauges(vector: Vector, node: Expr, context: Context) -> None:
    """Say which metrics are no counters by their names."""
    answered = vector.labels.column(METRIC_NAME)[vector.present.any(axis=1)]
    for code in np.unique(answered).tolist():
        name = context.pool.text(code)
        if name and not name.endswith(_COUNTER_SUFFIXES):
            text = f"metric might not be a counter, name does not end in {'/'.join(_COUNTER_SUFFIXES)}: {quote(name)}"
            start = 0 if isinstance(node, Subquery) else node.start  # Prometheus has no position for a subquery here
            context.notes.inform(text, start)


def _deriv(node: Call, windows: Windows, context: Context) -> Vector:
    del node
    return over_windows(windows, context, regression.slopes)


def _predict_linear(node: Call, windows: Windows, context: Context) -> Vector:
    ahead = context.scalar(node.args[1])
    return over_windows(windows, context, regression.predictions, context.times, ahead)


OVER_FLOATS: dict[str, OverFloats] = {
    **dict.fromkeys(_REDUCTIONS, _reduction),
    "first_over_time": _pick,
    "last_over_time": _pick,
    "quantile_over_time": _quantile,
    "resets": _resets,
    "rate": _growth,
    "increase": _growth,
    "delta": _delta,
    "irate": _irate,
    "idelta": _idelta,
    "deriv": _deriv,
    "predict_linear": _predict_linear,
}


def of_range(node: Call, context: Context, over_floats: OverFloats) -> Vector:
    """Evaluate the range vector, then the function: over floats, or over histograms as well."""
    argument = next(arg for arg in node.args if arg.type == ValueType.MATRIX)
    vector = of_windows(node, argument, context.windows(argument), context, over_floats)
    if node.function in _FOR_COUNTERS:
        inform_of_gauges(vector.floats(), argument, context)
    return vector


def of_windows(node: Call, argument: Expr, windows: Windows, context: Context, over_floats: OverFloats) -> Vector:
    """Evaluate a function of a range vector that is there; `argument` is where it stands."""
    if windows.extension:
        return of_extended(node, windows, context)
    if windows.samples.histograms is None:
        return over_floats(node, windows, context)
    return over_histograms(node, argument, windows, over_floats, context)


FUNCTIONS: dict[str, Function] = {
    name: partial(of_range, over_floats=over_floats) for name, over_floats in OVER_FLOATS.items()
}
