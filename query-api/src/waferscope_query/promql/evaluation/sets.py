"""Set operators between vectors: and, or, unless."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from waferscope_query.promql.evaluation.grouping import Rows, match_rows
from waferscope_query.promql.evaluation.values import Vector, stacked
from waferscope_query.promql.parsing.tree import Binary


def combine_sets(node: Binary, left: Vector, right: Vector) -> Vector:
    """Evaluate a set operator, step by step in effect."""
    left_groups, right_groups, count = match_rows(left.labels, right.labels, node.matching.labels, on=node.matching.on)
    if node.op == "or":
        taken = _any_present(left, left_groups, count)
        return stacked(left, replace(right, present=right.present & ~taken[right_groups])).merged()
    others = _any_present(right, right_groups, count)[left_groups]
    return replace(left, present=left.present & (others if node.op == "and" else ~others))


def _any_present(vector: Vector, groups: Rows, count: int) -> NDArray[np.bool_]:
    """bool[count, s]: whether any series of a match group is present."""
    seen = np.zeros((count, vector.present.shape[1]), np.bool_)
    np.logical_or.at(seen, groups, vector.present)
    return seen
