"""The columnar engine and the naive reference give the same answers."""

from __future__ import annotations

import asyncio
import math

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from promql_reference import Series, evaluate_at
from promql_script import STALE

from waferscope_query.promql import evaluate
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


SELECTORS = st.sampled_from(["a", "b", 'a{i="1"}', 'b{j!~"x|z"}', "a offset 30s", "b offset -1m"])
REDUCTIONS = [f"{name}_over_time" for name in ("sum", "avg", "min", "max", "count", "stddev")]
FUNCTIONS = st.sampled_from(["rate", "increase", "delta", "resets", "changes", *REDUCTIONS])
RANGES = st.sampled_from(["a[1m]", 'b{i="2"}[5m]', "a[45s] offset 15s", "b[10m]"])
VECTORS = st.one_of(SELECTORS, st.builds("{}({})".format, FUNCTIONS, RANGES))
GROUPED = st.builds(
    "{} {} ({})".format,
    st.sampled_from(["sum", "avg", "min", "max", "count"]),
    st.sampled_from(["", "by (i)", "by (j, none)", "without (i)"]),
    VECTORS,
)
JOINED = st.builds("({}) {} ({})".format, VECTORS, st.sampled_from(["+", "and", "unless"]), VECTORS)
EXPRESSIONS = st.one_of(VECTORS, GROUPED, JOINED, st.builds("({}) > 3".format, VECTORS))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(points(), min_size=len(LABELS), max_size=len(LABELS)), EXPRESSIONS)
def test_the_engine_agrees_with_the_naive_reference(samples: list[list[tuple[int, float]]], expression: str) -> None:
    series: Series = list(zip(LABELS, samples, strict=True))
    source = MemorySource([(labels, [ts for ts, _ in pts], [value for _, value in pts]) for labels, pts in series])
    answer = asyncio.run(evaluate(expression, source, 10, 600, 37))
    assert isinstance(answer.value, Vector)
    tree = parse(expression).tree
    for step, time in enumerate(answer.times.tolist()):
        wanted = evaluate_at(tree, series, time)
        got = {
            tuple(sorted(labels.items())): float(answer.value.values[row, step])
            for row, labels in enumerate(answer.value.labels.rows())
            if answer.value.present[row, step]
        }
        assert got.keys() == wanted.keys()
        for key, value in wanted.items():
            assert math.isclose(got[key], value, rel_tol=1e-9, abs_tol=1e-6), (key, time)
