"""The steps of a query and of its subqueries, and what a query may use."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from waferscope_query.promql.parsing.tree import Edge, Selecting, Subquery


@dataclass(frozen=True, slots=True)
class Grid:
    """The steps an expression is evaluated at: start, start + step, … up to end, in ms.

    An instant query is a grid of one step.
    """

    start_ms: int
    end_ms: int
    step_ms: int

    @property
    def times(self) -> NDArray[np.int64]:
        """int64[s]: the steps."""
        return np.arange(self.start_ms, self.end_ms + 1, self.step_ms, dtype=np.int64)

    @property
    def last_ms(self) -> int:
        """The last step."""
        return self.start_ms + (self.count - 1) * self.step_ms

    @property
    def count(self) -> int:
        """How many steps there are."""
        return max(0, (self.end_ms - self.start_ms) // self.step_ms + 1)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a query may ask for.

    Attributes:
        lookback_ms: How old a sample may be to count at a step.
        subquery_step_ms: The step of a subquery that names none.
        max_samples: Samples that may be held at once, read or computed.
        max_series: Series that its selectors may match, together.
        max_steps: Steps of a range query.
        use_starts: Whether functions of counters look at start timestamps.
    """

    lookback_ms: int = 300_000
    subquery_step_ms: int = 60_000
    max_samples: int = 50_000_000
    max_series: int = 1_000_000
    max_steps: int = 11_000
    use_starts: bool = False


DEFAULT_LIMITS = Limits()


def fixed_time(node: Selecting, grid: Grid) -> int | None:
    """The time an `@` modifier fixes, in ms, or None without one; `grid` is the query's own."""
    if isinstance(node.at, Edge):
        return grid.start_ms if node.at == Edge.START else grid.end_ms
    return node.at


def subquery_grid(node: Subquery, first_ms: int, last_ms: int, limits: Limits) -> Grid:
    """The absolute-aligned inner steps that cover the windows of steps first_ms to last_ms (offset applied)."""
    step = node.step_ms or limits.subquery_step_ms
    left = first_ms - node.range_ms
    start = step * int(left / step)  # towards zero, as Go divides
    if start <= left:
        start += step
    return Grid(start, last_ms, step)
