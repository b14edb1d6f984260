"""The author's own metrics: measurements of the process, by names that the author gives."""

from __future__ import annotations

import math
import re
from itertools import pairwise

from waferscope._internal import arguments, guard
from waferscope.semconv import Metric

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_./-]{0,254}")  # OpenTelemetry metrics API, "Instrument name syntax"
_UNIT_LENGTH = 63  # ibid., "Instrument unit"
_MANY = 1000  # metrics that are remembered
_HALF = tuple(step * 10.0**decade for decade in range(-3, 6) for step in (1, 2, 5))
_known: dict[tuple[str, str], Metric] = {}
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
    known = _known.get((name, unit))
    if known is not None and (buckets is None or known.boundaries == buckets):
        return known
    bounds = BUCKETS if buckets is None else _ascending(name, buckets)
    if known is not None:
        if bounds != known.boundaries:
            arguments.misuse("the buckets of %s are those of its first call; the other ones are not used", name)
        return known
    made = Metric(name, "histogram", unit, "A measurement of the process.", bounds)
    if len(_known) < _MANY:
        _known[name, unit] = made
    return made


def _ascending(name: str, buckets: tuple[float, ...]) -> tuple[float, ...]:
    with guard.Expected(TypeError, ValueError, OverflowError):
        bounds = tuple(map(float, buckets))
        finite = bounds and all(map(math.isfinite, bounds))
        if finite and all(low < high for low, high in pairwise(bounds)):
            return bounds
    arguments.misuse("the buckets of %s are no ascending numbers: %r; the default ones are used", name, buckets)
    return BUCKETS
