"""Random PromQL by its grammar: expressions whose types fit, and the same slightly broken.

The metrics that are named exist in `promql_samples`. What Prometheus 3 has behind no flag or behind
`promql-experimental-functions` is in; newer parts of the language are only in `anything`.
"""

from functools import cache

from hypothesis import strategies as st

Text = st.SearchStrategy[str]

COUNTERS, GAUGES, BUCKETS = ("requests_total", "wafers_total"), ("heat", "load"), "latency_bucket"
LABEL_NAMES = ("tool", "chamber", "le", "absent")
DEPTH = 2

_DURATIONS = st.sampled_from(["15s", "45s", "1m", "2m30s", "5m", "10m", "90", "1h"])
_OFFSETS = st.sampled_from(
    [
        "",
        "",
        "",
        "",
        " offset 30s",
        " offset -1m",
        " offset 7m",
        " @ start()",
        " @ end()",
        " @ 1700000301.5",
        " @ 1700000300 offset 1m",
        " offset 15s @ end()",
    ]
)
_MATCHERS = st.sampled_from(
    [
        "",
        "",
        "",
        '{tool="a"}',
        '{tool!="b"}',
        '{tool=~"a|c"}',
        '{chamber!~"1.*"}',
        '{absent=""}',
        '{tool=~".*",chamber="1"}',
        '{tool="none"}',
    ]
)
_NUMBERS = st.sampled_from(["0", "1", "-1", "0.5", "2", "3.25", "1e3", "10", "NaN", "Inf", "-Inf", "0.9", "1m"])
_LABELS = st.lists(st.sampled_from(LABEL_NAMES), max_size=2, unique=True).map(", ".join)

_OF_VECTORS = [
    "abs",
    "absent",
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atanh",
    "ceil",
    "cos",
    "cosh",
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "days_in_month",
    "deg",
    "exp",
    "floor",
    "hour",
    "ln",
    "log10",
    "log2",
    "minute",
    "month",
    "rad",
    "round",
    "sgn",
    "sin",
    "sinh",
    "sort",
    "sort_desc",
    "sqrt",
    "tan",
    "tanh",
    "timestamp",
    "year",
    "histogram_count",
]
_OF_RANGES = [
    "rate",
    "increase",
    "delta",
    "irate",
    "idelta",
    "resets",
    "changes",
    "deriv",
    "absent_over_time",
    "avg_over_time",
    "count_over_time",
    "last_over_time",
    "first_over_time",
    "max_over_time",
    "min_over_time",
    "present_over_time",
    "stddev_over_time",
    "stdvar_over_time",
    "sum_over_time",
    "mad_over_time",
    "ts_of_max_over_time",
    "ts_of_min_over_time",
    "ts_of_last_over_time",
    "ts_of_first_over_time",
]
_AGGREGATIONS = ["sum", "avg", "min", "max", "count", "group", "stddev", "stdvar"]
_ARITHMETIC = ["+", "-", "*", "/", "%", "^", "atan2"]
_COMPARISONS = ["==", "!=", ">", "<", ">=", "<="]
_SETS = ["and", "or", "unless"]


def selectors() -> Text:
    """Instant vector selectors."""
    names = st.sampled_from([*COUNTERS, *GAUGES, *GAUGES, BUCKETS])
    named = st.builds("{}{}{}".format, names, _MATCHERS, _OFFSETS)
    return named | st.builds(
        '{{__name__=~"{}"}}{}'.format, st.sampled_from(["heat|load", ".*_total", "lat.*"]), _OFFSETS
    )


@cache
def matrices(depth: int) -> Text:
    """Range vectors: of selectors, and of subqueries while there is depth."""
    names = st.sampled_from([*COUNTERS, *COUNTERS, *GAUGES, BUCKETS])
    plain = st.builds("{}{}[{}]{}".format, names, _MATCHERS, _DURATIONS, _OFFSETS)
    if not depth:
        return plain
    steps = st.sampled_from(["", "10s", "1m", "37s"])
    return plain | st.builds("({})[{}:{}]{}".format, vectors(depth - 1), _DURATIONS, steps, _OFFSETS)


@cache
def scalars(depth: int) -> Text:
    """Scalars."""
    plain = _NUMBERS | st.sampled_from(["time()", "pi()"])
    if not depth:
        return plain
    below = scalars(depth - 1)
    return st.one_of(
        plain,
        st.builds("scalar({})".format, vectors(depth - 1)),
        st.builds("({} {} {})".format, below, st.sampled_from(_ARITHMETIC), below),
        st.builds("({} {} bool {})".format, below, st.sampled_from(_COMPARISONS), below),
        st.builds("-{}".format, below),
    )


@cache
def vectors(depth: int) -> Text:
    """Instant vectors."""
    if not depth:
        return selectors()
    below, number, window = vectors(depth - 1), scalars(depth - 1), matrices(depth - 1)
    return st.one_of(
        selectors(),
        st.builds("{}({})".format, st.sampled_from(_OF_RANGES), window),
        st.builds("{}({})".format, st.sampled_from(_OF_VECTORS), below),
        _parametric_functions(depth),
        _aggregations(depth),
        _binaries(depth),
        st.builds("-({})".format, below),
        st.builds("vector({})".format, number),
    )


def _parametric_functions(depth: int) -> Text:
    below, number, window = vectors(depth - 1), scalars(0), matrices(depth - 1)
    return st.one_of(
        st.builds("clamp({}, {}, {})".format, below, number, number),
        st.builds("{}({}, {})".format, st.sampled_from(["clamp_min", "clamp_max", "round"]), below, number),
        st.builds("predict_linear({}, {})".format, window, number),
        st.builds("quantile_over_time({}, {})".format, number, window),
        st.builds("double_exponential_smoothing({}, {}, {})".format, window, number, number),
        st.builds("histogram_quantile({}, {}{})".format, number, st.just(BUCKETS), _MATCHERS),
        st.builds(
            "histogram_quantile({}, sum by (le{}) (rate({}[{}]{})))".format,
            number,
            st.sampled_from(["", ", tool"]),
            st.just(BUCKETS),
            _DURATIONS,
            _OFFSETS,
        ),
        st.builds(
            'label_replace({}, "{}", "{}", "{}", "{}")'.format,
            below,
            st.sampled_from(["tool", "new", "__name__"]),
            st.sampled_from(["$1", "x-$1", "", "${1}y"]),
            st.sampled_from(LABEL_NAMES),
            st.sampled_from(["(.*)", "(a|b)", "(.).*", "x"]),
        ),
        st.builds('label_join({}, "{}", "-", "tool", "chamber")'.format, below, st.sampled_from(["new", "tool"])),
        st.builds('sort_by_label{}({}, "tool", "chamber")'.format, st.sampled_from(["", "_desc"]), below),
    )


def _aggregations(depth: int) -> Text:
    below = vectors(depth - 1)
    grouping = st.builds("{} ({})".format, st.sampled_from(["by", "without"]), _LABELS) | st.just("")
    return st.one_of(
        st.builds("{} {} ({})".format, st.sampled_from(_AGGREGATIONS), grouping, below),
        st.builds("quantile {} ({}, {})".format, grouping, scalars(depth - 1), below),
        st.builds('count_values {} ("value", {})'.format, grouping, selectors()),
    )


def ranked() -> Text:
    """Aggregations that choose series: which of equals they choose is nobody's promise."""
    grouping = st.builds("{} ({})".format, st.sampled_from(["by", "without"]), _LABELS) | st.just("")
    return st.builds("{} {} ({}, {})".format, st.sampled_from(["topk", "bottomk"]), grouping, _NUMBERS, vectors(1))


def _binaries(depth: int) -> Text:
    below, number = vectors(depth - 1), scalars(depth - 1)
    matching = st.builds("{}({})".format, st.sampled_from(["on", "ignoring"]), _LABELS) | st.just("")
    many = st.builds(
        "{}({}) {}({})".format,
        st.sampled_from(["on", "ignoring"]),
        _LABELS,
        st.sampled_from(["group_left", "group_right"]),
        st.sampled_from(["", "", "tool", "absent"]),
    )
    arithmetic, comparison = st.sampled_from(_ARITHMETIC), st.sampled_from(_COMPARISONS)
    operator = st.one_of(arithmetic, comparison, comparison.map("{} bool".format))
    return st.one_of(
        st.builds("({}) {} {} ({})".format, below, operator, matching | many, below),
        st.builds("({}) {} {} ({})".format, below, st.sampled_from(_SETS), matching, below),
        st.builds("({}) {} {}".format, below, operator, number),
        st.builds("{} {} ({})".format, number, operator, below),
    )


def instant() -> Text:
    """Expressions that can be asked over a range: vectors and some scalars."""
    return st.one_of(vectors(DEPTH), vectors(DEPTH), vectors(DEPTH), scalars(DEPTH), ranked())


_WORDS = st.sampled_from(
    [
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        "@",
        "=",
        "=~",
        "!~",
        "!",
        "~",
        "-",
        "+",
        "^",
        "/",
        "*",
        "%",
        "==",
        "bool",
        "on",
        "by",
        "(",
        ")",
        "without",
        "ignoring",
        "group_left",
        "offset",
        "start()",
        "end()",
        "step()",
        "range()",
        "max_of(",
        "5m",
        "-5m",
        "1e400",
        "0x1p-3",
        "0xfffffffffffffffffffff",
        "9" * 30,
        "1_0",
        "1y1y",
        "08",
        ".",
        '"',
        "'",
        "`",
        '"\\xff"',
        '"\\u12"',
        "é",
        "\x00",
        "\ufeff",
        "#",
        "\n",
        "atan2",
        "and",
        "unless",
        "sum",
        "topk",
        "rate",
        "vector",
        "histogram_quantile",
        "label_replace",
        "info",
        "absent_over_time",
        "histogram_quantiles",
        "limit_ratio",
        "heat",
        "requests_total",
        "fill(0)",
        "fill_left",
        "smoothed",
        "anchored",
        "NaN",
        "Inf",
        '{"ü.x", a=~"(a+)+$"}',
        '{a=~"(x{1000}){1000}"}',
        '{a=~"("}',
        '"(.*)*"',
        "[5m:1s]",
        "[10y:1ms]",
    ]
)


@st.composite
def broken(draw: st.DrawFn) -> str:
    """Expressions with a word too many, one too few, or another one in its place."""
    text = draw(instant())
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        text = text[:start] + draw(_WORDS | st.just("")) + text[min(len(text), start + draw(st.integers(0, 6))) :]
    return text


def _calls() -> Text:
    """Calls with any number of arguments of any type."""
    names = st.sampled_from(
        [
            *_OF_VECTORS,
            *_OF_RANGES,
            *_AGGREGATIONS,
            "topk",
            "quantile",
            "count_values",
            "limit_ratio",
            "label_replace",
            "label_join",
            "info",
            "histogram_quantile",
            "histogram_quantiles",
            "pi",
            "time",
            "histogram_fraction",
            "vector",
            "scalar",
            "clamp",
            "sort_by_label",
            "integral",
            "start_timestamp",
            "predict_linear",
            "double_exponential_smoothing",
            "quantile_over_time",
            "max_of",
            "step",
            "nope",
        ]
    )
    strings = st.sampled_from(['"x"', "'(.*'", '"$1"', "`\\`", '"\\xff"', '""', '"le"', '"__name__"'])
    arguments = st.lists(st.one_of(scalars(1), vectors(1), matrices(1), strings), max_size=5)
    return st.builds("{}({})".format, names, arguments.map(", ".join))


def _wide() -> Text:
    """Sensible in type and senseless in size."""
    ranges = st.sampled_from(
        [
            "1ms",
            "1s",
            "10y",
            "290y",
            "step()",
            "range()",
            "-5m",
            "5m * 3",
            "1e9",
            "5m / 0",
            "(1 - 1)",
            "2 ^ 40",
            "max_of(1m, step())",
            "5m % 7s",
        ]
    )
    return st.one_of(
        st.builds("{}(heat[{}:{}])".format, st.sampled_from(_OF_RANGES), ranges, ranges),
        st.builds("{}(heat[{}] offset {})".format, st.sampled_from(_OF_RANGES), ranges, ranges),
        st.builds(
            "heat {} {} heat".format,
            st.sampled_from(_ARITHMETIC),
            st.sampled_from(["fill(1)", "fill_left(0) fill_right(2)"]),
        ),
        st.builds(
            "{}(requests_total[{}] {})".format,
            st.sampled_from(["rate", "increase", "delta"]),
            ranges,
            st.sampled_from(["smoothed", "anchored"]),
        ),
        st.builds("topk({}, heat)".format, st.sampled_from(["1e30", "-1e30", "NaN", "9223372036854775808", "-0"])),
        st.builds("{}({}, heat)".format, st.sampled_from(["limit_ratio", "limitk"]), _NUMBERS),
        st.builds("heat @ {}".format, st.sampled_from(["1e18", "-1e18", "9e15", "NaN", "1e400", "0x10", "5m"])),
        st.builds("info({})".format, vectors(1)),
    )


def anything() -> Text:
    """What a client may send: sense, nonsense in the grammar's words, and any text."""
    words = st.lists(_WORDS, max_size=30).map(" ".join)
    return st.one_of(instant(), broken(), broken(), _calls(), _wide(), words, st.text(max_size=200))
