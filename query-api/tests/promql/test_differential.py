"""The columnar engine and the naive reference give the same answers."""

from __future__ import annotations

import asyncio
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from promql_reference import ManyMatchesError, Series, evaluate_at
from promql_script import STALE
from support.fuzzing import fuzzed

from waferscope_query.promql import evaluate
from waferscope_query.promql.errors import ExecutionError
from waferscope_query.promql.evaluation.values import Vector
from waferscope_query.promql.memory import MemorySource
from waferscope_query.promql.parsing import parse

LABELS = [{"__name__": name, "i": i, "j": j} for name in ("a", "b") for i in "12" for j in "xy"]
VALUES = st.one_of(st.integers(-5, 50).map(float), st.floats(-1e6, 1e6), st.just(STALE))
GAPS = st.sampled_from([1_000, 15_000, 15_000, 15_000, 60_000, 400_000])


@st.composite
def points(draw: st.DrawFn) -> list[tuple[int, float]]:
    gaps = draw(st.lists(st.tuples(GAPS, VALUES), max_size=25))
    time, result = 0, []
    for gap, value in gaps:
        time += gap
        result.append((time, value))
    return result


PLACES = st.sampled_from(["", "", "", " offset 30s", " offset -1m", " @ 200", " @ 300 offset 1m"])
SELECTORS = st.builds(
    "{}{}".format, st.sampled_from(["a", "b", 'a{i="1"}', 'b{j!~"x|z"}', 'a{i=~"1|2",j="x"}']), PLACES
)
REDUCTIONS = [f"{name}_over_time" for name in ("sum", "avg", "min", "max", "count", "stddev", "last", "present")]
FUNCTIONS = st.sampled_from(["rate", "increase", "delta", "irate", "idelta", "resets", "changes", *REDUCTIONS])
RANGES = st.builds("{}{}".format, st.sampled_from(["a[1m]", 'b{i="2"}[5m]', "a[45s]", "b[10m]"]), PLACES)
SIMPLE = st.one_of(SELECTORS, st.builds("{}({})".format, FUNCTIONS, RANGES))
SUBQUERIES = st.builds(
    "({})[{}:{}]{}".format, SIMPLE, st.sampled_from(["1m", "5m"]), st.sampled_from(["15s", "37s"]), PLACES
)
VECTORS = st.one_of(SIMPLE, st.builds("{}({})".format, FUNCTIONS, SUBQUERIES))
GROUPED = st.builds(
    "{} {} ({})".format,
    st.sampled_from(["sum", "avg", "min", "max", "count", "group", "stddev", "stdvar"]),
    st.sampled_from(["", "by (i)", "by (j, none)", "without (i)"]),
    VECTORS,
)
MATCHING = st.sampled_from(["", "on (i, j)", "ignoring (j)", "on (i)", "ignoring (none)"])
COMPARISONS = st.sampled_from(["==", "!=", ">", "<", ">=", "<=", "> bool", "== bool"])
SETS = st.one_of(
    st.builds("({}) {} {} ({})".format, VECTORS, st.sampled_from(["and", "unless"]), MATCHING, VECTORS),
    st.builds(
        "({}) or {} ({})".format, SELECTORS, MATCHING, SELECTORS
    ),  # of both names or none: names are dropped late
)
# A comparison of two vectors keeps the left one's name, also where a function would have dropped it in the end.
NAMES_KEPT = SELECTORS | GROUPED
SUMS = st.builds("({}) {} {} ({})".format, VECTORS | GROUPED, st.sampled_from("+-*"), MATCHING, VECTORS | GROUPED)
COMPARED = st.builds("({}) {} {} ({})".format, NAMES_KEPT, COMPARISONS, MATCHING, VECTORS | GROUPED)
LOWER = st.builds("on (i) group_left ({}) (max by (i) ({}))".format, st.sampled_from(["", "j"]), VECTORS)
MANY_TO_ONE = st.one_of(
    st.builds("({}) {} {}".format, VECTORS, st.sampled_from("+-*"), LOWER),
    st.builds("({}) {} {}".format, NAMES_KEPT, COMPARISONS, LOWER),
)
JOINED = (
    SETS | SUMS | COMPARED | MANY_TO_ONE | st.builds("({}) {} 3".format, VECTORS, COMPARISONS | st.sampled_from("+-*"))
)
EXPRESSIONS = st.one_of(VECTORS, GROUPED, JOINED, JOINED)


@fuzzed(150)
@given(st.lists(points(), min_size=len(LABELS), max_size=len(LABELS)), EXPRESSIONS)
def test_the_engine_agrees_with_the_naive_reference(samples: list[list[tuple[int, float]]], expression: str) -> None:
    series: Series = list(zip(LABELS, samples, strict=True))
    source = MemorySource([(labels, [ts for ts, _ in pts], [value for _, value in pts]) for labels, pts in series])
    tree = parse(expression).tree
    try:
        every = [evaluate_at(tree, series, time) for time in range(10_000, 600_001, 37_000)]
    except ManyMatchesError:
        with pytest.raises(ExecutionError, match=r"multiple matches for labels|found duplicate series"):
            asyncio.run(evaluate(expression, source, 10, 600, 37))
        return
    answer = asyncio.run(evaluate(expression, source, 10, 600, 37))
    assert isinstance(answer.value, Vector)
    for step, (time, wanted) in enumerate(zip(answer.times.tolist(), every, strict=True)):
        got = {
            tuple(sorted(labels.items())): float(answer.value.values[row, step])
            for row, labels in enumerate(answer.value.labels.rows())
            if answer.value.present[row, step]
        }
        assert got.keys() == wanted.keys()
        for key, value in wanted.items():
            assert math.isclose(got[key], value, rel_tol=1e-9, abs_tol=1e-6), (key, time)
