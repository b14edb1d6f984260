from __future__ import annotations

import math

import pytest

from waferscope_query.promql import evaluate_instant
from waferscope_query.promql.evaluation.values import Vector
from waferscope_query.promql.memory import MemorySource

SOURCE = MemorySource([({"__name__": "minus"}, [0], [-0.0]), ({"__name__": "plus"}, [0], [0.0])])


@pytest.mark.parametrize(
    ("expression", "sign"),
    [
        ("clamp(minus, 0, 1)", 1),
        ("clamp_min(minus, 0)", 1),
        ("clamp_min(plus, -0)", 1),
        ("clamp_min(minus, -0)", -1),
        ("clamp_max(plus, -0)", -1),
        ("clamp_max(minus, 0)", -1),
        ("clamp_max(plus, 0)", 1),
    ],
)
async def test_of_two_zeros_the_positive_one_is_larger(expression: str, sign: int) -> None:
    answer = await evaluate_instant(expression, SOURCE, 0)
    assert isinstance(answer.value, Vector)
    assert math.copysign(1, answer.value.values[0, 0]) == sign
