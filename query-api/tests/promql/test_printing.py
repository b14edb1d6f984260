from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waferscope_query.promql.printing import format_query, parse_query

SUM = 'sum by (tool, chamber) (rate(wafers_processed{lot_state="running",product=~"A.*"}[5m]))'
FORMATTED = [
    ("  sum(  x )by(a,b)", "sum by (a, b) (x)"),
    ("rate(x[90m]offset 1d)", "rate(x[1h30m] offset 1d)"),
    ("x @ 10 offset -90s", "x @ 10.000 offset -1m30s"),
    ("x[5m:30s] @ end()", "x[5m:30s] @ end()"),
    ("x[step()+(1m)]", "x[step() + (1m)]"),
    ("x[5m] smoothed offset max_of(1m, step())", "x[5m] smoothed offset max_of(1m, step())"),
    ("a + on(b) group_left(c) fill(1) x", "a + on (b) group_left (c) fill (1) x"),
    ("a==bool ignoring(b)fill_left(0)fill_right(-1e30)c", "a == bool ignoring (b) fill_left (0) fill_right (-1e+30) c"),
    ('{"my name", z="1", "a b"!~"x"}', '{"a b"!~"x",__name__="my name",z="1"}'),
    ("größe.µm", "größe.µm"),
    ('"\\xff"', '"\\xff"'),
    ("-(1 + 0x10)", "-(1 + 16)"),
    (f"{SUM}/{SUM}", f"  {SUM}\n/\n  {SUM}"),
    (f"topk(3,{SUM} / 3600 / 24>1)", f"topk(\n  3,\n    {SUM} / 3600 / 24\n  >\n    1\n)"),
]


@pytest.mark.parametrize(("text", "formatted"), FORMATTED)
def test_an_expression_is_formatted_as_prometheus_formats_it(text: str, formatted: str) -> None:
    assert format_query(text) == formatted
    assert format_query(formatted) == formatted


def test_an_expression_is_told_as_a_tree() -> None:
    assert parse_query("topk(2, x{a='b'} offset 1m)") == {
        "type": "aggregation",
        "op": "topk",
        "expr": {
            "type": "vectorSelector",
            "name": "x",
            "matchers": [
                {"name": "a", "value": "b", "type": "="},
                {"name": "__name__", "value": "x", "type": "="},
            ],
            "anchored": False,
            "smoothed": False,
            "offset": 60_000,
            "offsetExpr": None,
            "timestamp": None,
            "startOrEnd": None,
        },
        "param": {"type": "numberLiteral", "val": "2"},
        "grouping": [],
        "without": False,
    }


def test_set_operators_are_many_to_many_and_scalars_match_nothing() -> None:
    assert parse_query("a and b")["matching"]["card"] == "many-to-many"
    assert parse_query("a + 1")["matching"] is None


def _joined(*pieces: st.SearchStrategy[str] | str) -> st.SearchStrategy[str]:
    return st.tuples(*(st.just(piece) if isinstance(piece, str) else piece for piece in pieces)).map("".join)


DURATION = st.sampled_from(["5m", "90s", "1h1ms", "300", "1m + 30s", "(2 * step())", "max_of(1m, range())", "-(-1m)"])
LABELS = st.sampled_from(["", '{a="b"}', '{a=~"b.*",c!="\\n"}', '{"a b"!~"x"}'])
MODIFIERS = st.sampled_from(["", " @ 12.5", " @ start()", " offset 1m", " offset -(1m)", " @ end() offset step()"])
SELECTOR = _joined(st.sampled_from(["x", "µm.y", "sum"]), LABELS)
RANGE = _joined(SELECTOR, "[", DURATION, "]", st.sampled_from(["", " anchored", " smoothed"]), MODIFIERS)
MATCHING = st.sampled_from(
    ["", " on (a)", " ignoring (a, b)", " on (a) group_left (c)", " fill (0.5)", " fill_right (-1)"]
)


def _larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        _joined("rate(", RANGE, ")"),
        _joined("-", inner),
        _joined("abs((", inner, ")[", DURATION, ":", st.sampled_from(["", "1m", "step()"]), "]", MODIFIERS, ")").map(
            lambda text: text.replace("abs(", "max_over_time(", 1)
        ),
        _joined("topk by (a, bool) (2, ", inner, ")"),
        _joined("sum without () (", inner, ")"),
        _joined("(", inner, st.sampled_from([" + ", " ^ ", " atan2 ", " >/ "]), inner, ")"),
        _joined("(", inner, ") *", MATCHING, " (", inner, ")"),
        _joined("(", inner, " == bool ", inner, ")"),
    )


@given(st.recursive(_joined(SELECTOR, MODIFIERS), _larger, max_leaves=6))
def test_a_formatted_expression_says_the_same(text: str) -> None:
    assert parse_query(format_query(text)) == parse_query(text)
