"""What `stats` counts: the numbers of Prometheus 3 (promql/engine.go, QuerySamples), which that very engine gave."""

from __future__ import annotations

import asyncio

import pytest

from waferscope_query.promql.control import Control
from waferscope_query.promql.engine import answer
from waferscope_query.promql.errors import TooManySamplesError
from waferscope_query.promql.evaluation.tracing import Trace
from waferscope_query.promql.histograms import Histogram
from waferscope_query.promql.memory import MemorySource
from waferscope_query.promql.parsing import parse
from waferscope_query.promql.plan import plan_instant, plan_range

SERIES = [
    ({"__name__": "x", "tool": tool}, [i * 10_000 for i in range(61)], [float(i) for i in range(61)]) for tool in "abc"
]
NATIVE = Histogram(count=3.0, sum=3.0, positive=(1.0, 2.0), positive_first=1)  # 168 + 8 + 2·8 bytes: 12 samples
SOURCE = MemorySource([*SERIES, ({"__name__": "h"}, [0, 10_000, 20_000], [NATIVE, NATIVE, NATIVE])])


def counted(expression: str, *steps: int) -> Trace:
    query, trace = parse(expression), Trace()
    plan = plan_range(query, *(ms * 1000 for ms in steps)) if len(steps) == 3 else plan_instant(query, steps[0] * 1000)
    asyncio.run(answer(plan, SOURCE, Control(), trace))
    return trace


@pytest.mark.parametrize(
    ("expression", "steps", "consumed", "read"),
    [
        ("x", (600,), [3], [3]),
        ('x{tool="a"}', (600,), [1], [1]),
        ("x offset 10m", (600,), [3], [3]),
        ("x", (1000,), [0], [0]),
        ("sum(x) + x", (600,), [6], [6]),
        ("timestamp(x)", (600,), [3], [3]),
        ("x[1m]", (600,), [18], [18]),
        ("rate(x[1m])", (600,), [18], [18]),
        ("rate(x[1m] offset 595s)", (600,), [3], [3]),  # (-55 s, 5 s] holds one sample of each series
        ("h", (20,), [12], [12]),
        ("rate(h[15s])", (20,), [24], [24]),
        ("time()", (600,), [0], [0]),
        ("x", (0, 60, 30), [3, 3, 3], [3, 3, 3]),
        ("rate(x[1m])", (60, 120, 30), [18, 18, 18], [18, 9, 9]),
        ("rate(x[20s])", (60, 180, 60), [6, 6, 6], [6, 6, 6]),
        ("x @ 100", (0, 60, 30), [3, 3, 3], [3, 0, 0]),
        ("rate(x[1m] @ 100)", (0, 60, 30), [18, 18, 18], [18, 0, 0]),
        ("max_over_time(x[1m:30s])", (60,), [6], [6]),  # inner steps 30 and 60
        ("max_over_time(x[1m:30s])", (60, 120, 30), [6, 6, 6], [6, 3, 3]),
        ("max_over_time(rate(x[1m])[1m:30s])", (60, 120, 60), [30, 36], [21, 18]),
        ("sum_over_time(sum_over_time(x[20s:10s])[20s:10s])", (100,), [12], [9]),
        ("x and x", (0, 30, 30), [6, 6], [6, 6]),
    ],
)
def test_samples_are_counted_as_prometheus_does(
    expression: str, steps: tuple[int, ...], consumed: list[int], read: list[int]
) -> None:
    counts = counted(expression, *steps).counts
    assert (counts.consumed.tolist(), counts.read.tolist()) == (consumed, read)


@pytest.mark.parametrize(
    ("expression", "series", "peak"),
    [("x", 3, 9), ('x{tool="a"}', 1, 3), ("sum(x)", 3, 9), ("x @ 100", 3, 9)],
)
def test_series_and_the_peak_of_three_steps(expression: str, series: int, peak: int) -> None:
    trace = counted(expression, 0, 60, 30)
    assert (trace.counts.series, trace.peak) == (series, peak)


def test_a_subquery_that_is_refused_is_not_counted_before() -> None:
    with pytest.raises(TooManySamplesError):
        counted("sum_over_time(x[290y:1ms])", 600)


def test_seconds_of_a_node_are_its_own_and_those_below() -> None:
    plan, trace = plan_instant(parse("sum(rate(x[1m])) + 1"), 600_000), Trace()
    asyncio.run(answer(plan, SOURCE, Control(), trace))
    root = trace.nodes[id(plan.query.tree)]
    assert root.seconds >= root.below > 0
    assert sum(node.own for node in trace.nodes.values()) <= root.seconds
    assert [node.calls for node in trace.nodes.values()] == [1] * len(trace.nodes)
