"""A deliberately naive evaluator of the core of PromQL: one step, one series, one sample at a time.

It states the rules as plainly as they can be said, and is compared with the columnar engine.
"""

from __future__ import annotations

import math
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
    Expr,
    MatrixSelector,
    NumberLiteral,
    Paren,
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
        return _newest(node, series, time - node.offset_ms)
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


def _call(node: Call, series: Series, time: int) -> Vector:
    argument = node.args[0]
    assert isinstance(argument, MatrixSelector)
    end, width = time - argument.offset_ms, argument.range_ms
    vector = {}
    for labels, points in _matching(argument.selector.matchers, series):
        window = [(ts, value) for ts, value in points if end - width < ts <= end and not _is_stale(value)]
        value = _of_window(node.function, window, end - width, end)
        if value is not None:
            vector[_nameless(_key(labels))] = value
    return vector


_REDUCTIONS: dict[str, Callable[[list[float]], float]] = {
    "sum_over_time": lambda values: float(sum(map(Fraction, values))),
    "avg_over_time": lambda values: float(sum(map(Fraction, values)) / len(values)),
    "min_over_time": min,
    "max_over_time": max,
    "count_over_time": len,
    "stddev_over_time": statistics.pstdev,
    "resets": lambda values: sum(later < earlier for earlier, later in pairwise(values)),
    "changes": lambda values: sum(later != earlier for earlier, later in pairwise(values)),
}


def _of_window(function: str, window: Points, start: int, end: int) -> float | None:
    values = [value for _, value in window]
    if function in _REDUCTIONS:
        return float(_REDUCTIONS[function](values)) if values else None
    if len(values) < 2:
        return None
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


def _aggregate(node: Aggregate, vector: Vector) -> Vector:
    groups: dict[Labels, list[float]] = defaultdict(list)
    for key, value in vector.items():
        kept = [
            p for p in key if (p[0] in node.grouping) != node.without and not (node.without and p[0] == METRIC_NAME)
        ]
        groups[tuple(kept)].append(value)
    reduce = {"sum": math.fsum, "avg": statistics.fmean, "min": min, "max": max, "count": len}[node.op]
    return {key: float(reduce(values)) for key, values in groups.items()}


def _binary(node: Binary, series: Series, time: int) -> Vector:
    left = evaluate_at(node.left, series, time)
    if isinstance(node.right, NumberLiteral):
        assert node.op == ">"
        return {key: value for key, value in left.items() if value > node.right.value}
    right = {_nameless(key): value for key, value in evaluate_at(node.right, series, time).items()}
    if node.op in ("and", "unless"):
        return {key: value for key, value in left.items() if (_nameless(key) in right) == (node.op == "and")}
    assert node.op == "+"
    return {_nameless(key): value + right[_nameless(key)] for key, value in left.items() if _nameless(key) in right}
