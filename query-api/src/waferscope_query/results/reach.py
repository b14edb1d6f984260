"""Which samples a step of an answer stands on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from waferscope_query.promql.parsing.tree import Aggregate, Binary, Call, Duration, Expr, Selecting, Subquery
from waferscope_query.promql.plan import Plan

_OF_THE_RANGE = frozenset({"start", "end", "range", "step"})
_RELABELING = frozenset({"label_replace", "label_join"})


@dataclass(frozen=True, slots=True)
class Reach:
    """How far from a step its samples lie at most.

    Attributes:
        behind_ms: Before it.
        ahead_ms: After it; negative where there is always some time between.
    """

    behind_ms: int
    ahead_ms: int

    def steps(self, touched: tuple[int, int]) -> tuple[int, int]:
        """The first and last time at which a step may stand on samples of a time range (ms, inclusive)."""
        return touched[0] - self.ahead_ms, touched[1] + self.behind_ms


def reach_of(plan: Plan) -> Reach | None:
    """Tell what each step of a plan stands on.

    Args:
        plan: Of a range query.

    Returns:
        The reach; None where a step's value depends on the range that is asked for, or on no sample.
    """
    nodes = list(_nodes(plan.asked.tree))
    if (
        not plan.selections
        or any(one.starts for one in plan.selections)
        or any(map(_of_range, nodes))
        or _names_depend(nodes)
    ):
        return None
    inner = sum(node.step_ms or plan.limits.subquery_step_ms for node in nodes if isinstance(node, Subquery))
    return Reach(
        behind_ms=max(plan.grid.start_ms - one.start_ms for one in plan.selections) + inner,
        ahead_ms=max(one.end_ms - plan.grid.end_ms for one in plan.selections) + inner,
    )


def _of_range(node: Expr) -> bool:
    """Whether a node means the query's range, or a fixed time."""
    if isinstance(node, Duration) or (isinstance(node, Call) and node.function in _OF_THE_RANGE):
        return True
    if not isinstance(node, Selecting):
        return False
    given = (getattr(node, name, None) for name in ("at", "offset_expr", "range_expr", "step_expr"))
    return any(one is not None for one in given)


def _names_depend(nodes: list[Expr]) -> bool:
    """Whether a series may keep its name or lose it as earlier steps have it: one that `or` makes of two."""
    joined = any(isinstance(node, Binary) and node.op == "or" for node in nodes)
    named = any(
        (isinstance(node, Call) and node.function in _RELABELING)
        or (isinstance(node, Aggregate) and not node.without and "__name__" in node.grouping)
        for node in nodes
    )
    return joined and named


def _nodes(tree: Expr) -> Iterator[Expr]:
    yield tree
    for child in tree.children:
        yield from _nodes(child)
