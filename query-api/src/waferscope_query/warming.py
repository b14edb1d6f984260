"""Compiles all kernels into their cache, so that no query waits for it: `waferscope serve query --warm-kernels`.

What is compiled follows from the types of the arrays alone, so a few small queries of every kind do.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from pkgutil import walk_packages

import numpy as np
from numba.core.dispatcher import Dispatcher

import waferscope_query
from waferscope_query.promql.control import Control
from waferscope_query.promql.engine import answer
from waferscope_query.promql.evaluation.tracing import Trace
from waferscope_query.promql.histograms import CUSTOM_BUCKETS, Histogram
from waferscope_query.promql.memory import MemorySource
from waferscope_query.promql.parsing import parse
from waferscope_query.promql.plan import plan_instant, plan_range
from waferscope_query.promql.render import render
from waferscope_query.storage.cache.block import WIDTH_MS, Block, gather
from waferscope_query.storage.native import parse_native

_TIMES = [0, 15_000, 30_000, 45_000, 60_000]
_END_S = 60

# Functions of ranges over {}, which is a selector with a range.
_OVER_RANGES = (
    *("rate({})", "increase({})", "delta({})", "irate({})", "idelta({})", "resets({})", "changes({})"),
    *("avg_over_time({})", "sum_over_time({})", "count_over_time({})", "last_over_time({})", "present_over_time({})"),
)
_FLOATS_ONLY = (
    *("deriv({})", "predict_linear({}, 60)", "quantile_over_time(0.5, {})", "integral({})", "mad_over_time({})"),
    *("double_exponential_smoothing({}, 0.5, 0.5)", "ts_of_max_over_time({})", "ts_of_last_over_time({})"),
)
_OVER_VECTORS = (
    *("sum by (i) ({})", "avg({})", "min({})", "max({})", "count({})", "group({})", "stddev({})", "stdvar({})"),
    *("topk(1, {})", "bottomk(1, {})", "limitk(1, {})", "limit_ratio(0.5, {})", "quantile(0.5, {})"),
    *('count_values("v", {})', "timestamp({})", "-{}", "{0} + {0}", "{0} - {0}", "{0} * 2", "{0} / 2", "{0} == {0}"),
    *("{0} and {0}", "absent({})", "sort({})"),
)
_OVER_HISTOGRAMS = (
    *("histogram_quantile(0.5, {})", "histogram_fraction(0, 1, {})", "histogram_stddev({})", "histogram_stdvar({})"),
    *("histogram_count({})", "histogram_sum({})", "histogram_avg({})", 'histogram_quantiles({}, "q", 0.5, 0.9)'),
    *("{} </ 1", "{} >/ 1"),
)
_EXPRESSIONS = (
    *(call.format(f"{name}[1m]") for name in ("x", "h", "c", "m") for call in _OVER_RANGES),
    *(call.format("x[1m]") for call in _FLOATS_ONLY),
    *(call.format(name) for name in ("x", "h", "c") for call in _OVER_VECTORS),
    *(call.format(name) for name in ("h", "c", "n", "b_bucket") for call in _OVER_HISTOGRAMS),
    *("rate(x[1m] smoothed)", "delta(x[1m] anchored)", "changes(x[1m] anchored)", "resets(x[1m] anchored)"),
    *("x smoothed", "h + c", "sum by (i) (h)", "rate(h[1m:15s])", "histogram_count(rate(h[1m]))"),
)


def warm() -> int:
    """Compile all kernels or load them from the cache.

    Returns:
        How many there are.
    """
    asyncio.run(_ask(_source()))
    parse_native(b"", 1)
    gather([Block.empty(0)], np.zeros(1, np.int64), (0, WIDTH_MS))
    return len(kernels())


def kernels() -> dict[str, Dispatcher]:
    """Give all kernels by module and name."""
    modules = (import_module(found.name) for found in walk_packages(waferscope_query.__path__, "waferscope_query."))
    return {
        f"{module.__name__}.{name}": one
        for module in modules
        for name, one in vars(module).items()
        if isinstance(one, Dispatcher) and one.py_func.__module__ == module.__name__
    }


async def _ask(source: MemorySource) -> None:
    for expression in _EXPRESSIONS:
        query = parse(expression)
        plan = plan_range(query, 0, _END_S * 1000, 15_000)
        render(await answer(plan, source, Control(), Trace()))
    for expression in ("x", "x[1m]", "h[1m]", "x[1m] smoothed", "x[1m] anchored"):
        render(await answer(plan_instant(parse(expression), _END_S * 1000), source, Control(), Trace()))


def _source() -> MemorySource:
    grown = [_exponential(number) for number in range(1, 6)]
    negative = [replace(one, negative=(1.0, 2.0), negative_first=1) for one in grown]
    custom = [replace(one, schema=CUSTOM_BUCKETS, bounds=(1.0, 2.0), zero_count=0.0) for one in grown]
    numbers = [1.0, 2.0, 1.5, 4.0, 5.0]
    values: list[tuple[dict[str, str], Sequence[float | Histogram]]] = [
        *(({"__name__": "x", "i": i}, numbers) for i in "ab"),
        *(({"__name__": "h", "i": i}, grown) for i in "ab"),
        *(({"__name__": "c", "i": i}, custom) for i in "ab"),
        ({"__name__": "n"}, negative),
        ({"__name__": "m"}, [*numbers[:2], *grown[2:]]),
        *(({"__name__": "b_bucket", "le": le}, numbers) for le in ("1", "2", "+Inf")),
    ]
    return MemorySource([(labels, _TIMES, given) for labels, given in values])


def _exponential(number: int) -> Histogram:
    size = float(number)
    return Histogram(count=4 * size, sum=9 * size, zero_count=size, positive=(size, 2 * size), positive_first=1)
