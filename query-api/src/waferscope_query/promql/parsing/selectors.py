"""Label matchers in braces, and label lists in parentheses."""

from __future__ import annotations

import re2

from waferscope_query.promql.labels import METRIC_NAME
from waferscope_query.promql.matchers import Matcher, MatchOp, compile_regex
from waferscope_query.promql.parsing.cursor import Cursor
from waferscope_query.promql.parsing.literals import is_utf8, quote, scrub
from waferscope_query.promql.parsing.tokens import KEYWORDS, Token

_MATCHING = "label matching"
_GROUPING = "grouping opts"
_NO_LABELS = frozenset({"without"})
_LABELS = tuple({"identifier", "metric identifier", *KEYWORDS} - _NO_LABELS)
_GO_WORDS = {
    "missing )": "missing closing )",
    "missing ]": "missing closing ]",
    "trailing \\": "trailing backslash at end of expression",
    "no argument for repetition operator": "missing argument to repetition operator",
    "invalid repetition size": "invalid repeat count",
    "bad repetition operator": "invalid nested repetition operator",
    "invalid perl operator": "invalid or unsupported Perl syntax",
    "invalid named capture group": "invalid named capture",
}


def parse_matchers(cursor: Cursor) -> tuple[Matcher, ...]:
    """Read `{name="x", "label.b"=~"y", "metric.c"}`, the opening brace being the current token."""
    cursor.expect("{")
    matchers: list[Matcher] = []
    cursor.within(_MATCHING, 'identifier or "}"')
    while not cursor.at("}"):
        cursor.now(_MATCHING, 'identifier or "}"')
        matchers.append(_parse_matcher(cursor))
        cursor.now(_MATCHING, '"," or "}"')
        if not cursor.at("}"):
            cursor.expect(",")
            cursor.now(_MATCHING, 'identifier or "}"')
    cursor.left()
    cursor.advance()
    return tuple(matchers)


def _parse_matcher(cursor: Cursor) -> Matcher:
    name = cursor.expect("identifier", "string")
    text = name.text if name.kind == "identifier" else scrub(cursor.string(name))
    op = cursor.accept(*MatchOp)
    if op is None:
        if name.kind == "string":
            return Matcher(METRIC_NAME, MatchOp.EQUAL, text)
        cursor.now(_MATCHING, "label matching operator")
        raise cursor.unexpected()
    cursor.now(_MATCHING, "string")
    value = cursor.expect("string")
    matcher = Matcher(text, MatchOp(op.kind), scrub(cursor.string(value)))
    _refuse_bad_regex(cursor, matcher, name, value)
    return matcher


def _refuse_bad_regex(cursor: Cursor, matcher: Matcher, name: Token, value: Token) -> None:
    if matcher.op not in (MatchOp.REGEX, MatchOp.NOT_REGEX):
        return
    try:
        compile_regex(matcher.value)
    except re2.error as error:
        raise cursor.error(name.start, value.end, f"error parsing regexp: {_in_go_words(error)}") from None


def _in_go_words(error: re2.error) -> str:
    """RE2's message, worded as Go's regexp package words it."""
    text = error.args[0].decode(errors="replace") if error.args else "invalid pattern"
    what, _, where = text.partition(": ")
    return _GO_WORDS.get(what, what) + (f": `{where}`" if where else "")


def parse_label_list(cursor: Cursor) -> tuple[str, ...]:
    """Read `(a, b, "label.c")`, the list that stands after `by`, `on` or `group_left`."""
    cursor.within(_GROUPING, '"("')
    cursor.expect("(")
    labels: list[str] = []
    cursor.now(_GROUPING, "label")
    while not cursor.at(")"):
        labels.append(_parse_label(cursor))
        cursor.now(_GROUPING, '"," or ")"')
        if not cursor.at(")"):
            cursor.expect(",")
            cursor.now(_GROUPING, "label")
    cursor.left()
    cursor.advance()
    return tuple(labels)


def _parse_label(cursor: Cursor) -> str:
    token = cursor.expect("string", *_LABELS)
    text = cursor.string(token) if token.kind == "string" else token.text
    if not text or not is_utf8(text) or token.kind == "metric identifier":
        raise cursor.error(token.start, token.end, f"invalid label name for grouping: {quote(text)}")
    return text
