"""The behaviour as data: every file in cases/ is one topic."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from promql_script import Case, Labels, read_cases, same

from waferscope_query.promql import evaluate, evaluate_instant
from waferscope_query.promql.errors import PromQLError
from waferscope_query.promql.evaluation.run import Answer
from waferscope_query.promql.evaluation.values import Scalar, String
from waferscope_query.promql.source import Samples

CASES = [
    pytest.param(case, id=f"{path.stem}:{case.line}")
    for path in sorted((Path(__file__).parent / "cases").glob("*.test"))
    for case in read_cases(path)
]


async def ask(case: Case) -> Answer:
    if case.step_ms is None:
        return await evaluate_instant(case.expression, case.source, case.start_ms / 1000)
    return await evaluate(case.expression, case.source, case.start_ms / 1000, case.end_ms / 1000, case.step_ms / 1000)


def series_of(answer: Answer) -> list[tuple[Labels, list[float | None]]]:
    value = answer.value
    assert not isinstance(value, String)
    if isinstance(value, Scalar):
        return [({}, list(value.values.tolist()))]
    if isinstance(value, Samples):
        bounds = value.offsets.tolist()
        pieces = pairwise(bounds)
        return [
            (labels, list(value.values[first:last].tolist()))
            for labels, (first, last) in zip(value.labels.rows(), pieces, strict=True)
        ]
    cells = zip(value.values.tolist(), value.present.tolist(), strict=True)
    return [
        (labels, [number if here else None for number, here in zip(values, present, strict=True)])
        for labels, (values, present) in zip(value.labels.rows(), cells, strict=True)
    ]


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
