"""From the parameters of a query to its plan."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

from waferscope_query.http.errors import ParameterError
from waferscope_query.http.parameters import Parameters, parse_duration
from waferscope_query.promql.errors import ParseError
from waferscope_query.promql.grid import Limits
from waferscope_query.promql.parsing import Query, parse
from waferscope_query.promql.plan import Plan, plan_instant, plan_range

_SHORT = 1000  # characters of an expression that is planned within a few milliseconds


@dataclass(frozen=True, slots=True)
class Planning:
    """A query that was asked.

    Attributes:
        text: The expression.
        plan: Makes a plan of it.
    """

    text: str
    plan: Callable[[Query], Plan]


def instant(parameters: Parameters, limits: Limits) -> Planning:
    """Read the parameters of a query at one time.

    Raises:
        ParameterError: One is no good.
    """
    moment = parameters.time("time", time.time_ns() // 1_000_000)
    limits = _limits_of(parameters, limits)
    return Planning(parameters.first("query"), lambda query: plan_instant(query, moment, limits))


def over_range(parameters: Parameters, limits: Limits) -> Planning:
    """Read the parameters of a query over a range; errors as `instant`."""
    start, end = parameters.required_time("start"), parameters.required_time("end")
    if end < start:
        raise ParameterError.named("end", "end timestamp must not be before start time")
    step = parameters.duration("step")
    if step <= 0:
        raise ParameterError.named(
            "step", "zero or negative query resolution step widths are not accepted. Try a positive integer"
        )
    limits = _limits_of(parameters, limits)
    return Planning(parameters.first("query"), lambda query: plan_range(query, start, end, step, limits))


async def planned(planning: Planning) -> Plan:
    """Parse and plan; a long expression is work for a thread.

    Raises:
        ParameterError: The expression is no PromQL.
        PromQLError: It can't be asked over these steps.
    """
    try:
        if len(planning.text) > _SHORT:
            return await asyncio.to_thread(lambda: planning.plan(parse(planning.text)))
        return planning.plan(_known(planning.text))
    except ParseError as error:
        raise ParameterError.named("query", error) from None


@lru_cache(512)
def _known(text: str) -> Query:
    """Parse what may be asked again: a board does so every few seconds."""
    return parse(text)


def _limits_of(parameters: Parameters, limits: Limits) -> Limits:
    limits = replace(limits, use_starts=parameters.uses_starts(default=limits.use_starts))
    text = parameters.first("lookback_delta")
    if not text:
        return limits
    try:
        return replace(limits, lookback_ms=parse_duration(text) or limits.lookback_ms)
    except ValueError as error:
        raise ParameterError(f"error parsing lookback delta duration: {error}") from None
