"""The memory of a query is counted as long as it lives."""

from __future__ import annotations

import gc

import numpy as np
import pytest

from waferscope_query.promql import evaluate
from waferscope_query.promql.control import Control
from waferscope_query.promql.errors import MemoryExhaustedError, MemoryLimitError, TooManySeriesError
from waferscope_query.promql.grid import Limits
from waferscope_query.promql.memory import MemorySource
from waferscope_query.promql.usage import MemoryPool, Usage

MIB = 1 << 20
SOURCE = MemorySource([({"__name__": "x", "i": str(i)}, range(0, 600_000, 1000), [1.0] * 600) for i in range(100)])


def test_arrays_count_once_and_as_long_as_they_live() -> None:
    pool = MemoryPool(10 * MIB)
    usage = Usage(8 * MIB, pool, MIB)
    assert pool.take(MIB)  # what is reserved
    first = np.zeros(MIB // 4)
    usage.hold(first, first[:10], first.reshape(2, -1))
    assert pool.taken == 2 * MIB
    second = np.zeros(MIB // 2)
    usage.hold(second)
    assert (pool.taken, usage.peak) == (6 * MIB, 6 * MIB)
    del first
    gc.collect()
    usage.settle()
    assert pool.taken == 4 * MIB
    usage.end()
    assert pool.taken == MIB
    del second
    usage.settle()
    assert pool.taken == MIB


def test_a_query_has_its_share_and_all_together_theirs() -> None:
    pool = MemoryPool(10 * MIB)
    usage, other = Usage(8 * MIB, pool), Usage(8 * MIB, pool)
    usage.charge(6 * MIB)
    with pytest.raises(MemoryLimitError, match=r"more than 8,388,608 bytes of memory \(WAFERSCOPE_QUERY_MAX_MEMORY\)"):
        usage.charge(3 * MIB)
    with pytest.raises(MemoryExhaustedError, match="WAFERSCOPE_QUERY_TOTAL_MEMORY"):
        other.charge(5 * MIB)
    usage.end()
    other.charge(5 * MIB)


def test_what_passes_by_is_given_back_and_told_when_it_does_not_fit() -> None:
    usage = Usage(MIB)
    assert usage.fits_passing(MIB)
    assert not usage.fits_passing(1)
    with pytest.raises(MemoryLimitError):
        usage.refuse()
    usage.settle()
    assert usage.fits_passing(MIB)


@pytest.mark.parametrize(
    ("expression", "size"),
    [
        ("x", MIB),  # the samples alone
        ("x", 4 * MIB),  # and the cells
        ("-x", 10 * MIB),  # and those of a result
        ("sum_over_time(x[10m:1s])", 6 * MIB),
        ("x + on(i) x", 10 * MIB),
    ],
)
async def test_a_query_over_its_share_is_refused(expression: str, size: int) -> None:
    with pytest.raises(MemoryLimitError, match="ask for fewer series, a shorter range or a longer step"):
        await evaluate(expression, SOURCE, 0, 600, 0.1, control=Control(usage=Usage(size)))


async def test_a_query_leaves_nothing_behind() -> None:
    pool = MemoryPool(1 << 30)
    control = Control(usage=Usage(1 << 30, pool))
    answer = await evaluate("sum by (i) (rate(x[1m])) / 2", SOURCE, 0, 600, 1, control=control)
    assert pool.taken > 0
    assert control.usage.peak > 600 * 100 * 16
    del answer
    gc.collect()
    control.usage.settle()
    assert pool.taken == 0


async def test_a_query_reads_no_more_series_than_allowed() -> None:
    await evaluate("x + x", SOURCE, 0, 60, 1, limits=Limits(max_series=100))  # the same selection twice is read once
    with pytest.raises(TooManySeriesError, match="query would read 100 series, more than the limit of 99"):
        await evaluate("x", SOURCE, 0, 60, 1, limits=Limits(max_series=99))
