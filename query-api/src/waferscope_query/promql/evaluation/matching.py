"""Binary operators between two vectors, one-to-one or many-to-one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from waferscope_query.promql.errors import ExecutionError
from waferscope_query.promql.evaluation.context import Context
from waferscope_query.promql.evaluation.grouping import Rows, group_rows, match_rows
from waferscope_query.promql.evaluation.histogram_operators import TRIMS, Side, operate
from waferscope_query.promql.evaluation.operators import compare, compute, is_comparison
from waferscope_query.promql.evaluation.values import Vector
from waferscope_query.promql.labels import METRIC_NAME, LabelFrame
from waferscope_query.promql.parsing.tree import Binary, Cardinality
from waferscope_query.promql.text import labels_text

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class _Side:
    """One operand, its series numbered by match group."""

    vector: Vector
    groups: Rows


def match_vectors(node: Binary, left: Vector, right: Vector, context: Context) -> Vector:
    """Find the partner of every series and apply the operator.

    Raises:
        ExecutionError: A series has more than one partner at a step, or two results are the same series.
    """
    if not len(left) or not len(right):
        return left.take(np.zeros(0, np.int64))
    matching = node.matching
    left_groups, right_groups, count = match_rows(left.labels, right.labels, matching.labels, on=matching.on)
    many, one = _Side(left, left_groups), _Side(right, right_groups)
    if matching.cardinality == Cardinality.ONE_TO_MANY:
        many, one = one, many
    _refuse_duplicates(node, many, one, count)
    many_rows, one_rows = _pairs(many, one, count)
    present = many.vector.present[many_rows] & one.vector.present[one_rows]
    _refuse_many(node, many.groups[many_rows], present, count)
    labels = _result_labels(node, many.vector.labels.take(many_rows), one.vector.labels.take(one_rows))
    _refuse_ambiguous(node, labels, many.groups[many_rows], present)
    left_rows, right_rows = (one_rows, many_rows) if many.vector is right else (many_rows, one_rows)
    drop_name = np.full(len(labels), node.return_bool)
    if left.histograms is not None or right.histograms is not None or node.op in TRIMS:
        outcome = operate(node, _side(left, left_rows), _side(right, right_rows), present, context)
        return Vector(labels, outcome.values, outcome.kept, drop_name, outcome.histograms).merged()
    values, kept = _apply(node, left.values[left_rows], right.values[right_rows])
    return Vector(labels, values, present & kept, drop_name).merged()


def _side(vector: Vector, rows: Rows) -> Side:
    return Side(vector.values[rows], None if vector.histograms is None else vector.histograms.take(rows))


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


def _refuse_duplicates(node: Binary, many: _Side, one: _Side, count: int) -> None:
    """The "one" side may hold a single series per match group and step, matched or not."""
    if len(np.unique(one.groups)) == len(one.groups):
        return
    asked = many.vector.present.any(axis=0)
    numbers = np.zeros((count, one.vector.present.shape[1]), np.int32)
    np.add.at(numbers, one.groups, one.vector.present & asked)
    groups, steps = np.nonzero(numbers > 1)
    if not len(groups):
        return
    first = np.argmin(steps)
    rows = np.flatnonzero((one.groups == groups[first]) & one.vector.present[:, steps[first]])
    raise ExecutionError(_duplicates_text(node, one.vector.labels, int(rows[0]), int(rows[1])))


def _duplicates_text(node: Binary, labels: LabelFrame, first: int, second: int) -> str:
    matching = node.matching
    ignored = (METRIC_NAME, *matching.labels)
    shared = labels.project(matching.labels) if matching.on else labels.drop(ignored)
    side = "left" if matching.cardinality == Cardinality.ONE_TO_MANY else "right"
    pair = ", ".join(sorted([labels_text(labels.row(first)), labels_text(labels.row(second))]))
    return (
        f"found duplicate series for the match group {labels_text(shared.row(first))} on the {side} hand-side of the "
        f"operation: [{pair}];many-to-many matching not allowed: matching labels must be unique on one side"
    )


def _refuse_many(node: Binary, groups: Rows, present: Bools, count: int) -> None:
    if node.matching.cardinality != Cardinality.ONE_TO_ONE or len(np.unique(groups)) == len(groups):
        return
    numbers = np.zeros((count, present.shape[1]), np.int32)
    np.add.at(numbers, groups, present)
    if (numbers > 1).any():
        raise ExecutionError(
            "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
        )


def _refuse_ambiguous(node: Binary, labels: LabelFrame, groups: Rows, present: Bools) -> None:
    """The copied labels must not make two series of the "many" side equal."""
    if node.matching.cardinality == Cardinality.ONE_TO_ONE:
        return
    ids, firsts = group_rows(labels)
    if len(firsts) == len(labels):
        return
    keys = ids * (int(groups.max()) + 1) + groups
    distinct, inverse = np.unique(keys, return_inverse=True)
    numbers = np.zeros((len(distinct), present.shape[1]), np.int32)
    np.add.at(numbers, inverse, present)
    if (numbers > 1).any():
        raise ExecutionError("multiple matches for labels: grouping labels must ensure unique matches")


def _result_labels(node: Binary, many: LabelFrame, one: LabelFrame) -> LabelFrame:
    """The "many" side's labels, less what the operator or the matching removes, plus what is copied."""
    matching = node.matching
    labels = many if is_comparison(node.op) or node.op in TRIMS else many.drop([METRIC_NAME])
    if matching.cardinality == Cardinality.ONE_TO_ONE:
        labels = labels.project(matching.labels) if matching.on else labels.drop(matching.labels)
    for name in matching.include:
        labels = labels.assign(name, one.column(name))
    return labels
