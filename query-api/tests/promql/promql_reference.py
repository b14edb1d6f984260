"""A deliberately naive evaluator of the core of PromQL: one step, one series, one sample at a time.

It states the rules as plainly as they can be said, and is compared with the columnar engine.
"""

from __future__ import annotations

import math
import operator
import statistics
import struct
from collections import defaultdict
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise

from promql_script import STALE

from waferscope_query.promql.labels import METRIC_NAME
from waferscope_query.promql.matchers import Matcher
from waferscope_query.promql.parsing.tree import (
    Aggregate,
    Binary,
    Call,
    Cardinality,
    Expr,
    Matching,
    MatrixSelector,
    NumberLiteral,
    Paren,
    Selecting,
    Subquery,
    VectorSelector,
)

Labels = tuple[tuple[str, str], ...]
Points = list[tuple[int, float]]
Series = list[tuple[dict[str, str], Points]]
Vector = dict[Labels, float]
LOOKBACK_MS = 300_000


def evaluate_at(node: Expr, series: Series, time: int) -> Vector:
    """Evaluate an expression of type instant vector at one time (ms)."""
    if isinstance(node, Paren):
        return evaluate_at(node.expr, series, time)
    if isinstance(node, VectorSelector):
        return _newest(node, series, _moment(node, time))
    if isinstance(node, Call):
        return _call(node, series, time)
    if isinstance(node, Aggregate):
        return _aggregate(node, evaluate_at(node.expr, series, time))
    assert isinstance(node, Binary)
    return _binary(node, series, time)


def _is_stale(value: float) -> bool:
    return struct.pack("<d", value) == struct.pack("<d", STALE)


def _matching(matchers: tuple[Matcher, ...], series: Series) -> Series:
    return [(labels, points) for labels, points in series if all(m.matches(labels.get(m.name, "")) for m in matchers)]


def _key(labels: dict[str, str]) -> Labels:
    return tuple(sorted(labels.items()))


def _nameless(key: Labels) -> Labels:
    return tuple(pair for pair in key if pair[0] != METRIC_NAME)


def _newest(node: VectorSelector, series: Series, time: int) -> Vector:
    vector = {}
    for labels, points in _matching(node.matchers, series):
        seen = [value for ts, value in points if time - LOOKBACK_MS < ts <= time]
        if seen and not _is_stale(seen[-1]):
            vector[_key(labels)] = seen[-1]
    return vector


def _moment(node: Selecting, time: int) -> int:
    """The time that a selector or subquery looks at: `@` holds it fixed, `offset` shifts it."""
    assert node.at is None or isinstance(node.at, int)
    return (time if node.at is None else node.at) - node.offset_ms


def _call(node: Call, series: Series, time: int) -> Vector:
    argument = node.args[0]
    assert isinstance(argument, MatrixSelector | Subquery)
    end, width = _moment(argument, time), argument.range_ms
    vector = {}
    for key, points in _windows(argument, series, end):
        value = _of_window(node.function, points, end - width, end)
        if value is not None:
            vector[key if node.function == "last_over_time" else _nameless(key)] = value
    return vector


def _windows(argument: MatrixSelector | Subquery, series: Series, end: int) -> list[tuple[Labels, Points]]:
    """The samples of each series in the range that ends at a time; its start is no part of it."""
    start = end - argument.range_ms
    if isinstance(argument, MatrixSelector):
        return [
            (_key(labels), [(ts, value) for ts, value in points if start < ts <= end and not _is_stale(value)])
            for labels, points in _matching(argument.selector.matchers, series)
        ]
    assert argument.step_ms is not None
    windows: dict[Labels, Points] = defaultdict(list)
    for moment in range((start // argument.step_ms + 1) * argument.step_ms, end + 1, argument.step_ms):
        for key, value in evaluate_at(argument.expr, series, moment).items():
            windows[key].append((moment, value))
    return list(windows.items())


_REDUCTIONS: dict[str, Callable[[list[float]], float]] = {
    "sum_over_time": lambda values: float(sum(map(Fraction, values))),
    "avg_over_time": lambda values: float(sum(map(Fraction, values)) / len(values)),
    "min_over_time": min,
    "max_over_time": max,
    "count_over_time": len,
    "stddev_over_time": statistics.pstdev,
    "last_over_time": lambda values: values[-1],
    "present_over_time": lambda _: 1.0,
    "resets": lambda values: sum(later < earlier for earlier, later in pairwise(values)),
    "changes": lambda values: sum(later != earlier for earlier, later in pairwise(values)),
}


def _of_window(function: str, window: Points, start: int, end: int) -> float | None:
    values = [value for _, value in window]
    if function in _REDUCTIONS:
        return float(_REDUCTIONS[function](values)) if values else None
    if len(values) < 2:
        return None
    if function in {"irate", "idelta"}:
        return _of_last_two(function, window[-2:])
    counter = function != "delta"
    change = values[-1] - values[0]
    if counter:
        change += sum(earlier for earlier, later in pairwise(values) if later < earlier)
    sampled = (window[-1][0] - window[0][0]) / 1000
    average = sampled / (len(values) - 1)
    before, after = (window[0][0] - start) / 1000, (end - window[-1][0]) / 1000
    before = average / 2 if before >= average * 1.1 else before
    after = average / 2 if after >= average * 1.1 else after
    if counter and change > 0 and values[0] >= 0:
        before = min(before, sampled * values[0] / change)
    stretched = change * (sampled + before + after) / sampled
    return stretched / ((end - start) / 1000) if function == "rate" else stretched


def _of_last_two(function: str, window: Points) -> float:
    (before, earlier), (at, later) = window
    if function == "idelta":
        return later - earlier
    change = later if later < earlier else later - earlier
    return change / ((at - before) / 1000)


_GROUPS: dict[str, Callable[[list[float]], float]] = {
    "sum": math.fsum,
    "avg": statistics.fmean,
    "min": min,
    "max": max,
    "count": len,
    "group": lambda _: 1.0,
    "stddev": statistics.pstdev,
    "stdvar": statistics.pvariance,
}


def _aggregate(node: Aggregate, vector: Vector) -> Vector:
    groups: dict[Labels, list[float]] = defaultdict(list)
    for key, value in vector.items():
        kept = [
            p for p in key if (p[0] in node.grouping) != node.without and not (node.without and p[0] == METRIC_NAME)
        ]
        groups[tuple(kept)].append(value)
    return {key: float(_GROUPS[node.op](values)) for key, values in groups.items()}


_ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
}
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}


class ManyMatchesError(Exception):
    """A series has more than one partner: no answer at all."""


def _binary(node: Binary, series: Series, time: int) -> Vector:
    left = evaluate_at(node.left, series, time)
    if isinstance(node.right, NumberLiteral):
        found = {key: (value, node.right.value) for key, value in left.items()}
        return _operated(node, found)
    right = evaluate_at(node.right, series, time)
    if node.op in ("and", "or", "unless"):
        return _set_operator(node, left, right)
    return _operated(node, _matched(node, left, right))


def _match_key(matching: Matching, key: Labels) -> Labels:
    if matching.on:
        return tuple(pair for pair in key if pair[0] in matching.labels)
    return tuple(pair for pair in key if pair[0] not in (METRIC_NAME, *matching.labels))


def _set_operator(node: Binary, left: Vector, right: Vector) -> Vector:
    ours = {_match_key(node.matching, key) for key in left}
    theirs = {_match_key(node.matching, key) for key in right}
    if node.op == "or":
        return left | {key: value for key, value in right.items() if _match_key(node.matching, key) not in ours}
    wanted = node.op == "and"
    return {key: value for key, value in left.items() if (_match_key(node.matching, key) in theirs) == wanted}


def _matched(node: Binary, left: Vector, right: Vector) -> dict[Labels, tuple[float, float]]:
    """The pairs of values, by the labels of the result; the name is still among them."""
    matching = node.matching
    assert matching.cardinality in (Cardinality.ONE_TO_ONE, Cardinality.MANY_TO_ONE)
    partners: dict[Labels, tuple[Labels, float]] = {}
    for key, value in right.items():
        if _match_key(matching, key) in partners and left:
            raise ManyMatchesError
        partners[_match_key(matching, key)] = (key, value)
    found: dict[Labels, tuple[float, float]] = {}
    taken = set()
    for key, value in left.items():
        match = _match_key(matching, key)
        if match not in partners:
            continue
        partner, other = partners[match]
        one_to_one = matching.cardinality == Cardinality.ONE_TO_ONE
        labels = _pair_labels(node, key, partner)
        if (match if one_to_one else labels) in taken:
            raise ManyMatchesError
        taken.add(match if one_to_one else labels)
        found[labels] = (value, other)
    return found


def _pair_labels(node: Binary, many: Labels, one: Labels) -> Labels:
    matching = node.matching
    if matching.cardinality == Cardinality.ONE_TO_ONE:
        kept = dict(_match_key(matching, many))
        if node.op in _COMPARISONS and not matching.on:
            kept |= {name: text for name, text in many if name == METRIC_NAME}
        return _key(kept)
    copied = {name: dict(one).get(name, "") for name in matching.include}
    kept = dict(many if node.op in _COMPARISONS else _nameless(many)) | copied
    return _key({name: text for name, text in kept.items() if text})


def _operated(node: Binary, pairs: dict[Labels, tuple[float, float]]) -> Vector:
    if node.op in _ARITHMETIC:
        return {_nameless(key): _ARITHMETIC[node.op](*pair) for key, pair in pairs.items()}
    compare = _COMPARISONS[node.op]
    if node.return_bool:
        return {_nameless(key): float(compare(*pair)) for key, pair in pairs.items()}
    return {key: pair[0] for key, pair in pairs.items() if compare(*pair)}
