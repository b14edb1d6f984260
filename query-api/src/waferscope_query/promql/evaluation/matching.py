"""Binary operators between two vectors, one-to-one or many-to-one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from waferscope_query.promql.errors import ExecutionError
from waferscope_query.promql.evaluation.context import Context
from waferscope_query.promql.evaluation.grouping import Rows, group_rows, match_rows, stack
from waferscope_query.promql.evaluation.histogram_operators import TRIMS, Side, operate
from waferscope_query.promql.evaluation.operators import compare, compute, is_comparison
from waferscope_query.promql.evaluation.values import Vector
from waferscope_query.promql.histograms import stack_cells
from waferscope_query.promql.labels import METADATA_LABELS, LabelFrame
from waferscope_query.promql.parsing.tree import Binary, Cardinality
from waferscope_query.promql.text import labels_text

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class _Side:
    """One operand, its series numbered by match group; `fill` stands for a series it lacks."""

    vector: Vector
    groups: Rows
    fill: float | None


def match_vectors(node: Binary, left: Vector, right: Vector, context: Context) -> Vector:
    """Find the partner of every series and apply the operator.

    Raises:
        ExecutionError: A series has more than one partner at a step, or two results are the same series.
    """
    matching = node.matching
    if (not len(left) or not len(right)) and not (matching.fills and len(left) + len(right)):
        return left.take(np.zeros(0, np.int64))
    left_groups, right_groups, count = match_rows(left.labels, right.labels, matching.labels, on=matching.on)
    many, one = _Side(left, left_groups, matching.fill_left), _Side(right, right_groups, matching.fill_right)
    swapped = matching.cardinality == Cardinality.ONE_TO_MANY
    if swapped:
        many, one = one, many
    matches = _matches(node, many, one, count)
    _refuse([_duplicates(node, many, one, count), _many(node, matches, count), _ambiguous(node, matches)])
    first, second = (matches.one, matches.many) if swapped else (matches.many, matches.one)
    drop_name = np.full(len(matches.labels), node.return_bool)
    if first.histograms is not None or second.histograms is not None or node.op in TRIMS:
        outcome = operate(node, first, second, matches.present, context)
        return Vector(matches.labels, outcome.values, outcome.kept, drop_name, outcome.histograms).merged()
    values, kept = _apply(node, first.values, second.values)
    return Vector(matches.labels, values, matches.present & kept, drop_name).merged()


@dataclass(frozen=True, slots=True, eq=False)
class _Matches:
    """Pairs of series: the result's labels, match group int64[p], values of both sides, present bool[p, s]."""

    labels: LabelFrame
    groups: Rows
    many: Side
    one: Side
    present: Bools


def _matches(node: Binary, many: _Side, one: _Side, count: int) -> _Matches:
    many_rows, one_rows = _pairs(many, one, count)
    found = _Matches(
        labels=_result_labels(node, many.vector.labels.take(many_rows), one.vector.labels.take(one_rows)),
        groups=many.groups[many_rows],
        many=_side(many.vector.take(many_rows)),
        one=_side(one.vector.take(one_rows)),
        present=many.vector.present[many_rows] & one.vector.present[one_rows],
    )
    if one.fill is not None:
        labels = _result_labels(node, many.vector.labels, _match_labels(node, many.vector.labels))
        found = _joined(found, _filled(labels, many, one, count, one_missing=True))
    if many.fill is not None:
        labels = _result_labels(node, _match_labels(node, one.vector.labels), one.vector.labels)
        found = _joined(found, _filled(labels, one, many, count, one_missing=False))
    return found


def _filled(labels: LabelFrame, there: _Side, missing: _Side, count: int, *, one_missing: bool) -> _Matches:
    """The series of one side where the other has none in their match group, with its fill value."""
    others = np.zeros((count, there.vector.present.shape[1]), np.bool_)
    np.logical_or.at(others, missing.groups, missing.vector.present)
    filling = Side(np.full(there.vector.values.shape, missing.fill, np.float64), None)
    known = _side(there.vector)
    many, one = (known, filling) if one_missing else (filling, known)
    return _Matches(labels, there.groups, many, one, there.vector.present & ~others[there.groups])


def _joined(upper: _Matches, lower: _Matches) -> _Matches:
    return _Matches(
        labels=stack(upper.labels, lower.labels),
        groups=np.concatenate([upper.groups, lower.groups]),
        many=_stacked(upper.many, lower.many),
        one=_stacked(upper.one, lower.one),
        present=np.concatenate([upper.present, lower.present]),
    )


def _side(vector: Vector) -> Side:
    return Side(vector.values, vector.histograms)


def _stacked(upper: Side, lower: Side) -> Side:
    histograms = stack_cells([(side.histograms, side.values.shape) for side in (upper, lower)])
    return Side(np.concatenate([upper.values, lower.values]), histograms)


def _apply(node: Binary, left: NDArray[np.float64], right: NDArray[np.float64]) -> tuple[NDArray[np.float64], Bools]:
    if not is_comparison(node.op):
        return compute(node.op, left, right), np.ones(left.shape, np.bool_)
    verdict = compare(node.op, left, right)
    if node.return_bool:
        return verdict.astype(np.float64), np.ones(left.shape, np.bool_)
    return left, verdict


def _pairs(many: _Side, one: _Side, count: int) -> tuple[Rows, Rows]:
    """All pairs of rows in the same match group."""
    order = np.argsort(one.groups, kind="stable")
    sizes = np.bincount(one.groups, minlength=count)
    starts = np.cumsum(sizes) - sizes
    partners = sizes[many.groups]
    many_rows = np.repeat(np.arange(len(many.groups)), partners)
    nth = np.arange(len(many_rows)) - np.repeat(np.cumsum(partners) - partners, partners)
    return many_rows, order[np.repeat(starts[many.groups], partners) + nth]


_Complaint = tuple[int, str]
"""The step at which two series can't be told apart, and what to say of it."""


def _refuse(complaints: list[_Complaint | None]) -> None:
    """Raise the earliest complaint; at the same step, the first in the list."""
    found = [complaint for complaint in complaints if complaint is not None]
    if found:
        raise ExecutionError(min(found, key=lambda complaint: complaint[0])[1])


def _first_crowded(ids: Rows, present: Bools, count: int) -> tuple[int, int] | None:
    """The first step at which rows with the same number, and this number, are present more than once."""
    numbers = np.zeros((count, present.shape[1]), np.int32)
    np.add.at(numbers, ids, present)
    groups, steps = np.nonzero(numbers > 1)
    if not len(groups):
        return None
    first = np.argmin(steps)
    return int(steps[first]), int(groups[first])


def _duplicates(node: Binary, many: _Side, one: _Side, count: int) -> _Complaint | None:
    """The "one" side may hold a single series per match group and step, matched or not."""
    if len(np.unique(one.groups)) == len(one.groups):
        return None
    asked = np.True_ if node.matching.fills else many.vector.present.any(axis=0)
    crowded = _first_crowded(one.groups, one.vector.present & asked, count)
    if crowded is None:
        return None
    step, group = crowded
    rows = np.flatnonzero((one.groups == group) & one.vector.present[:, step])
    return step, _duplicates_text(node, one.vector.labels, int(rows[0]), int(rows[1]))


def _match_labels(node: Binary, labels: LabelFrame) -> LabelFrame:
    """The labels by which series match."""
    matching = node.matching
    return labels.project(matching.labels) if matching.on else labels.drop((*METADATA_LABELS, *matching.labels))


def _duplicates_text(node: Binary, labels: LabelFrame, first: int, second: int) -> str:
    matching = node.matching
    shared = _match_labels(node, labels)
    side = "left" if matching.cardinality == Cardinality.ONE_TO_MANY else "right"
    pair = ", ".join(sorted([labels_text(labels.row(first)), labels_text(labels.row(second))]))
    return (
        f"found duplicate series for the match group {labels_text(shared.row(first))} on the {side} hand-side of the "
        f"operation: [{pair}];many-to-many matching not allowed: matching labels must be unique on one side"
    )


def _many(node: Binary, matches: _Matches, count: int) -> _Complaint | None:
    """Without group_left or group_right, each match group has one result."""
    if node.matching.cardinality != Cardinality.ONE_TO_ONE or len(np.unique(matches.groups)) == len(matches.groups):
        return None
    crowded = _first_crowded(matches.groups, matches.present, count)
    text = "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
    return None if crowded is None else (crowded[0], text)


def _ambiguous(node: Binary, matches: _Matches) -> _Complaint | None:
    """The copied labels must not make two series of the "many" side equal."""
    if node.matching.cardinality == Cardinality.ONE_TO_ONE:
        return None
    ids, firsts = group_rows(matches.labels)
    if len(firsts) == len(matches.labels):
        return None
    keys = ids * (int(matches.groups.max()) + 1) + matches.groups
    distinct, inverse = np.unique(keys, return_inverse=True)
    crowded = _first_crowded(inverse, matches.present, len(distinct))
    text = "multiple matches for labels: grouping labels must ensure unique matches"
    return None if crowded is None else (crowded[0], text)


def _result_labels(node: Binary, many: LabelFrame, one: LabelFrame) -> LabelFrame:
    """The "many" side's labels, less what the operator or the matching removes, plus what is copied."""
    matching = node.matching
    labels = many if is_comparison(node.op) or node.op in TRIMS else many.drop(METADATA_LABELS)
    if matching.cardinality == Cardinality.ONE_TO_ONE:
        labels = labels.project(matching.labels) if matching.on else labels.drop(matching.labels)
    for name in matching.include:
        labels = labels.assign(name, one.column(name))
    return labels
