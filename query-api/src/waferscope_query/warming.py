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
from waferscope_query.promql.evaluation.kernels.rollups import increases
from waferscope_query.promql.evaluation.tracing import Trace
from waferscope_query.promql.grid import Limits
from waferscope_query.promql.histograms import CUSTOM_BUCKETS, Histogram, histogram_table
from waferscope_query.promql.labels import StringPool
from waferscope_query.promql.memory import MemorySource
from waferscope_query.promql.parsing import parse
from waferscope_query.promql.plan import plan_instant, plan_range
from waferscope_query.promql.render import render
from waferscope_query.storage.cache.splicing import gathered, spliced
from waferscope_query.storage.classic import classic_points
from waferscope_query.storage.compacting import collected
from waferscope_query.storage.copied import HEADER_BYTES, TRAILER_BYTES, HistogramPoints
from waferscope_query.storage.native import parse_native
from waferscope_query.storage.runs import parse_runs
from waferscope_query.storage.starts import lay
from waferscope_query.storage.virtual import BucketLabels, exploded

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
_EXTENDED = ("rate(x[1m] smoothed)", "delta(x[1m] anchored)", "changes(x[1m] anchored)", "resets(x[1m] anchored)")
_OF_FLOATS = (
    *(call.format("x[1m]") for call in (*_OVER_RANGES, *_FLOATS_ONLY)),
    *(call.format("x") for call in _OVER_VECTORS),
    *(call.format("b_bucket") for call in _OVER_HISTOGRAMS),
    *_EXTENDED,
    *("x smoothed", "rate(x[1m:15s])", "start_timestamp(x)", "max_over_time(rate(x[30s])[1m:15s])"),
)
_OF_HISTOGRAMS = (
    *(call.format(f"{name}[1m]") for name in ("h", "c", "m") for call in _OVER_RANGES),
    *(call.format(name) for name in ("h", "c") for call in _OVER_VECTORS),
    *(call.format(name) for name in ("h", "c", "n") for call in _OVER_HISTOGRAMS),
    *("rate(h[1m] smoothed)", "increase(h[1m] anchored)", "h smoothed", "start_timestamp(h)"),
    *("h + c", "sum by (i) (h)", "rate(h[1m:15s])", "histogram_count(rate(h[1m]))"),
)
_AT_ONE_TIME = ("x", "x[1m]", "x[1m] smoothed", "x[1m] anchored")


def warm() -> int:
    """Compile all kernels or load them from the cache.

    Returns:
        How many there are.
    """
    asyncio.run(_ask(_floats(), _OF_FLOATS, _AT_ONE_TIME))
    asyncio.run(_ask(_histograms(), _OF_HISTOGRAMS, ("h", "h[1m]")))
    _read()
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


async def _ask(source: MemorySource, over_range: Sequence[str], at_one_time: Sequence[str]) -> None:
    for starts in (False, True):
        limits = Limits(use_starts=starts)
        for expression in over_range:
            plan = plan_range(parse(expression), 0, _END_S * 1000, 15_000, limits)
            render(await answer(plan, source, Control(), Trace()))
        for expression in at_one_time:
            plan = plan_instant(parse(expression), _END_S * 1000, limits)
            render(await answer(plan, source, Control(), Trace()))


def _read() -> None:
    """Put rows together, of which there are none or one, as from the database."""
    none, series = np.zeros(0, np.int64), np.zeros(1, np.int64)
    parse_native(b"", 1)
    runs = parse_runs(bytes(HEADER_BYTES + TRAILER_BYTES), series)
    gathered([spliced(runs, runs, series, (0, 1))], series, (0, 1))
    one, cells = np.ones(1), np.ones((1, 2))
    point = HistogramPoints(series, series, one, one, np.ones(1, np.bool_), series, cells[:, :1], cells)
    exploded(classic_points([point]), BucketLabels(StringPool()))
    collected([histogram_table([_exponential(1)]) for _ in range(2)], np.array([0, 1]))
    lay(series, none, none, none, none, none)
    numbers, out, present = np.zeros(0), np.zeros((0, 0)), np.zeros((0, 0), np.bool_)
    increases(
        series, none, numbers, none, 1, numbers, numbers, numbers, numbers, numbers,
        True, out, present, 0, 0,  # noqa: FBT003, numba takes no keywords
    )  # fmt: skip


def _floats() -> MemorySource:
    values = [1.0, 2.0, 1.5, 4.0, 5.0]
    labels = [{"__name__": "x", "i": i} for i in "ab"]
    labels += [{"__name__": "b_bucket", "le": le} for le in ("1", "2", "+Inf")]
    return MemorySource([(one, _TIMES, values) for one in labels], starts=[_TIMES] * len(labels))


def _histograms() -> MemorySource:
    grown = [_exponential(number) for number in range(1, 6)]
    negative = [replace(one, negative=(1.0, 2.0), negative_first=1) for one in grown]
    custom = [replace(one, schema=CUSTOM_BUCKETS, bounds=(1.0, 2.0), zero_count=0.0) for one in grown]
    values: list[tuple[dict[str, str], Sequence[float | Histogram]]] = [
        *(({"__name__": "h", "i": i}, grown) for i in "ab"),
        *(({"__name__": "c", "i": i}, custom) for i in "ab"),
        ({"__name__": "n"}, negative),
        ({"__name__": "m"}, [1.0, 2.0, *grown[2:]]),
    ]
    return MemorySource([(labels, _TIMES, given) for labels, given in values], starts=[_TIMES] * len(values))


def _exponential(number: int) -> Histogram:
    size = float(number)
    return Histogram(count=4 * size, sum=9 * size, zero_count=size, positive=(size, 2 * size), positive_first=1)
