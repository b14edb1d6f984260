"""The index of series against a list of label sets that is searched one by one."""

import numpy as np
import pytest

from waferscope_query.promql.labels import StringPool
from waferscope_query.promql.matchers import Matcher, MatchOp
from waferscope_query.storage.index import SeriesIndex, StoredSeries

TOOLS, LOTS = 7, 1500


def stored(series_id: int) -> StoredSeries:
    labels = {"tool": f"t{series_id % TOOLS}", "lot": f"l{series_id % LOTS}"}
    if series_id % 3 == 0:
        labels["module"] = f"m{series_id % 5}"
    return StoredSeries(series_id, f"metric_{series_id % 4}", labels, "gauge", "", "")


ALL = [stored(series_id) for series_id in range(6000)]
CASES = [
    [("__name__", "=", "metric_1")],
    [("__name__", "=", "metric_1"), ("tool", "=", "t3")],
    [("__name__", "=~", "metric_[12]"), ("tool", "!=", "t3"), ("module", "=", "")],
    [("tool", "=~", "t(1|5)"), ("module", "!=", "")],
    [("tool", "!~", "t[0-5]"), ("module", "=~", "m.*|")],
    [("module", "!~", "m[01]")],
    [("lot", "=", "l77"), ("tool", "=~", ".+")],
    [("absent", "=", "")],
    [("absent", "=", "x")],
    [("tool", "=", "never seen")],
    [("le", "=", "1")],
    [("le", "!=", "1"), ("lot", "=~", "l1.")],
    [],
]


@pytest.fixture(scope="module")
def index() -> SeriesIndex:
    """Filled in pieces, so that lists have a base and a tail."""
    filled = SeriesIndex(StringPool())
    for first, last in ((0, 5000), (5000, 5001), (5001, 5800), (5800, 6000)):
        filled.add(ALL[first:last])
    return filled


@pytest.mark.parametrize("conditions", CASES, ids=str)
def test_finds_what_a_search_one_by_one_finds(index: SeriesIndex, conditions: list[tuple[str, str, str]]) -> None:
    matchers = [Matcher(name, MatchOp(op), value) for name, op, value in conditions]
    expected = {
        series.series_id: {"__name__": series.metric, **series.labels}
        for series in ALL
        if all(m.matches({"__name__": series.metric, **series.labels}.get(m.name, "")) for m in matchers)
    }
    found = index.find(matchers)
    assert dict(zip(found.series_ids.tolist(), found.labels.rows(), strict=True)) == expected


def test_a_series_shown_again_changes_only_its_metadata(index: SeriesIndex) -> None:
    before = len(index)
    index.add([StoredSeries(5, "metric_1", ALL[5].labels, "gauge", "nm", "Overlay error")])
    assert len(index) == before
    assert [(known.unit, known.help) for known in index.metadata("metric_1")] == [("nm", "Overlay error")]


def test_an_older_id_may_come_late() -> None:
    index = SeriesIndex(StringPool())
    index.add([stored(10)])
    index.add([stored(3), stored(10)])
    assert sorted(index.find([]).series_ids.tolist()) == [3, 10]


def test_a_histogram_is_presented_as_buckets_sum_and_count_and_as_itself() -> None:
    index = SeriesIndex(StringPool())
    index.add([StoredSeries(1, "wafer_job_duration_seconds", {"tool": "a"}, "histogram", "s", "", classic=True)])
    assert sorted(index.label_values("__name__")) == [
        "wafer_job_duration_seconds",
        "wafer_job_duration_seconds_bucket",
        "wafer_job_duration_seconds_count",
        "wafer_job_duration_seconds_sum",
    ]
    assert sorted(index.label_names()) == ["__name__", "le", "tool"]
    le = Matcher("le", MatchOp.EQUAL, "0.5")
    assert index.find([le]).labels.texts("__name__") == ["wafer_job_duration_seconds_bucket"]


def test_an_empty_index_answers() -> None:
    index = SeriesIndex(StringPool())
    index.add([])
    assert len(index.find([])) == 0
    assert index.label_names() == []
    assert index.label_values("tool") == []
    assert np.array_equal(index.histograms(), [])
