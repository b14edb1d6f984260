"""Where buckets end."""

from __future__ import annotations

import math

import numpy as np

from waferscope_query.promql.evaluation.kernels.compiling import kernel
from waferscope_query.promql.evaluation.kernels.types import Floats
from waferscope_query.promql.histograms import CUSTOM_BUCKETS

_FINEST = 8
_LARGEST = 1.7976931348623157e308
_LAST_EXPONENT = 1024


def _fractions() -> Floats:
    """float64[256]: the bounds of schema 8 from 0.5 on, below 1.

    Prometheus's table was made from a square root of two that is rounded down; to agree with its bounds to the bit, so
    is this one. All operations are exactly rounded, so it is the same on every machine.
    """
    roots = [math.nextafter(math.sqrt(2), 0)]
    while len(roots) < _FINEST:
        roots.append(math.sqrt(roots[-1]))
    fractions = np.full(2**_FINEST, 0.5)
    index = np.arange(len(fractions))
    for bit, root in enumerate(roots):
        fractions[(index >> (_FINEST - 1 - bit)) & 1 == 1] *= root
    return fractions


_FRACTIONS = _fractions()


@kernel
def upper_bound(index: int, schema: int, bounds: Floats) -> float:
    """The upper bound of a positive bucket; that of the index before it is its lower one."""
    if schema == CUSTOM_BUCKETS:
        if index < 0:
            return -math.inf
        return bounds[index] if index < len(bounds) else math.inf
    if schema <= 0:
        exponent = index << -schema
        return _LARGEST if exponent == _LAST_EXPONENT else math.ldexp(1.0, exponent)
    fraction = _FRACTIONS[(index & ((1 << schema) - 1)) << (_FINEST - schema)]
    exponent = (index >> schema) + 1
    if fraction == 0.5 and exponent == _LAST_EXPONENT + 1:  # noqa: PLR2004, the last bucket before that of infinity
        return _LARGEST
    return math.ldexp(fraction, exponent)
