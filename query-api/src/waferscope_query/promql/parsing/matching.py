"""What may stand behind a binary operator: how the series of both sides match."""

from __future__ import annotations

from dataclasses import replace

from waferscope_query.promql.parsing.cursor import Cursor
from waferscope_query.promql.parsing.selectors import parse_label_list
from waferscope_query.promql.parsing.tokens import FILLS, OPERANDS
from waferscope_query.promql.parsing.tree import Cardinality, Matching


def parse_matching(cursor: Cursor) -> Matching:
    """Read `on (…) group_left (…) fill (…)`, what of it there is."""
    mode = cursor.accept("on", "ignoring")
    if mode is None:
        return _filling(cursor, Matching())
    labels = parse_label_list(cursor)
    group = cursor.accept("group_left", "group_right")
    if group is None:
        return _filling(cursor, Matching(on=mode.kind == "on", labels=labels))
    include = () if _starts_operand(cursor) else parse_label_list(cursor)
    many = Cardinality.MANY_TO_ONE if group.kind == "group_left" else Cardinality.ONE_TO_MANY
    return _filling(cursor, Matching(cardinality=many, on=mode.kind == "on", labels=labels, include=include))


def _filling(cursor: Cursor, matching: Matching) -> Matching:
    if cursor.accept("fill"):
        value = _fill_value(cursor)
        return replace(matching, fill_left=value, fill_right=value)
    if cursor.accept("fill_left"):
        matching = replace(matching, fill_left=_fill_value(cursor))
        return _fill_right(cursor, matching)
    if cursor.at("fill_right"):
        matching = _fill_right(cursor, matching)
        return replace(matching, fill_left=_fill_value(cursor)) if cursor.accept("fill_left") else matching
    return matching


def _fill_right(cursor: Cursor, matching: Matching) -> Matching:
    return replace(matching, fill_right=_fill_value(cursor)) if cursor.accept("fill_right") else matching


def _fill_value(cursor: Cursor) -> float:
    cursor.expect("(")
    sign = cursor.accept("+", "-")
    value = cursor.number(cursor.expect("number", "duration"))
    cursor.expect(")")
    return -value if sign and sign.kind == "-" else value


def _starts_operand(cursor: Cursor) -> bool:
    return not cursor.at("(") and (cursor.at(*FILLS) or cursor.token.kind in OPERANDS)
