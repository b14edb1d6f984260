"""How a query is answered: its plan, and what each part of it took (an endpoint of ours beside Prometheus's)."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter

from waferscope_query.http.activity import Activity
from waferscope_query.http.admission import Admission
from waferscope_query.http.endpoint import served
from waferscope_query.http.envelope import Success, dump
from waferscope_query.http.openapi import describe
from waferscope_query.http.parameters import Parameters
from waferscope_query.http.planning import instant, over_range, planned
from waferscope_query.promql.control import Control
from waferscope_query.promql.engine import answer
from waferscope_query.promql.evaluation.tracing import Trace
from waferscope_query.promql.explaining import expected, milliseconds, of_rollups, taken, tree
from waferscope_query.promql.grid import Limits
from waferscope_query.promql.plan import Plan
from waferscope_query.promql.planning_history import beyond_raw
from waferscope_query.promql.render import render, room
from waferscope_query.promql.usage import Read
from waferscope_query.storage.source import DatabaseSource

_ASKED = ("query", "time", "start", "end", "step")


class ExplainApi:
    """The endpoint `/api/v1/explain`.

    Args:
        source: Where the samples are.
        admission: Lets queries in.
        limits: What a query may ask for.
        activity: Notes queries while they run.
    """

    def __init__(self, source: DatabaseSource, admission: Admission, limits: Limits, activity: Activity) -> None:
        self._source = source
        self._admission = admission
        self._limits = limits
        self._activity = activity

    def router(self) -> APIRouter:
        """Offer the endpoint."""
        router = APIRouter(prefix="/api/v1", tags=["Explain"])
        router.add_api_route(
            "/explain",
            served(self._admission, self.explain),
            methods=["GET", "POST"],
            summary="Tell how a query is answered, and what each part of it takes",
            openapi_extra=describe(*_ASKED, "plan", "lookback_delta", "timeout", optional="step"),
        )
        return router

    async def explain(self, parameters: Parameters, control: Control) -> Success:
        """Answer a query, over a range where a start is given, and tell of it instead of its result."""
        reading = over_range if parameters.first("start") else instant
        began = time.perf_counter()
        planning = reading(parameters, self._limits)
        with self._activity.query(**{name: parameters.first(name) for name in _ASKED}):
            plan = beyond_raw(await planned(planning), await self._source.borders())
            stages = {"queue": milliseconds(control.waited), "plan": milliseconds(time.perf_counter() - began)}
            if parameters.flag("plan"):
                return Success(dump(await self._told(plan, None, stages, {})))
            return await self._answered(plan, stages, parameters.flag("nocache"), control)

    async def _answered(self, plan: Plan, stages: dict[str, float], uncached: bool, control: Control) -> Success:  # noqa: FBT001
        trace = Trace()
        found = await answer(plan, self._source.uncached() if uncached else self._source, control, trace)
        began = time.perf_counter()
        control.usage.charge(room(found))
        rendered = await asyncio.to_thread(render, found)
        stages |= {
            "select": milliseconds(trace.selecting),
            "evaluate": milliseconds(trace.evaluating),
            "render": milliseconds(time.perf_counter() - began),
        }
        reads = control.usage.reads
        told = await self._told(plan, trace, stages, reads)
        for shown, samples, one in zip(told["selections"], trace.samples, plan.selections, strict=True):
            shown.update(taken(samples, reads.get(one, Read())))
        distinct = reads.values()
        told["totals"] = {
            "seriesTouched": trace.counts.series,
            "samplesQueryable": int(trace.counts.consumed.sum()),
            "samplesFromMemory": sum(read.cached_samples for read in distinct),
            "samplesFromDatabase": sum(read.read_samples for read in distinct),
            "bytesFromDatabase": sum(read.read_bytes for read in distinct),
            "peakBytes": control.usage.peak,
            "answerBytes": len(rendered),
            "milliseconds": round(sum(stages.values()), 3),
        }
        return Success(await asyncio.to_thread(dump, told), found.warnings, found.infos)

    async def _told(
        self, plan: Plan, trace: Trace | None, stages: dict[str, float], reads: Mapping[object, Read]
    ) -> dict[str, Any]:
        series = await self._source.count(plan.selections)
        grid = plan.grid
        steps = {"start": grid.start_ms / 1000, "end": grid.end_ms / 1000, "steps": grid.count}
        return {
            "query": plan.query.text,
            **(steps if plan.instant else {**steps, "step": grid.step_ms / 1000}),
            "plan": await asyncio.to_thread(tree, plan, trace),
            "selections": [expected(one, count) for one, count in zip(plan.selections, series, strict=True)],
            "rollups": [of_rollups(one, None if trace is None else reads.get(one)) for one in plan.rollups],
            "stages": stages,
        }
