"""The stages, one after the other."""

from __future__ import annotations

import asyncio

from waferscope_query.promql.control import Control
from waferscope_query.promql.evaluation.run import Answer, evaluate_plan
from waferscope_query.promql.grid import DEFAULT_LIMITS, Limits
from waferscope_query.promql.parsing import parse
from waferscope_query.promql.plan import Plan, plan_instant, plan_range
from waferscope_query.promql.planning_history import beyond_raw
from waferscope_query.promql.source import Source


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
        limits: What the query may use.
        control: Deadline and cancellation.

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


async def answer(plan: Plan, source: Source, control: Control) -> Answer:
    """Select what a plan needs, then evaluate it in a thread; a canceled task cancels the evaluation."""
    plan = beyond_raw(plan, await source.borders())
    room = plan.limits.max_samples
    samples = await source.select(plan.selections, room)
    rollups = await source.rollups(plan.rollups, room - sum(len(one.ts) for one in samples)) if plan.rollups else []
    try:
        return await asyncio.to_thread(evaluate_plan, plan, samples, source.pool, control, rollups)
    except asyncio.CancelledError:
        control.cancel()
        raise


def to_ms(seconds: float) -> int:
    """Seconds to whole milliseconds."""
    return round(seconds * 1000)
