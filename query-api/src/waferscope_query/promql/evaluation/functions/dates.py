"""Calendar functions, in UTC; without an argument they tell of the step's own time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from waferscope_query.promql.evaluation.context import Context
from waferscope_query.promql.evaluation.functions.arguments import Function
from waferscope_query.promql.evaluation.functions.conversion import as_vector
from waferscope_query.promql.evaluation.values import Vector
from waferscope_query.promql.parsing.tree import Call

Seconds = NDArray[np.int64]


def _day(seconds: Seconds) -> Seconds:
    """Days since 1970-01-01."""
    return seconds // 86_400


def _date(seconds: Seconds) -> tuple[Seconds, Seconds, Seconds]:
    """Year, month and day of the proleptic Gregorian calendar (Howard Hinnant, civil_from_days)."""
    shifted = _day(seconds) + 719_468  # days since 0000-03-01: a leap day ends its year
    era, day_of_era = shifted // 146_097, shifted % 146_097
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted_month = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * shifted_month + 2) // 5 + 1
    month = (shifted_month + 2) % 12 + 1
    return era * 400 + year_of_era + (month <= 2), month, day  # noqa: PLR2004, January and February


def _is_leap(year: Seconds) -> NDArray[np.bool_]:
    leap: NDArray[np.bool_] = ((year % 4 == 0) & (year % 100 != 0)) | (year % 400 == 0)
    return leap


def _days_in_month(seconds: Seconds) -> Seconds:
    year, month, _ = _date(seconds)
    days: Seconds = _DAYS[month] + ((month == 2) & _is_leap(year))  # noqa: PLR2004, February
    return days


def _day_of_year(seconds: Seconds) -> Seconds:
    year, month, day = _date(seconds)
    days: Seconds = _DAYS_BEFORE[month] + day + ((month > 2) & _is_leap(year))  # noqa: PLR2004, February
    return days


_DAYS = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
_DAYS_BEFORE = np.cumsum(_DAYS) - _DAYS
_PARTS: dict[str, Callable[[Seconds], Seconds]] = {
    "minute": lambda seconds: seconds // 60 % 60,
    "hour": lambda seconds: seconds // 3600 % 24,
    "day_of_week": lambda seconds: (_day(seconds) + 4) % 7,  # 1970-01-01 was a Thursday
    "day_of_month": lambda seconds: _date(seconds)[2],
    "day_of_year": _day_of_year,
    "days_in_month": _days_in_month,
    "month": lambda seconds: _date(seconds)[1],
    "year": lambda seconds: _date(seconds)[0],
}
_END_OF_TIME = 2.0**63
_OUT_OF_TIME = 2**63 - 1  # where Go's time arrives with a float that is no int64


def _part(node: Call, context: Context) -> Vector:
    vector = context.floats(node.args[0]) if node.args else as_vector(context.times / 1000, context)
    known = np.abs(vector.values) < _END_OF_TIME  # NaN is not
    seconds = np.where(known, np.where(known, vector.values, 0).astype(np.int64), _OUT_OF_TIME)
    return replace(vector, values=_PARTS[node.function](seconds).astype(np.float64)).nameless()


FUNCTIONS: dict[str, Function] = dict.fromkeys(_PARTS, _part)
