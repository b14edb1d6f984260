"""Which info series info() reads: what its second argument asks for, at the times its first one looks at."""

from __future__ import annotations

from dataclasses import dataclass

from waferscope_query.promql.grid import Grid
from waferscope_query.promql.labels import METRIC_NAME
from waferscope_query.promql.matchers import Matcher, MatchOp
from waferscope_query.promql.parsing.tree import Call, VectorSelector
from waferscope_query.promql.references import reference

_TARGET_INFO = Matcher(METRIC_NAME, MatchOp.EQUAL, "target_info")
_ANY_INFO = Matcher(METRIC_NAME, MatchOp.REGEX, ".+_info")


@dataclass(frozen=True, slots=True)
class InfoLookup:
    """What to read.

    Attributes:
        names: Conditions on the metric's name.
        data: Conditions on the other labels; where there are any, only these labels are added.
        at: A fixed time in ms instead of each step's own.
        offset_ms: How far back to look.
    """

    names: tuple[Matcher, ...]
    data: tuple[Matcher, ...]
    at: int | None
    offset_ms: int


def info_lookup(node: Call, grid: Grid) -> InfoLookup:
    """What a call of info() reads; `grid` is the query's own, for `@ start()` and `@ end()`."""
    selector = node.args[1] if len(node.args) > 1 else None
    matchers = selector.matchers if isinstance(selector, VectorSelector) else ()
    names = tuple(matcher for matcher in matchers if matcher.name == METRIC_NAME)
    data = tuple(matcher for matcher in matchers if matcher.name != METRIC_NAME)
    at, offset_ms = reference(node.args[0], grid)
    return InfoLookup(_effective(names), data, at, offset_ms)


def _effective(names: tuple[Matcher, ...]) -> tuple[Matcher, ...]:
    if any(not matcher.op.negative for matcher in names):
        return names
    return (_ANY_INFO, *names) if names else (_TARGET_INFO,)
