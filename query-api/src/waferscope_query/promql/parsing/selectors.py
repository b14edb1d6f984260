"""Label matchers in braces, and label lists in parentheses."""

from __future__ import annotations

import re2

from waferscope_query.promql.labels import METRIC_NAME
from waferscope_query.promql.matchers import Matcher, MatchOp, compile_regex
from waferscope_query.promql.parsing.cursor import Cursor
from waferscope_query.promql.parsing.lexer import NAMES_AND_KEYWORDS, Token
from waferscope_query.promql.parsing.literals import quote

_MATCHING = "label matching"
_GROUPING = "grouping opts"


def parse_matchers(cursor: Cursor) -> tuple[Matcher, ...]:
    """Read `{name="x", "label.b"=~"y", "metric.c"}`, the opening brace being the current token."""
    cursor.expect("{")
    matchers: list[Matcher] = []
    while not cursor.at("}"):
        matchers.append(_parse_matcher(cursor))
        if not cursor.accept(",") and not cursor.at("}"):
            raise cursor.unexpected(_MATCHING, '"," or "}"')
    cursor.advance()
    return tuple(matchers)


def _parse_matcher(cursor: Cursor) -> Matcher:
    name = cursor.accept("identifier", "string")
    if name is None:
        raise cursor.unexpected(_MATCHING, 'identifier or "}"')
    text = name.text if name.kind == "identifier" else cursor.string(name)
    if name.kind == "string" and cursor.at(",", "}"):
        return Matcher(METRIC_NAME, MatchOp.EQUAL, text)
    op = cursor.accept(*MatchOp)
    if op is None:
        raise cursor.unexpected(_MATCHING, "label matching operator")
    value = cursor.expect("string", _MATCHING, "string")
    matcher = Matcher(text, MatchOp(op.kind), cursor.string(value))
    _refuse_bad_regex(cursor, matcher, name, value)
    return matcher


def _refuse_bad_regex(cursor: Cursor, matcher: Matcher, name: Token, value: Token) -> None:
    if matcher.op not in (MatchOp.REGEX, MatchOp.NOT_REGEX):
        return
    try:
        compile_regex(matcher.value)
    except re2.error as error:
        text = error.args[0].decode(errors="replace") if error.args else "invalid pattern"
        raise cursor.error(name.start, value.end, f"error parsing regexp: {text}") from None


def parse_label_list(cursor: Cursor) -> tuple[str, ...]:
    """Read `(a, b, "label.c")`, the list that stands after `by`, `on` or `group_left`."""
    cursor.expect("(", _GROUPING, '"("')
    labels: list[str] = []
    while not cursor.at(")"):
        labels.append(_parse_label(cursor))
        if not cursor.accept(",") and not cursor.at(")"):
            raise cursor.unexpected(_GROUPING, '"," or ")"')
    cursor.advance()
    return tuple(labels)


def _parse_label(cursor: Cursor) -> str:
    token = cursor.accept("identifier", "metric identifier", "string", *NAMES_AND_KEYWORDS)
    if token is None:
        raise cursor.unexpected(_GROUPING, "label")
    text = cursor.string(token) if token.kind == "string" else token.text
    if not text:
        raise cursor.error(token.start, token.end, f"invalid label name for grouping: {quote(text)}")
    return text
