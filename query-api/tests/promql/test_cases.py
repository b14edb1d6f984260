"""The behaviour as data: every file in cases/ is one topic."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from promql_script import Case, Labels, Value, read_cases, same

from waferscope_query.promql import evaluate, evaluate_instant
from waferscope_query.promql.errors import PromQLError
from waferscope_query.promql.evaluation.run import Answer
from waferscope_query.promql.evaluation.values import Scalar, String
from waferscope_query.promql.grid import Limits
from waferscope_query.promql.histograms import HistogramCells
from waferscope_query.promql.source import Samples

CASES = [
    pytest.param(case, id=f"{path.stem}:{case.line}")
    for path in sorted((Path(__file__).parent / "cases").glob("*.test"))
    for case in read_cases(path)
]

LIMITS = Limits(use_starts=True)


async def ask(case: Case) -> Answer:
    if case.step_ms is None:
        return await evaluate_instant(case.expression, case.source, case.start_ms / 1000, limits=LIMITS)
    start, end, step = (ms / 1000 for ms in (case.start_ms, case.end_ms, case.step_ms))
    return await evaluate(case.expression, case.source, start, end, step, limits=LIMITS)


def series_of(answer: Answer) -> list[tuple[Labels, list[Value]]]:
    value = answer.value
    assert not isinstance(value, String)
    if isinstance(value, Scalar):
        return [({}, list(value.values.tolist()))]
    if isinstance(value, Samples):
        bounds = value.offsets.tolist()
        pieces = pairwise(bounds)
        return [
            (labels, _points(value.values[first:last], value.histograms, slice(first, last)))
            for labels, (first, last) in zip(value.labels.rows(), pieces, strict=True)
        ]
    rows = [_points(value.values[row], value.histograms, row) for row in range(len(value))]
    return [
        (labels, [point if here else None for point, here in zip(points, present, strict=True)])
        for labels, points, present in zip(value.labels.rows(), rows, value.present.tolist(), strict=True)
    ]


def _points(values: NDArray[np.float64], histograms: HistogramCells | None, where: int | slice) -> list[Value]:
    """Floats, and histograms where the values stand for those."""
    if histograms is None:
        return list(values.tolist())
    pairs = zip(values.tolist(), histograms.at[where].tolist(), strict=True)
    return [histograms.table.one(at) if at >= 0 else value for value, at in pairs]


@pytest.mark.parametrize("case", CASES)
async def test_an_expression_answers_as_its_case_states(case: Case) -> None:
    if case.failure is not None:
        with pytest.raises(PromQLError) as failure:
            await ask(case)
        assert str(failure.value) == case.failure
        return
    answer = await ask(case)
    got = {tuple(sorted(labels.items())): values for labels, values in series_of(answer)}
    wanted = {tuple(sorted(labels.items())): values for labels, values in case.series}
    assert sorted(got) == sorted(wanted)
    assert not case.ordered or list(got) == list(wanted)
    for labels, values in wanted.items():
        assert len(got[labels]) == len(values), labels
        assert all(map(same, values, got[labels])), (labels, values, got[labels])
    assert sorted(answer.warnings + answer.infos) == sorted(case.notes)
