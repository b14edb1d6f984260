"""The syntax tree: frozen nodes, each with the characters it was read from."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import ClassVar

from waferscope_query.promql.matchers import Matcher

MAX_DEPTH = 500


class ValueType(enum.StrEnum):
    """The types of PromQL, named as Prometheus documents them."""

    SCALAR = "scalar"
    VECTOR = "instant vector"
    MATRIX = "range vector"
    STRING = "string"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expr:
    """A node.

    Attributes:
        start: First character in the expression (0-based).
        end: One past the last character.
        type: What the node evaluates to.
    """

    start: int
    end: int
    type: ValueType

    @property
    def children(self) -> tuple[Expr, ...]:
        """The operands, in the order of evaluation."""
        return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberLiteral(Expr):
    """A number, or a duration in seconds; `duration` tells how it was written."""

    value: float
    duration: bool = False
    type: ValueType = ValueType.SCALAR


@dataclass(frozen=True, slots=True, kw_only=True)
class StringLiteral(Expr):
    """A string."""

    value: str
    type: ValueType = ValueType.STRING


@dataclass(frozen=True, slots=True, kw_only=True)
class Duration(Expr):
    """An expression in place of a duration, in seconds.

    Attributes:
        op: An arithmetic operator (a sign where `left` is missing), `step`, `range`, `max_of` or `min_of`.
        left: Left operand.
        right: Right operand, or the only one.
        wrapped: Whether it stands in parentheses.
    """

    op: str
    left: Expr | None = None
    right: Expr | None = None
    wrapped: bool = False
    type: ValueType = ValueType.SCALAR


class Edge(enum.StrEnum):
    """The ends of a query's range, for `@ start()` and `@ end()`."""

    START = "start"
    END = "end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selecting(Expr):
    """What selectors and subqueries share: `offset` and `@`.

    Attributes:
        offset_ms: How far back to look; negative looks ahead.
        offset_expr: What gives the offset once the query's steps are known, instead of `offset_ms`.
        at: A fixed time in ms, or an end of the query's range, instead of each step's own time.
    """

    offset_ms: int = 0
    offset_expr: Duration | None = None
    at: int | Edge | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorSelector(Selecting):
    """An instant vector selector.

    Attributes:
        name: The metric name written before the braces, which is also the last matcher.
        matchers: All of them have to match.
        extension: `anchored`, `smoothed` or nothing: how samples beyond the range count.
    """

    name: str
    matchers: tuple[Matcher, ...]
    extension: str = ""
    type: ValueType = ValueType.VECTOR


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixSelector(Selecting):
    """A range vector selector; `offset` and `@` stand here, not on `selector`."""

    selector: VectorSelector
    range_ms: int
    range_expr: Duration | None = None
    type: ValueType = ValueType.MATRIX

    @property
    def children(self) -> tuple[Expr, ...]:
        """The vector selector."""
        return (self.selector,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subquery(Selecting):
    """`expr[range:step]`; without a step the engine's default applies."""

    expr: Expr
    range_ms: int
    step_ms: int | None
    range_expr: Duration | None = None
    step_expr: Duration | None = None
    type: ValueType = ValueType.MATRIX

    @property
    def children(self) -> tuple[Expr, ...]:
        """The inner expression."""
        return (self.expr,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Paren(Expr):
    """An expression in parentheses."""

    expr: Expr

    @property
    def children(self) -> tuple[Expr, ...]:
        """What stands inside."""
        return (self.expr,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unary(Expr):
    """`+expr` or `-expr`."""

    op: str
    expr: Expr

    @property
    def children(self) -> tuple[Expr, ...]:
        """The operand."""
        return (self.expr,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Invariant(Expr):
    """An expression with the same value at every step; put in when planning."""

    expr: Expr

    @property
    def children(self) -> tuple[Expr, ...]:
        """The expression."""
        return (self.expr,)


def unwrap(node: Expr) -> Expr:
    """What stands inside any parentheses."""
    while isinstance(node, (Paren, Invariant)):
        node = node.expr
    return node


class Cardinality(enum.StrEnum):
    """How many series of each side may match one of the other."""

    ONE_TO_ONE = "one-to-one"
    MANY_TO_ONE = "many-to-one"
    ONE_TO_MANY = "one-to-many"
    MANY_TO_MANY = "many-to-many"


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """How the series of two vectors find each other.

    Attributes:
        cardinality: Which side may be "many".
        on: Whether `labels` are those to match on, or those to ignore.
        labels: The labels of `on` or `ignoring`.
        include: Labels that `group_left` or `group_right` copies from the "one" side.
        fill_left: The value of a series that the left side lacks; None where nothing is filled in.
        fill_right: The same for the right side.
    """

    cardinality: Cardinality = Cardinality.ONE_TO_ONE
    on: bool = False
    labels: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    fill_left: float | None = None
    fill_right: float | None = None

    @property
    def fills(self) -> bool:
        """Whether missing series are filled in."""
        return self.fill_left is not None or self.fill_right is not None


COMPARISONS = frozenset({"==", "!=", ">", "<", ">=", "<="})
SET_OPERATORS = frozenset({"and", "or", "unless"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary(Expr):
    """`left op right`; `op_start` and `op_end` frame the operator with its modifiers."""

    op: str
    left: Expr
    right: Expr
    return_bool: bool
    matching: Matching
    op_start: int
    op_end: int

    @property
    def children(self) -> tuple[Expr, ...]:
        """Left and right."""
        return (self.left, self.right)


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate(Expr):
    """`op by (grouping) (param, expr)`."""

    PARAMETRIC: ClassVar[frozenset[str]] = frozenset(
        {"topk", "bottomk", "quantile", "count_values", "limitk", "limit_ratio"}
    )

    op: str
    expr: Expr
    param: Expr | None
    grouping: tuple[str, ...]
    without: bool
    type: ValueType = ValueType.VECTOR

    @property
    def children(self) -> tuple[Expr, ...]:
        """Parameter, if any, and operand."""
        return (self.expr,) if self.param is None else (self.param, self.expr)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Expr):
    """A function call."""

    function: str
    args: tuple[Expr, ...]

    @property
    def children(self) -> tuple[Expr, ...]:
        """The arguments."""
        return self.args
