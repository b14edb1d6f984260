"""A query that is watched: what each node takes, and the samples it consumes. Nobody else pays for it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from waferscope_query.promql.evaluation.context import Context
from waferscope_query.promql.evaluation.counting import SampleCounts, weights
from waferscope_query.promql.evaluation.holding import Visit
from waferscope_query.promql.evaluation.selecting import looked_up_times, subquery_steps
from waferscope_query.promql.evaluation.values import Scalar, String, Value, Vector
from waferscope_query.promql.grid import Grid
from waferscope_query.promql.parsing.tree import (
    Aggregate,
    Call,
    Expr,
    Invariant,
    MatrixSelector,
    Subquery,
    VectorSelector,
    unwrap,
)
from waferscope_query.promql.source import Samples


@dataclass(slots=True)
class NodeTrace:
    """What a node took.

    Attributes:
        calls: How often it was evaluated.
        seconds: With all below it.
        below: Seconds of those below it.
        series: Of its value.
        values: In it: cells that are present, or samples.
    """

    calls: int = 0
    seconds: float = 0.0
    below: float = 0.0
    series: int = 0
    values: int = 0

    @property
    def own(self) -> float:
        """Seconds of the node alone."""
        return max(0.0, self.seconds - self.below)


class Trace:
    """Of one query.

    Attributes:
        nodes: By the identity of a node in the plan's tree.
        counts: The samples consumed.
        samples: What the selections of the plan brought.
        peak: Samples and results held at a time: Prometheus's number for selectors and aggregations, else about it.
        selecting: Seconds that fetching the samples took.
        evaluating: Seconds that computing took.
    """

    def __init__(self) -> None:
        self.nodes: dict[int, NodeTrace] = {}
        self.counts = SampleCounts(Grid(0, 0, 1))
        self.samples: Sequence[Samples] = ()
        self.peak = 0
        self.selecting = 0.0
        self.evaluating = 0.0
        self._visit: Visit = _unknown
        self._held = 0
        self._above: list[NodeTrace] = []

    def tracing(self, visit: Visit, grid: Grid) -> Visit:
        """Watch an evaluation over the steps of `grid`."""
        self._visit = visit
        self.counts = SampleCounts(grid)
        return self._traced

    def _traced(self, node: Expr, context: Context) -> Value:
        note = self.nodes.setdefault(id(node), NodeTrace())
        before, counts = self._held, self.counts
        if isinstance(node, Subquery | Invariant):
            self.counts = SampleCounts(_inner_grid(node, context))
        self._above.append(note)
        began = time.perf_counter()
        value = self._visit(node, context)
        seconds = time.perf_counter() - began
        self._above.pop()
        inner, self.counts = self.counts, counts
        size = self._count(node, context, value, inner)
        operands = 0 if isinstance(node, Aggregate | Invariant) else self._held - before  # their value takes the place
        self.peak = max(self.peak, before + operands + size)
        self._held = before + size
        note.calls += 1
        note.seconds += seconds
        note.series, note.values = _extent(value)
        if self._above:
            self._above[-1].below += time.perf_counter() - began  # counting is nobody's own
        return value

    def _count(self, node: Expr, context: Context, value: Value, inner: SampleCounts) -> int:
        """Count what a node consumed; returns what its value holds."""
        if isinstance(node, Invariant):
            self.counts.add_repeated(inner)
        elif isinstance(node, Subquery):
            self.counts.add_subquery(inner, node, looked_up_times(node, context))
        elif isinstance(node, VectorSelector) and isinstance(value, Vector):
            self.counts.add_vector(value, len(context.samples[node.start].labels))
        elif isinstance(node, MatrixSelector) and not isinstance(value, Scalar | String | Vector):
            return self.counts.add_windows(value, context.limits.lookback_ms)
        elif isinstance(node, Call) and node.function == "timestamp" and isinstance(value, Vector):
            selector = unwrap(node.args[0])
            if isinstance(selector, VectorSelector):  # its value is never asked for
                self.counts.add_vector(value, len(value.labels))
        return int(weights(value).sum()) if isinstance(value, Vector) else _extent(value)[1]


def _unknown(node: Expr, context: Context) -> Value:
    raise TypeError(f"{node} is evaluated before anything is traced, in {context}")


def _inner_grid(node: Subquery | Invariant, context: Context) -> Grid:
    once = Grid(context.grid.start_ms, context.grid.start_ms, 1)
    if isinstance(node, Invariant):
        return once
    steps = subquery_steps(node, context)
    return steps if steps.count <= context.limits.max_samples else once  # which is going to be refused


def _extent(value: Value) -> tuple[int, int]:
    """Series and values."""
    if isinstance(value, Vector):
        return len(value), int(value.present.sum())
    if isinstance(value, Scalar):
        return 1, len(value.values)
    if isinstance(value, String):
        return 0, 0
    return len(value.samples.labels), len(value.samples.ts)
