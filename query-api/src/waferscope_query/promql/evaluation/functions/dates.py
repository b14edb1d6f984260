"""Calendar functions, in UTC; without an argument they tell of the step's own time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from waferscope_query.promql.evaluation.context import Context
from waferscope_query.promql.evaluation.functions.arguments import Function
from waferscope_query.promql.evaluation.functions.conversion import as_vector
from waferscope_query.promql.evaluation.values import Vector
from waferscope_query.promql.parsing.tree import Call


def _integers(units: NDArray[Any]) -> NDArray[np.int64]:
    """How many units, of whatever unit an array has."""
    return units.astype(np.int64)


def _since(times: NDArray[np.datetime64], unit: str) -> NDArray[np.int64]:
    """How many whole units have passed since the next larger unit began."""
    larger = {"h": "D", "m": "h", "M": "Y"}[unit]
    passed = times.astype(f"M8[{unit}]") - times.astype(f"M8[{larger}]").astype(f"M8[{unit}]")
    return _integers(passed)


def _days_since(times: NDArray[np.datetime64], unit: str) -> NDArray[np.int64]:
    return _integers(times.astype("M8[D]") - times.astype(f"M8[{unit}]").astype("M8[D]"))


def _days_in_month(times: NDArray[np.datetime64]) -> NDArray[np.int64]:
    month = times.astype("M8[M]")
    return _integers((month + 1).astype("M8[D]") - month.astype("M8[D]"))


_PARTS: dict[str, Callable[[NDArray[np.datetime64]], NDArray[np.int64]]] = {
    "minute": lambda times: _since(times, "m"),
    "hour": lambda times: _since(times, "h"),
    "day_of_week": lambda times: (_integers(times.astype("M8[D]")) + 4) % 7,  # 1970-01-01 was a Thursday
    "day_of_month": lambda times: _days_since(times, "M") + 1,
    "day_of_year": lambda times: _days_since(times, "Y") + 1,
    "days_in_month": _days_in_month,
    "month": lambda times: _since(times, "M") + 1,
    "year": lambda times: _integers(times.astype("M8[Y]")) + 1970,
}
_YEARS_1_TO_9999 = 377_705_116_800


def _part(node: Call, context: Context) -> Vector:
    vector = context.vector(node.args[0]) if node.args else as_vector(context.times / 1000, context)
    known = np.abs(vector.values) < _YEARS_1_TO_9999  # NaN is not
    times = np.where(known, vector.values, 0).astype(np.int64).astype("M8[s]")
    values = np.where(known, _PARTS[node.function](times).astype(np.float64), np.nan)
    return replace(vector, values=values).nameless()


FUNCTIONS: dict[str, Function] = dict.fromkeys(_PARTS, _part)
