from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from waferscope_query.promql import evaluate, evaluate_instant
from waferscope_query.promql.histograms import CUSTOM_BUCKETS, Histogram
from waferscope_query.promql.memory import MemorySource
from waferscope_query.promql.render import _points, render
from waferscope_query.promql.text import json_float_text

SOURCE = MemorySource([
    ({"__name__": "b", "x": '"\\é\n'}, [1000, 2500], [1.0, math.nan]),
    ({"__name__": "b", "a": "1"}, [1000], [-math.inf]),
])  # fmt: skip


async def test_a_vector_carries_one_value_per_series() -> None:
    answer = await evaluate_instant('b{a="1"}', SOURCE, 1.5)
    assert render(answer) == (
        b'{"resultType":"vector","result":[{"metric":{"__name__":"b","a":"1"},"value":[1.500,"-Inf"]}]}'
    )


EXPONENTIAL = Histogram(
    count=7, sum=5.5, positive=(1, 0, 2), negative=(1,), negative_first=1, zero_count=3, zero_threshold=0.001
)
EXPONENTIAL_JSON = (
    b'{"count":"7","sum":"5.5","buckets":['
    b'[1,"-2","-1","1"],[3,"-0.001","0.001","3"],[0,"0.5","1","1"],[0,"2","4","2"]]}'
)
CUSTOM = Histogram(count=3, sum=1, schema=CUSTOM_BUCKETS, bounds=(0.5, 1e-7 + 1), positive=(1, 0, 2))
CUSTOM_JSON = b'{"count":"3","sum":"1","buckets":[[3,"-Inf","0.5","1"],[0,"1.0000001","+Inf","2"]]}'
HISTOGRAMS = MemorySource([
    ({"__name__": "h", "a": "1"}, [0, 1000], [EXPONENTIAL, CUSTOM]),
    ({"__name__": "h", "a": "2"}, [0, 1000], [1.5, Histogram()]),
    ({"__name__": "h", "a": "3"}, [0, 1000], [1.5, 2.5]),
])  # fmt: skip


async def test_a_histogram_is_written_with_its_buckets_and_which_bounds_belong_to_them() -> None:
    answer = render(await evaluate_instant("h", HISTOGRAMS, 0))
    wanted = (
        b'{"metric":{"__name__":"h","a":"1"},"histogram":[0,%s]},{"metric":{"__name__":"h","a":"2"},"value":[0,"1.5"]}'
    )
    assert wanted % EXPONENTIAL_JSON in answer


@pytest.mark.parametrize("expression", ["h", "h[2s]"])
async def test_a_series_lists_its_floats_and_its_histograms_apart(expression: str) -> None:
    ranged = expression == "h"
    answer = render(
        await evaluate(expression, HISTOGRAMS, 0, 1, 1) if ranged else await evaluate_instant(expression, HISTOGRAMS, 1)
    )
    assert answer == (
        b'{"resultType":"matrix","result":['
        b'{"metric":{"__name__":"h","a":"1"},"histograms":[[0,%s],[1,%s]]},'
        b'{"metric":{"__name__":"h","a":"2"},"values":[[0,"1.5"]],"histograms":[[1,{"count":"0","sum":"0"}]]},'
        b'{"metric":{"__name__":"h","a":"3"},"values":[[0,"1.5"],[1,"2.5"]]}]}'
    ) % (EXPONENTIAL_JSON, CUSTOM_JSON)


async def test_a_matrix_is_sorted_by_labels_and_skips_absent_steps() -> None:
    rendered = msgspec.json.decode(render(await evaluate("b", SOURCE, 0, 3, 1.25)))
    assert rendered == {
        "resultType": "matrix",
        "result": [
            {"metric": {"__name__": "b", "a": "1"}, "values": [[1.25, "-Inf"], [2.5, "-Inf"]]},
            {"metric": {"__name__": "b", "x": '"\\é\n'}, "values": [[1.25, "1"], [2.5, "NaN"]]},
        ],
    }


async def test_scalars_and_strings_carry_the_time_asked_for() -> None:
    assert render(await evaluate_instant("1e21", SOURCE, -1.5)) == (
        b'{"resultType":"scalar","result":[-1.500,"1e+21"]}'
    )
    assert render(await evaluate_instant('"a\\"b"', SOURCE, 7)) == b'{"resultType":"string","result":[7,"a\\"b"]}'
    assert render(await evaluate("time()", SOURCE, 1, 2, 1)) == (
        b'{"resultType":"matrix","result":[{"metric":{},"values":[[1,"1"],[2,"2"]]}]}'
    )


async def test_an_empty_answer_is_an_empty_list() -> None:
    assert render(await evaluate("nothing", SOURCE, 1, 2, 1)) == b'{"resultType":"matrix","result":[]}'
    assert render(await evaluate_instant("nothing", SOURCE, 1)) == b'{"resultType":"vector","result":[]}'


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1"),
        (-0.0, "-0"),
        (1e16, "10000000000000000"),
        (1e21, "1e+21"),
        (1.5e-7, "1.5e-07"),
        (1e-6, "0.000001"),
        (123456.789, "123456.789"),
        (5e-324, "5e-324"),
        (math.inf, "+Inf"),
        (0.1 + 0.2, "0.30000000000000004"),
    ],
)
def test_floats_are_written_as_go_writes_them(value: float, text: str) -> None:
    assert json_float_text(value) == text


@given(st.lists(st.floats(), min_size=1, max_size=50))
def test_writing_many_floats_at_once_equals_writing_each(values: list[float]) -> None:
    offsets, which = np.array([0, 1, len(values)]), np.arange(len(values))
    wanted = [b'[%d,"%s"]' % (k, json_float_text(value).encode()) for k, value in enumerate(values)]
    assert _points(offsets, which * 1000, which, np.array(values)) == [wanted[0], b",".join(wanted[1:])]


def test_at_every_magnitude_writing_many_floats_at_once_equals_writing_each() -> None:
    """Also beside each power of two and of ten, where a change to or from an exponent would lie."""
    rng = np.random.default_rng(1)
    anywhere = rng.integers(0, 2**64, 10_000, np.uint64).view(np.float64)
    plain = rng.integers(0, 2**52, 20_000, np.uint64) | (rng.integers(1003, 1078, 20_000, np.uint64) << np.uint64(52))
    powers = np.array([*(2.0**k for k in range(-1074, 1024)), *(float(f"1e{k}") for k in range(-323, 309))])
    beside = [np.nextafter(powers, toward) for toward in (0, math.inf)]
    values = np.concatenate([anywhere, plain.view(np.float64), powers, -powers, *beside])
    wanted = b",".join(b'[0,"%s"]' % json_float_text(value).encode() for value in values.tolist())
    assert _points(np.array([0, len(values)]), np.array([0]), np.zeros(len(values), np.int64), values) == [wanted]
