"""The stages, one after the other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

from waferscope_query.promql.control import Control
from waferscope_query.promql.errors import TooManySamplesError
from waferscope_query.promql.evaluation.holding import arrays_of
from waferscope_query.promql.evaluation.run import Answer, evaluate_plan
from waferscope_query.promql.evaluation.tracing import Trace
from waferscope_query.promql.grid import DEFAULT_LIMITS, Limits
from waferscope_query.promql.parsing import parse
from waferscope_query.promql.plan import Plan, plan_instant, plan_range
from waferscope_query.promql.planning_history import beyond_raw
from waferscope_query.promql.source import Rollups, Samples, Source
from waferscope_query.promql.usage import Usage, used_by

Result = TypeVar("Result")


async def evaluate(
    expr: str,
    source: Source,
    start: float,
    end: float,
    step: float,
    *,
    limits: Limits = DEFAULT_LIMITS,
    control: Control | None = None,
) -> Answer:
    """Answer an expression at every step of a range.

    Args:
        expr: PromQL.
        source: Where the samples are.
        start: First step, seconds since the epoch.
        end: No step lies after it, seconds since the epoch.
        step: Seconds between steps.
        limits: What the query may ask for.
        control: Deadline, cancellation, and what the query may use.

    Returns:
        Arrays over all series and steps, with warnings and infos.

    Raises:
        ParseError: `expr` is no PromQL.
        BadDataError: The range makes no sense.
        ExecutionError: The expression can't be answered over this data.
        QueryTimeoutError: The deadline has passed.
        QueryCanceledError: The query was canceled.
    """
    plan = plan_range(parse(expr), to_ms(start), to_ms(end), to_ms(step), limits)
    return await answer(plan, source, control or Control())


async def evaluate_instant(
    expr: str, source: Source, time: float, *, limits: Limits = DEFAULT_LIMITS, control: Control | None = None
) -> Answer:
    """Answer an expression at one time (seconds since the epoch); otherwise as `evaluate`."""
    plan = plan_instant(parse(expr), to_ms(time), limits)
    return await answer(plan, source, control or Control())


async def answer(plan: Plan, source: Source, control: Control, trace: Trace | None = None) -> Answer:
    """Select what a plan needs, then evaluate it in a thread; a canceled task cancels the evaluation."""
    return await answer_as(lambda found: found, plan, source, control, trace)


async def answer_as(
    form: Callable[[Answer], Result], plan: Plan, source: Source, control: Control, trace: Trace | None = None
) -> Result:
    """Answer, and give the answer another form in the same thread: rendered, for instance."""
    began = time.perf_counter()
    if plan.selections:
        plan = beyond_raw(plan, await source.borders())
    with used_by(control.usage):
        samples, rollups = await _select(plan, source, control.usage)
        selected = time.perf_counter()
        try:
            found = await asyncio.to_thread(
                lambda: form(evaluate_plan(plan, samples, source.pool, control, trace, rollups))
            )
        except asyncio.CancelledError:
            control.cancel()
            raise
    if trace is not None:
        trace.samples = samples
        trace.selecting, trace.evaluating = selected - began, time.perf_counter() - selected
    return found


async def _select(plan: Plan, source: Source, usage: Usage) -> tuple[list[Samples], list[Rollups]]:
    """Fetch the selections within the limits."""
    usage.max_series = plan.limits.max_series
    allowed = usage.max_samples(plan.limits.max_samples)
    try:
        samples = await source.select(plan.selections, allowed)
        left = allowed - sum(len(one.ts) for one in samples)
        rollups = await source.rollups(plan.rollups, left) if plan.rollups else []
    except TooManySamplesError:
        if allowed < plan.limits.max_samples:
            raise usage.too_many() from None
        raise
    finally:
        usage.settle()
    past = dict(zip(plan.rollups, rollups, strict=True)).values()
    distinct = [*dict(zip(plan.selections, samples, strict=True)).values(), *(one.samples for one in past)]
    usage.check_series(sum(len(one.labels) for one in distinct))
    for one in (*distinct, *(one.whole for one in past if one.whole is not None)):
        usage.hold(*arrays_of(one))
    usage.hold(*(one.columns for one in past))
    return samples, rollups


def to_ms(seconds: float) -> int:
    """Seconds to whole milliseconds."""
    return round(seconds * 1000)
