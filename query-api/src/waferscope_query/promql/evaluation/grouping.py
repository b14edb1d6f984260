"""Which rows of a label frame are equal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from waferscope_query.promql.labels import METADATA_LABELS, LabelFrame

Rows = NDArray[np.int64]
_KEY_LIMIT = 2**62


def group_rows(frame: LabelFrame) -> tuple[Rows, Rows]:
    """Number the distinct label sets of a frame in the order of their first appearance.

    Returns:
        ids int64[n]: the number of each row's label set; firsts int64[g]: the first row of each.
    """
    if len(frame) == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    _, firsts, ids = np.unique(_keys(frame), return_index=True, return_inverse=True)
    order = np.argsort(firsts)
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return rank[ids], firsts[order].astype(np.int64)


def _keys(frame: LabelFrame) -> Rows:
    """One integer per row, equal where the label sets are."""
    keys, size = np.zeros(len(frame), np.int64), 1
    for column in frame.codes.T:
        low = int(column.min())
        width = int(column.max()) - low + 1
        if size * width >= _KEY_LIMIT:
            keys = np.unique(keys, return_inverse=True)[1].astype(np.int64)
            size = len(frame)
        keys = keys * width + (column - low)
        size *= width
    return keys


def match_rows(left: LabelFrame, right: LabelFrame, labels: tuple[str, ...], *, on: bool) -> tuple[Rows, Rows, int]:
    """Number the match groups of two frames by the labels of `on`, or by all others but name, type, unit.

    Returns:
        The match group of each row of `left` and of `right`, and how many groups there are.
    """
    if on:
        left, right = left.project(labels), right.project(labels)
    else:
        left, right = (side.drop((*METADATA_LABELS, *labels)) for side in (left, right))
    both = stack(left, right)
    ids, firsts = group_rows(both)
    return ids[: len(left)], ids[len(left) :], len(firsts)


def stack(upper: LabelFrame, lower: LabelFrame) -> LabelFrame:
    """The rows of one frame after those of another with the same pool."""
    upper, lower = upper.widen(lower.names), lower.widen(upper.names)
    return LabelFrame(upper.names, np.concatenate([upper.codes, lower.codes]), upper.pool)


def ordered_groups(ids: Rows, count: int) -> tuple[Rows, Rows]:
    """List rows group by group.

    Returns:
        order int64[n]: the rows, stable within a group; bounds int64[count + 1]: where each group starts and ends.
    """
    order = np.argsort(ids, kind="stable").astype(np.int64)
    bounds = np.concatenate([[0], np.cumsum(np.bincount(ids, minlength=count))]).astype(np.int64)
    return order, bounds
