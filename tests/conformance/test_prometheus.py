"""Random expressions over random samples, asked of this service and of a real Prometheus 3: the answers are equal.

`WAFERSCOPE_TEST_PROMETHEUS` names the program of Prometheus; `WAFERSCOPE_FUZZ_EXAMPLES` and `WAFERSCOPE_FUZZ_SEED`
ask for more examples and for others (docs/testing.md).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import cramjam
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import promql_grammar, promql_samples
from support.answers import different
from support.fuzzing import fuzzed, seed
from support.prometheus import prometheus
from support.sites import serving

from waferscope_collector.decode.remote_write_messages import V1

T0 = promql_samples.BEGIN // 1000
END = T0 + promql_samples.STEPS * promql_samples.STEP // 1000
# How Prometheus 3.7 (Go module v0.307.0), the version these tests were made with, words what later ones word otherwise;
# the suite beside this one asks the engine of v0.316.0.
LATER_WORDS = [
    (r"got (-?\d\.\d{9})\d*", r"got \1"),  # the last digits of pi() ^ 60 are the machine's
    (r'"<Item \d+>" ', ""),  # a token without a name
    (r"number, duration, or step\(\)", "number, duration, step(), or range()"),
    (r", from buckets [^ ]+ to [^ ]+, with a max diff of .*?, over \d+ samples from [^ ]+ to [^ ]+", ""),
]
# Where Prometheus 3.7 has another opinion than later versions: by the expression and what differs.
OTHERWISE = [
    ("(stddev|stdvar).*time", r"expected [\d.]+, got", "of times, the deviation is what cancellation leaves of it"),
    ("sort", "^warnings: .*annotations omitted", "the warning of a sort is one more here"),
    ("sort.*(quantile|time)", "^warnings: ", "the warning of a sort is the eleventh here"),
    ("", "expected timeout", "too much to compute is found out by computing"),
    ("", "unknown node type", "durations in place of numbers can be read and not be evaluated"),
    (r"\w\.", "trailing commas not allowed", "names in UTF-8 have to be quoted"),
    ("", "unexpected error: runtime error", "predict_linear of a subquery with @ fails there"),
    ("", "unexpected character", "names in UTF-8 have to be quoted"),
    (r"\w\.", r'unexpected identifier "\w+\.|unexpected number "\.', "as above"),
    (r"(start|end|step|range)\(", r'unexpected "\("|unknown function with name', "these are no functions"),
    ("max_of|min_of", "unknown function with name|unexpected", "these are no functions"),
    ("histogram_quantiles|integral|start_timestamp", "unknown function with name", "as above"),
    ("smoothed|anchored|fill|step|range", "unexpected", "these are no names, or no keywords"),
    ("quantile|mad_over_time", "expected nan", "between a value and an infinity of no weight lies NaN"),
    ("fill", "unknown function with name", "it is no modifier"),
    ("", "got execution: multiple matches for labels", "pairs that a comparison drops are no matches"),
    ("", "expected execution: vector cannot contain metrics with the same labelset", "even at different times"),
    (
        "quantile_over_time|mad_over_time",
        r"expected -?0\.0, got -?0\.0",
        "its order of zeros is that of an unstable sort",
    ),
]
LATER_WARNING = "sort is ineffective for range queries"


class Pair:
    """Both servers, holding the same samples."""

    def __init__(self, expected: str, got: str) -> None:
        self._clients = [httpx.Client(base_url=url, timeout=60) for url in (expected, got)]

    def write(self, series: list[promql_samples.Series]) -> None:
        """Write samples to both by remote write."""
        request = V1["WriteRequest"]()
        for one in series:
            made = request.timeseries.add()  # type: ignore[attr-defined]
            for name, value in sorted(one.labels.items()):
                made.labels.add(name=name, value=value)
            for ms, number in one.samples:
                made.samples.add(value=number, timestamp=ms)
        body = bytes(cramjam.snappy.compress_raw(request.SerializeToString()))
        headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}
        for client in self._clients:
            client.post("/api/v1/write", content=body, headers=headers).raise_for_status()

    def ask(self, path: str, **fields: Any) -> tuple[Any, Any]:
        """Ask both the same."""
        expected, got = (
            client.post(f"/api/v1/{path}", data={**fields, "nocache": 1, "timeout": "10s"}).json()
            for client in self._clients
        )
        return expected, got

    def close(self) -> None:
        """Let go of both."""
        for client in self._clients:
            client.close()


@pytest.fixture(scope="module")
def pair(postgres_url: str, template_database: str) -> Iterator[Pair]:
    """Both servers with the samples of this run's seed."""
    with prometheus() as expected, serving(postgres_url, template_database) as got:
        both = Pair(expected, got)
        both.write(promql_samples.series(seed()))
        yield both
        both.close()


def differing(query: str, expected: Any, got: Any) -> str:
    """Tell how the answers differ, but for what is known to."""
    why = different(told(expected), told(got), ranked="topk" in query or "bottomk" in query)
    known = any(re.search(asked, query) and re.search(found, why) for asked, found, _ in OTHERWISE)
    return "" if known else why


def told(answer: Any) -> Any:
    """Give an answer in the words of later versions."""
    notes = {kind: answer.get(kind, []) for kind in ("warnings", "infos")}
    for kind, texts in notes.items():
        notes[kind] = [_later(text) for text in texts if LATER_WARNING not in text]
    return {**answer, **notes, "error": _later(answer.get("error", ""))}


def _later(text: str) -> str:
    for pattern, words in LATER_WORDS:
        text = re.sub(pattern, words, text)
    return text


@pytest.mark.timeout(0)
@fuzzed(40)
@given(query=promql_grammar.instant(), at=st.integers(T0 - 60, END + 400))
def test_instant_queries_agree_with_prometheus(pair: Pair, query: str, at: int) -> None:
    expected, got = pair.ask("query", query=query, time=at)
    why = differing(query, expected, got)
    assert not why, (query, at, why)


@pytest.mark.timeout(0)
@fuzzed(40)
@given(
    query=promql_grammar.instant(),
    start=st.integers(T0 - 60, END),
    steps=st.integers(0, 30),
    step=st.sampled_from([1, 10, 15, 37, 60, 300]),
)
def test_range_queries_agree_with_prometheus(pair: Pair, query: str, start: int, steps: int, step: int) -> None:
    expected, got = pair.ask("query_range", query=query, start=start, end=start + steps * step, step=step)
    why = differing(query, expected, got)
    assert not why, (query, (start, start + steps * step, step), why)


@fuzzed(40)
@given(query=promql_grammar.broken())
def test_broken_expressions_are_refused_in_the_same_words(pair: Pair, query: str) -> None:
    expected, got = pair.ask("query", query=query, time=T0 + 600)
    why = differing(query, expected, got)
    assert not why, (query, why)
