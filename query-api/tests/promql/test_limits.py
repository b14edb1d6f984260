from __future__ import annotations

from collections.abc import Callable

import pytest

from waferscope_query.promql import evaluate
from waferscope_query.promql.control import Control
from waferscope_query.promql.errors import BadDataError, QueryCanceledError, QueryTimeoutError, TooManySamplesError
from waferscope_query.promql.evaluation.kernels.compiling import kernel
from waferscope_query.promql.evaluation.values import Vector
from waferscope_query.promql.grid import Limits
from waferscope_query.promql.labels import ScratchPool, StringPool
from waferscope_query.promql.memory import MemorySource

RESOLUTION = (
    "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)"
)
SOURCE = MemorySource([({"__name__": "x", "i": str(i)}, [0, 1000], [1.0, 2.0]) for i in range(10)])


@pytest.mark.parametrize(
    ("start", "end", "step", "message"),
    [
        (2, 1, 1, "end timestamp must not be before start time"),
        (0, 1, 0, "zero or negative query resolution step widths are not accepted. Try a positive integer"),
        (
            0,
            1e9,
            1,
            RESOLUTION,
        ),
    ],
)
async def test_senseless_ranges_are_bad_data(start: float, end: float, step: float, message: str) -> None:
    with pytest.raises(BadDataError) as refusal:
        await evaluate("x", SOURCE, start, end, step)
    assert str(refusal.value) == message


async def test_range_vectors_have_no_range() -> None:
    with pytest.raises(BadDataError, match="must be Scalar or instant Vector"):
        await evaluate("x[1m]", SOURCE, 0, 1, 1)


async def test_eleven_thousand_and_one_steps_are_allowed() -> None:
    answer = await evaluate("vector(1)", SOURCE, 0, 11_000, 1)
    assert isinstance(answer.value, Vector)
    assert answer.value.values.shape == (1, 11_001)


@pytest.mark.parametrize(
    ("expression", "limit"),
    [("x", 19), ("x", 99), ("sum_over_time(x[1h:1s])", 20_000), ("sum_over_time(x[290y:1ms])", 50_000_000)],
)
async def test_a_query_holds_no_more_samples_than_allowed(expression: str, limit: int) -> None:
    with pytest.raises(TooManySamplesError):
        await evaluate(expression, SOURCE, 0, 9, 1, limits=Limits(max_samples=limit))


async def test_a_passed_deadline_ends_a_query() -> None:
    with pytest.raises(QueryTimeoutError, match="query timed out in expression evaluation"):
        await evaluate("x", SOURCE, 0, 9, 1, control=Control(timeout=-1))


async def test_a_canceled_query_ends() -> None:
    control = Control()
    control.cancel()
    with pytest.raises(QueryCanceledError, match="query was canceled in expression evaluation"):
        await evaluate("x", SOURCE, 0, 9, 1, control=control)


def test_strings_the_base_learns_later_keep_one_code_within_a_query() -> None:
    base = StringPool()
    known = base.code("known")
    scratch = ScratchPool(base)
    made = scratch.code("new")
    base.code("new")
    assert scratch.code("known") == known
    assert scratch.code("new") == made
    assert scratch.text(made) == "new"
    assert base.text(base.code("new")) == "new"


def test_what_can_not_be_cached_is_compiled_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    made: dict[str, Callable[[float], float]] = {}
    exec("def double(x):\n    return x * 2", made)
    assert kernel(made["double"])(1.5) == 3.0
    assert kernel(made["double"])(2.5) == 5.0
    assert caplog.text.count("kernels are compiled at every start") == 1
