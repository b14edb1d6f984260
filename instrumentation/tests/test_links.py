"""Links between jobs: those that the author names, and the one before of the same lot."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext

import waferscope
from waferscope._internal import lots, span

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def _links(found: Any) -> list[tuple[int, int]]:
    return [(link.context.trace_id, link.context.span_id) for link in found.links]


def test_a_job_links_to_jobs_and_traceparents_that_its_author_names(telemetry: Any) -> None:
    with waferscope.job("measure") as measure:
        pass
    with waferscope.job("fit", links=[measure, TRACEPARENT]):
        pass
    first, second = telemetry.spans()
    assert _links(second) == [(first.context.trace_id, first.context.span_id), PLACE]


PLACE = (0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331)
CONTEXT = SpanContext(*PLACE, is_remote=True)
ALIKE: dict[str, Callable[[], Any]] = {
    "a traceparent": lambda: TRACEPARENT,
    "a list": lambda: [TRACEPARENT],
    "a set": lambda: {TRACEPARENT},
    "a generator": lambda: (text for text in [TRACEPARENT]),
    "a link": lambda: Link(CONTEXT),
    "a span context": lambda: CONTEXT,
    "a span": lambda: NonRecordingSpan(CONTEXT),
    "several kinds": lambda: (Link(CONTEXT),),
}


@pytest.mark.parametrize("kind", ALIKE)
@pytest.mark.parametrize("lot", ["L", lambda: "L"], ids=["", "told"])
def test_links_are_one_or_several_of_any_kind(telemetry: Any, lot: Any, kind: str) -> None:
    fit = waferscope.job("fit", lot=lot, links=ALIKE[kind]())(lambda: None)
    fit()
    fit()
    assert PLACE in _links(telemetry.spans()[0])
    assert PLACE in _links(telemetry.spans()[1])


@pytest.mark.usefixtures("telemetry")
def test_a_single_job_is_a_link(telemetry: Any) -> None:
    with waferscope.job("measure") as measure, waferscope.job("fit", links=measure):
        pass
    fit, measured = telemetry.spans()
    assert _links(fit) == [(measured.context.trace_id, measured.context.span_id)]


def test_a_link_keeps_its_attributes(telemetry: Any) -> None:
    with waferscope.job("fit", links=Link(CONTEXT, {"why": "rework"})):
        pass
    assert telemetry.spans()[0].links[0].attributes == {"why": "rework"}


def test_links_whose_telling_raises_cost_the_links_only(telemetry: Any) -> None:
    with waferscope.job("fit", lot="L", links=(1 / zero for zero in [0])):
        pass
    assert telemetry.spans()[0].attributes["wafer.lot.id"] == "L"


def test_a_traceparent_tells_where_the_jobs_span_stands(telemetry: Any) -> None:
    job = waferscope.job("overlay")
    assert job.traceparent is None
    with job:
        assert job.traceparent is not None
        found = re.fullmatch(r"00-([0-9a-f]{32})-([0-9a-f]{16})-0[13]", job.traceparent)
    context = telemetry.spans()[0].context
    assert found is not None
    assert (int(found[1], 16), int(found[2], 16)) == (context.trace_id, context.span_id)


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "None",
        "00-1-1-01",
        "ff" + TRACEPARENT[2:],
        TRACEPARENT.upper(),
        TRACEPARENT.replace("b7ad6b7169203331", "0" * 16),
        TRACEPARENT.replace("0af7651916cd43dd8448eb211c80319c", "0" * 32),
        "00-" + "f" * 40 + "-b7ad6b7169203331-01",
        TRACEPARENT[:-1] + "x",
        7,
    ],
)
def test_what_is_no_traceparent_leads_nowhere(wrong: Any) -> None:
    assert span.context_of(wrong) is None


def test_a_wrong_link_costs_no_other(telemetry: Any) -> None:
    with waferscope.job("fit", links=["nonsense", waferscope.job("not begun"), TRACEPARENT]):
        pass
    assert len(telemetry.spans()[0].links) == 1


def test_jobs_of_the_same_lot_link_to_the_one_before(telemetry: Any) -> None:
    for name in ("measure", "fit", "report"):
        with waferscope.job(name, lot="LOT-of-this-test"):
            pass
    with waferscope.job("other", lot="another-LOT-of-this-test"):
        pass
    measure, fit, report, other = telemetry.spans()
    assert _links(measure) == _links(other) == []
    assert _links(fit) == [(measure.context.trace_id, measure.context.span_id)]
    assert _links(report) == [(fit.context.trace_id, fit.context.span_id)]
    assert dict(report.links[0].attributes) == {"wafer.lot.id": "LOT-of-this-test"}


def test_subjobs_of_a_lot_are_joined_by_their_trace_and_need_no_link(telemetry: Any) -> None:
    with waferscope.job("lot", lot="nested-LOT-of-this-test"):
        for _ in range(2):
            with waferscope.job("wafer"):
                pass
    assert [_links(found) for found in telemetry.spans()] == [[], [], []]


def test_the_lots_that_were_noted_last_are_remembered() -> None:
    class Span:
        def __init__(self, number: int) -> None:
            self.number = number

        def get_span_context(self) -> Any:
            return self.number

    seen = lots.Lots()
    for number in range(1000):
        seen.note(number, Span(number))  # type: ignore[arg-type]
    seen.note(0, Span(-1))  # type: ignore[arg-type] # the oldest lot goes on
    seen.note("new", Span(1000))  # type: ignore[arg-type]
    assert [seen.get(lot) for lot in (0, 1, 2, "new", None)] == [-1, None, 2, 1000, None]
