"""What the nodes of an expression share while it is evaluated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from waferscope_query.promql.control import Control
from waferscope_query.promql.errors import TooManySamplesError
from waferscope_query.promql.evaluation.notes import Notes
from waferscope_query.promql.evaluation.past import Past
from waferscope_query.promql.evaluation.values import Scalar, String, Value, Vector, Windows
from waferscope_query.promql.grid import Grid, Limits
from waferscope_query.promql.labels import ScratchPool
from waferscope_query.promql.parallel import over_blocks
from waferscope_query.promql.parsing.tree import Expr
from waferscope_query.promql.source import Samples

_CELLS_PER_BLOCK = 100_000  # worth handing over to another thread


@dataclass(frozen=True, slots=True, eq=False)
class Context:
    """The surroundings of a node.

    Attributes:
        visit: Evaluates any node in a context.
        grid: The steps to evaluate at: the query's, or a subquery's own.
        query: The query's steps, which `@ start()` and `@ end()` mean.
        limits: What the query may use.
        samples: The fetched samples by the first character of their selector.
        pool: The query's strings.
        control: Deadline, cancellation, and what the query may use.
        notes: Where annotations go.
        past: The fetched rollups by the first character of their selector or of the function of its range.
        times: int64[s], ms: the steps of `grid`.
    """

    visit: Callable[[Expr, Context], Value]
    grid: Grid
    query: Grid
    limits: Limits
    samples: Mapping[int, Samples]
    pool: ScratchPool
    control: Control
    notes: Notes
    past: Mapping[int, Past] = field(default_factory=dict)
    times: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "times", self.grid.times)

    def over(self, grid: Grid) -> Context:
        """The same surroundings over other steps."""
        return replace(self, grid=grid)

    def vector(self, node: Expr) -> Vector:
        """Evaluate a node of type instant vector."""
        value = self.visit(node, self)
        assert isinstance(value, Vector)
        return value

    def floats(self, node: Expr) -> Vector:
        """Evaluate a node of type instant vector and leave its histograms out."""
        return self.vector(node).floats()

    def scalar(self, node: Expr) -> NDArray[np.float64]:
        """Evaluate a node of type scalar: float64[s]."""
        value = self.visit(node, self)
        assert isinstance(value, Scalar)
        return value.values

    def string(self, node: Expr) -> str:
        """Evaluate a node of type string."""
        value = self.visit(node, self)
        assert isinstance(value, String)
        return value.value

    def windows(self, node: Expr) -> Windows:
        """Evaluate a node of type range vector."""
        value = self.visit(node, self)
        assert isinstance(value, Windows)
        return value

    def cells(self, series: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Room for a result: values float64[series, s] and present bool[series, s], nothing present.

        Raises:
            TooManySamplesError: The limit forbids it.
            MemoryLimitError: The query's share of memory is too small for it.
            MemoryExhaustedError: Other queries have the memory.
        """
        steps = len(self.times)
        if series * steps > self.limits.max_samples:
            raise TooManySamplesError
        values, present = np.zeros((series, steps)), np.zeros((series, steps), np.bool_)  # no memory until used
        self.control.usage.hold(values, present)
        return values, present

    def over_blocks(self, count: int, kernel: Callable[..., None], *arrays: Any) -> None:
        """Call `kernel(*arrays, first, last)` for blocks of `count` series in threads; deadline and cancel are heeded.

        Raises:
            QueryTimeoutError: The deadline has passed.
            QueryCanceledError: The query was canceled.
        """
        over_blocks(count, lambda first, last: kernel(*arrays, first, last), self.control.check)

    def over_steps(self, rows: int, kernel: Callable[..., None], *arrays: Any) -> None:
        """Likewise for blocks of the steps, at each of which a kernel goes through `rows` series."""
        least = max(1, _CELLS_PER_BLOCK // max(rows, 1))
        over_blocks(len(self.times), lambda first, last: kernel(*arrays, first, last), self.control.check, least)
