"""The author's own metrics: measurements of the process, by names that the author gives."""

from __future__ import annotations

import math
import re
from functools import lru_cache
from itertools import pairwise

from waferscope._internal import arguments
from waferscope.semconv import Metric

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_./-]{0,254}")  # OpenTelemetry metrics API, "Instrument name syntax"
_UNIT_LENGTH = 63  # ibid., "Instrument unit"
_HALF = tuple(step * 10.0**decade for decade in range(-3, 6) for step in (1, 2, 5))
BUCKETS = (*(-bound for bound in reversed(_HALF)), 0.0, *_HALF)


def metric(name: str, unit: str, buckets: tuple[float, ...] | None) -> Metric | None:
    """Check and describe a metric.

    Args:
        name: Outside of `wafer.`.
        unit: By UCUM.
        buckets: Ascending bounds; None takes 1-2-5 steps on both sides of zero.

    Returns:
        The metric; None for a name that can't be one.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name.startswith("wafer."):
        arguments.misuse(
            "%r can't name a measurement: letters, digits and _ . / -, not in 'wafer.'; it is left out", name
        )
        return None
    if not isinstance(unit, str) or len(unit) > _UNIT_LENGTH or not unit.isascii():
        arguments.misuse("the unit of %s is at most 63 ASCII characters, not %r; 1 is used", name, unit)
        unit = "1"
    return _described(name, unit, BUCKETS if buckets is None else _ascending(name, buckets))


@lru_cache(maxsize=1000)
def _described(name: str, unit: str, buckets: tuple[float, ...]) -> Metric:
    return Metric(name, "histogram", unit, "A measurement of the process.", buckets)


def _ascending(name: str, buckets: tuple[float, ...]) -> tuple[float, ...]:
    bounds = tuple(map(float, buckets))
    finite = bounds and all(map(math.isfinite, bounds))
    if finite and all(low < high for low, high in pairwise(bounds)):
        return bounds
    arguments.misuse("the buckets of %s don't ascend: %r; the default ones are used", name, buckets)
    return BUCKETS
