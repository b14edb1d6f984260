"""An expression in one line, as Prometheus prints it."""

from __future__ import annotations

from functools import singledispatch

from waferscope_query.promql.labels import METRIC_NAME
from waferscope_query.promql.matchers import Matcher, MatchOp
from waferscope_query.promql.parsing.lexer import is_plain_name
from waferscope_query.promql.parsing.literals import quote
from waferscope_query.promql.parsing.tree import (
    SET_OPERATORS,
    Aggregate,
    Binary,
    Call,
    Cardinality,
    Duration,
    Edge,
    Expr,
    Matching,
    MatrixSelector,
    NumberLiteral,
    Paren,
    Selecting,
    StringLiteral,
    Subquery,
    Unary,
    ValueType,
    VectorSelector,
)
from waferscope_query.promql.text import float_text, general_text

_UNITS = (
    ("y", 365 * 86_400_000, True),
    ("w", 7 * 86_400_000, True),
    ("d", 86_400_000, False),
    ("h", 3_600_000, False),
    ("m", 60_000, False),
    ("s", 1_000, False),
    ("ms", 1, False),
)  # years and weeks only where nothing is left: 90d reads better than 12w6d


def duration_text(duration_ms: int) -> str:
    """A duration such as `1h30m`."""
    text = ""
    for unit, size, whole in _UNITS:
        if duration_ms >= size and not (whole and duration_ms % size):
            text += f"{duration_ms // size}{unit}"
            duration_ms %= size
    return text or "0s"


@singledispatch
def plain(node: Expr) -> str:
    """A node in one line."""
    raise TypeError(f"no way to print {type(node).__name__}")


@plain.register
def _(node: NumberLiteral) -> str:
    if not node.duration:
        return float_text(node.value)
    sign = "-" if node.value < 0 else ""
    return sign + duration_text(int(abs(node.value) * 1e9) // 1_000_000)


@plain.register
def _(node: StringLiteral) -> str:
    return quote(node.value)


@plain.register
def _(node: Paren) -> str:
    return f"({plain(node.expr)})"


@plain.register
def _(node: Unary) -> str:
    return node.op + plain(node.expr)


@plain.register
def _(node: Binary) -> str:
    return f"{plain(node.left)} {operator_text(node)} {plain(node.right)}"


def operator_text(node: Binary) -> str:
    """The operator with its modifiers."""
    bool_text = " bool" if node.return_bool else ""
    return node.op + bool_text + matching_text(effective_matching(node))


def effective_matching(node: Binary) -> Matching | None:
    """How the operands match; only vectors do."""
    if node.left.type == node.right.type == ValueType.VECTOR:
        return node.matching
    return None


def cardinality(node: Binary) -> Cardinality:
    """The cardinality; that of set operators is many-to-many."""
    if node.op in SET_OPERATORS and node.matching.cardinality == Cardinality.ONE_TO_ONE:
        return Cardinality.MANY_TO_MANY
    return node.matching.cardinality


def matching_text(matching: Matching | None) -> str:
    """The modifiers that say how operands match, each with a space in front."""
    if matching is None:
        return ""
    text = ""
    grouped = matching.cardinality in (Cardinality.MANY_TO_ONE, Cardinality.ONE_TO_MANY)
    if matching.labels or matching.on or grouped:
        text += f" {'on' if matching.on else 'ignoring'} ({_labels(matching.labels)})"
    if grouped:
        side = "left" if matching.cardinality == Cardinality.MANY_TO_ONE else "right"
        text += f" group_{side} ({_labels(matching.include)})"
    return text + _fill_text(matching)


def _fill_text(matching: Matching) -> str:
    left, right = matching.fill_left, matching.fill_right
    if left is not None and left == right:
        return f" fill ({general_text(left)})"
    text = "" if left is None else f" fill_left ({general_text(left)})"
    return text if right is None else f"{text} fill_right ({general_text(right)})"


def _labels(names: tuple[str, ...]) -> str:
    return ", ".join(name if is_plain_name(name) else quote(name) for name in names)


@plain.register
def _(node: Aggregate) -> str:
    args = [node.expr] if node.param is None else [node.param, node.expr]
    return f"{aggregation_text(node)}({', '.join(map(plain, args))})"


def aggregation_text(node: Aggregate) -> str:
    """The operator with its grouping."""
    if node.without:
        return f"{node.op} without ({_labels(node.grouping)}) "
    return f"{node.op} by ({_labels(node.grouping)}) " if node.grouping else node.op


@plain.register
def _(node: Call) -> str:
    return f"{node.function}({', '.join(map(plain, node.args))})"


@plain.register
def _(node: VectorSelector) -> str:
    extension = f" {node.extension}" if node.extension else ""
    return _series_text(node) + _at_text(node) + extension + _offset_text(node)


@plain.register
def _(node: MatrixSelector) -> str:
    selector = node.selector
    extension = f" {selector.extension}" if selector.extension else ""
    duration = _duration_or(node.range_expr, node.range_ms)
    return f"{_series_text(selector)}[{duration}]{extension}{_at_text(node)}{_offset_text(node)}"


@plain.register
def _(node: Subquery) -> str:
    return plain(node.expr) + subquery_text(node)


def subquery_text(node: Subquery) -> str:
    """Range, step and modifiers of a subquery."""
    step = _duration_or(node.step_expr, node.step_ms) if node.step_expr or node.step_ms else ""
    return f"[{_duration_or(node.range_expr, node.range_ms)}:{step}]{_at_text(node)}{_offset_text(node)}"


def _series_text(node: VectorSelector) -> str:
    shown = sorted(_matcher_text(matcher) for matcher in node.matchers if not _is_own_name(matcher, node.name))
    return node.name + ("{" + ",".join(shown) + "}" if shown else "")


def _is_own_name(matcher: Matcher, name: str) -> bool:
    own = matcher.name == METRIC_NAME and matcher.op == MatchOp.EQUAL and matcher.value == name
    return own and bool(name)


def _matcher_text(matcher: Matcher) -> str:
    name = matcher.name if is_plain_name(matcher.name) else quote(matcher.name)
    return f"{name}{matcher.op}{quote(matcher.value)}"


def _at_text(node: Selecting) -> str:
    if isinstance(node.at, Edge):
        return f" @ {node.at}()"
    return "" if node.at is None else f" @ {node.at / 1000:.3f}"


def _offset_text(node: Selecting) -> str:
    if node.offset_expr is not None:
        return f" offset {plain(node.offset_expr)}"
    sign = "-" if node.offset_ms < 0 else ""
    return f" offset {sign}{duration_text(abs(node.offset_ms))}" if node.offset_ms else ""


def _duration_or(expr: Duration | None, duration_ms: int | None) -> str:
    return duration_text(duration_ms or 0) if expr is None else plain(expr)


@plain.register
def _(node: Duration) -> str:
    text = _bare_duration(node)
    return f"({text})" if node.wrapped else text


def _bare_duration(node: Duration) -> str:
    if node.right is None:
        return f"{node.op}()"
    right = plain(node.right)
    if node.left is None:
        return right if node.op == "+" else node.op + right
    if node.op in ("max_of", "min_of"):
        return f"{node.op}({plain(node.left)}, {right})"
    return f"{plain(node.left)} {node.op} {right}"
