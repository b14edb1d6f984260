"""Duplicates collapse where they are read: the highest value wins, any number before NaN before a stale marker."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from waferscope_query.promql.source import STALE_BITS
from waferscope_query.storage.copied import Points

_SIGN = np.uint64(1 << 63)
_STALE_RANK, _NAN_RANK = np.uint64(0), np.uint64(1)

Ranks = tuple[NDArray[np.uint64], ...]
"""Columns by which duplicates are compared, the least significant first; the highest wins."""


def ranks(values: NDArray[np.float64]) -> NDArray[np.uint64]:
    """The order in which values win, as integers: stale marker, other NaN, -Inf, ..., -0, 0, ..., +Inf."""
    bits = values.view(np.uint64)
    rank = np.where(bits & _SIGN, ~bits, bits | _SIGN)
    rank[np.isnan(values)] = _NAN_RANK
    rank[bits == np.uint64(STALE_BITS)] = _STALE_RANK
    return rank


def collapse(points: Points) -> Points:
    """Sort points by series and time and keep one of each.

    Args:
        points: As read, in any order.

    Returns:
        The same points, series ascending, timestamps strictly ascending within a series.
    """
    kept = winners(points.series, points.ts, lambda rows: (ranks(points.values[rows]),))
    return Points(points.series[kept], points.ts[kept], points.values[kept])


def winners(
    series: NDArray[np.int64], ts: NDArray[np.int64], ranks_of: Callable[[NDArray[np.intp]], Ranks]
) -> NDArray[np.intp]:
    """Choose one point of each series and time.

    Args:
        series: int64[n].
        ts: int64[n], milliseconds.
        ranks_of: Gives the ranks of points by their index; asked for duplicates only.

    Returns:
        intp[m]: indices of the kept points, by series, then time.
    """
    order = _order(series, ts)
    first = np.ones(len(order), np.bool_)
    first[1:] = (np.diff(series[order]) != 0) | (np.diff(ts[order]) != 0)
    kept = order[first]
    if len(kept) == len(order):
        return order
    repeated = ~first
    repeated[:-1] |= ~first[1:]
    rows, group = order[repeated], np.cumsum(first)[repeated] - 1
    ranked = np.lexsort((*ranks_of(rows), group))
    kept[group[ranked]] = rows[ranked]  # of equal indices the last assignment stays: the highest rank
    return kept


def _order(series: NDArray[np.int64], ts: NDArray[np.int64]) -> NDArray[np.intp]:
    """Order by series, then time; one integer key sorts several times faster than two columns."""
    if not len(series):
        return np.zeros(0, np.intp)
    ts_bits = int(ts.max() - ts.min()).bit_length()
    if int(series.max() - series.min()).bit_length() + ts_bits >= np.iinfo(np.int64).bits:
        return np.lexsort((ts, series))
    return np.argsort(((series - series.min()) << ts_bits) | (ts - ts.min()), kind="stable")
