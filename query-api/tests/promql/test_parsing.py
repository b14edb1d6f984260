from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waferscope_query.promql.errors import ParseError
from waferscope_query.promql.labels import METRIC_NAME
from waferscope_query.promql.matchers import Matcher, MatchOp
from waferscope_query.promql.parsing import parse
from waferscope_query.promql.parsing.tree import (
    Binary,
    Call,
    Edge,
    MatrixSelector,
    NumberLiteral,
    StringLiteral,
    Subquery,
    VectorSelector,
)

UNARY = "unary expression only allowed on expressions of type scalar or instant vector"
REFUSED = [
    ("", "unknown position: parse error: no expression found in input"),
    ("1 +", "1:4: parse error: unexpected end of input"),
    ("foo\n  bar", '2:3: parse error: unexpected identifier "bar"'),
    ("²", "1:1: parse error: unexpected character: '²'"),
    ('"é" oder', '1:6: parse error: unexpected identifier "oder"'),
    ("sum(", "1:5: parse error: unclosed left parenthesis"),
    ("a)", "1:3: parse error: unexpected right parenthesis ')'"),
    ("a]", "1:2: parse error: unexpected right bracket ']'"),
    ("a ! b", "1:3: parse error: unexpected character after '!': ' '"),
    ("a =~ b", "1:3: parse error: unexpected character after '=': '~'"),
    ('a{b="c', "1:5: parse error: unterminated quoted string"),
    ('a{b="c"', "1:8: parse error: unexpected end of input inside braces"),
    ('a{b="c" d="e"}', '1:9: parse error: unexpected identifier "d" in label matching, expected "," or "}"'),
    ("a{b}", '1:4: parse error: unexpected "}" in label matching, expected label matching operator'),
    ("a{b=c}", '1:5: parse error: unexpected identifier "c" in label matching, expected string'),
    ('a{b=~"("}', "1:3: parse error: error parsing regexp: missing closing ): `(`"),
    ("5x", '1:1: parse error: bad number or duration syntax: "5"'),
    ("nope(1)", '1:1: parse error: unknown function with name "nope"'),
    ("rate(foo)", '1:6: parse error: expected type range vector in call to function "rate", got instant vector'),
    ("rate()", '1:1: parse error: expected 1 argument(s) in call to "rate", got 0'),
    ("round(a, 1, 2)", '1:1: parse error: expected at most 2 argument(s) in call to "round", got 3'),
    ("label_join(a)", '1:1: parse error: expected at least 3 argument(s) in call to "label_join", got 1'),
    ("abs(a,)", "1:6: parse error: trailing commas not allowed in function call args"),
    ("sum()", "1:1: parse error: no arguments for aggregate expression provided"),
    ("topk(1)", "1:1: parse error: wrong number of arguments for aggregate expression provided, expected 2, got 1"),
    ('topk("a", b)', "1:6: parse error: expected type scalar in aggregation parameter, got string"),
    ("sum(1)", "1:5: parse error: expected type instant vector in aggregation expression, got scalar"),
    ("sum by (a b) (c)", '1:11: parse error: unexpected identifier "b" in grouping opts, expected "," or ")"'),
    ("1 == 1", "1:3: parse error: comparisons between scalars must use BOOL modifier"),
    ("a + bool b", "1:3: parse error: bool modifier can only be used on comparison operators"),
    ("a and 1", '1:1: parse error: set operator "and" not allowed in binary scalar expression'),
    ("a and on(b) group_left c", '1:1: parse error: no grouping allowed for "and" operation'),
    ("a + on(b) group_left(b) c", '1:3: parse error: label "b" must not occur in ON and GROUP clause at once'),
    ("1 + on(b) a", "1:1: parse error: vector matching only allowed between instant vectors"),
    ("a[5m] + 1", "1:1: parse error: binary expression must contain only scalar and instant vector types"),
    ("{}", "1:1: parse error: vector selector must contain at least one non-empty matcher"),
    ('{a=~".*", b!="c"}', "1:1: parse error: vector selector must contain at least one non-empty matcher"),
    ('a{__name__="b"}', '1:1: parse error: metric name must not be set twice: "a" or "b"'),
    ("a[0s]", "1:3: parse error: duration must be greater than 0"),
    ("a offset 1m[5m]", "1:12: parse error: no offset modifiers allowed before range"),
    ("a offset 1m offset 2m", "1:1: parse error: offset may not be set multiple times"),
    ("a @ 1 @ 2", "1:1: parse error: @ <timestamp> may not be set multiple times"),
    ("sum(a)[5m]", "1:7: parse error: ranges only allowed for vector selectors"),
    ("1[5m:1m]", "1:1: parse error: subquery is only allowed on instant vector, got scalar instead"),
    ('-"a"', f'1:1: parse error: {UNARY}, got "string"'),
]


@pytest.mark.parametrize(("expression", "message"), REFUSED)
def test_what_is_no_promql_is_refused_in_prometheus_words(expression: str, message: str) -> None:
    with pytest.raises(ParseError) as refusal:
        parse(expression)
    assert str(refusal.value) == message


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1_000", 1000),
        ("0x1F", 31),
        ("017", 15),
        (".5", 0.5),
        ("5.", 5),
        ("+1e-2", 0.01),
        ("Inf", float("inf")),
        ("1h30m", 5400),
        ("1ms", 0.001),
        ("1y", 31_536_000),
        ("-2", -2),
    ],
)
def test_numbers_and_durations_are_read_as_go_reads_them(text: str, value: float) -> None:
    tree = parse(text).tree
    assert isinstance(tree, NumberLiteral)
    assert tree.value == value


@pytest.mark.parametrize(
    ("text", "value"),
    [(r'"a\n\x41\101\u00e9"', "a\nAAé"), (r"'it\'s'", "it's"), (r"`raw \n`", r"raw \n"), ('"#"', "#")],
)
def test_strings_resolve_go_escapes(text: str, value: str) -> None:
    tree = parse(text).tree
    assert isinstance(tree, StringLiteral)
    assert tree.value == value


def test_quoted_names_may_be_any_utf8() -> None:
    tree = parse('{"my.metric", "größe"="1"}').tree
    assert isinstance(tree, VectorSelector)
    assert tree.matchers == (Matcher(METRIC_NAME, MatchOp.EQUAL, "my.metric"), Matcher("größe", MatchOp.EQUAL, "1"))


def test_keywords_are_names_where_no_keyword_can_stand() -> None:
    tree = parse("sum{by='x'} + offset + start").tree
    assert isinstance(tree, Binary)
    assert isinstance(tree.right, VectorSelector)
    assert tree.right.name == "start"


def test_modifiers_and_subqueries_are_kept_with_positions() -> None:
    expression = "rate(a[5m] offset -1m @ end()) # comment"
    tree = parse(expression).tree
    assert isinstance(tree, Call)
    window = tree.args[0]
    assert isinstance(window, MatrixSelector)
    assert (window.range_ms, window.offset_ms, window.at) == (300_000, -60_000, Edge.END)
    assert expression[window.start : window.end] == "a[5m] offset -1m @ end()"
    subquery = parse("a[1h:] @ 1.5").tree
    assert isinstance(subquery, Subquery)
    assert (subquery.range_ms, subquery.step_ms, subquery.at) == (3_600_000, None, 1500)


@pytest.mark.parametrize(
    "expression",
    [
        "(" * 10_000 + "1" + ")" * 10_000,
        "-" * 10_000 + "a",
        "a" + "+a" * 10_000,
        "1" * 10_000_000,
        "abs(" * 9_999,
        "a[" + "(" * 10_000 + "1" + ")" * 10_000 + "]",
        "a[" + "-" * 10_000 + "1]",
        "a[1" + "+1" * 10_000 + "]",
        "a offset " + "max_of(1," * 10_000,
        "a offset " + "- " * 10_000 + "1",
        "1" * 1_000_000,
        "1" * 999_999 + "m",
        "fill " * 190_000,
        "a[5m" * 200_000,
        "a" + "[5m:]" * 10_000,
    ],
    ids=[
        *(
            "parentheses",
            "signs",
            "operators",
            "length",
            "calls",
            "durations",
            "signs of durations",
            "sums of durations",
        ),
        *("choices", "signs of an offset", "digits", "a duration", "keywords", "brackets", "subqueries"),
    ],
)
def test_excessive_expressions_are_refused_at_once(expression: str) -> None:
    began = time.process_time()  # a busy machine is no reason to fail
    with pytest.raises(ParseError):
        parse(expression)
    assert time.process_time() - began < 1


@given(st.one_of(st.text(), st.text(alphabet="abm15(){}[]\"'`\\,=~!<>+-*/%^@:.# \n_xe")))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        parse(text)
    except ParseError as refusal:
        assert 0 <= refusal.start <= refusal.end <= len(text)  # noqa: PT017, most texts are refused, some are not
