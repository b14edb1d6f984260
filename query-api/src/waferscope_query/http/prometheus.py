"""Prometheus's HTTP API, version 1 (prometheus.io, Querying, HTTP API)."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from itertools import islice
from typing import Any

from fastapi import APIRouter

from waferscope_query.http.activity import Activity
from waferscope_query.http.admission import Admission
from waferscope_query.http.endpoint import served
from waferscope_query.http.envelope import Success, dump
from waferscope_query.http.errors import ParameterError
from waferscope_query.http.openapi import describe
from waferscope_query.http.parameters import MAX_MS, MIN_MS, Parameters, matcher_sets
from waferscope_query.http.planning import instant, over_range, planned
from waferscope_query.http.stats import statistics, warning, with_statistics
from waferscope_query.http.truncate import truncate
from waferscope_query.promql.control import Control
from waferscope_query.promql.engine import answer_as
from waferscope_query.promql.errors import ParseError
from waferscope_query.promql.evaluation.run import Answer
from waferscope_query.promql.evaluation.tracing import Trace
from waferscope_query.promql.grid import Grid, Limits
from waferscope_query.promql.plan import Plan, plan_range
from waferscope_query.promql.planning_history import beyond_raw
from waferscope_query.promql.printing import format_query, parse_query
from waferscope_query.promql.render import render, room
from waferscope_query.promql.source import Source
from waferscope_query.results.answering import Piece, Question, answer_by_steps
from waferscope_query.results.cache import Key
from waferscope_query.results.reach import Reach, reach_of
from waferscope_query.storage.source import DatabaseSource

_TRUNCATED = "results truncated due to limit"
_ESCAPED = re.compile(r"__|_([0-9A-Fa-f]{1,6})_")
_RANGE = ("query", "start", "end", "step")


class PrometheusApi:
    """The endpoints under `/api/v1`.

    Args:
        source: Where the samples are, and results to stand on.
        uncached: The same, for requests that ask for nothing from memory.
        admission: Lets queries in.
        limits: What a query may use.
        activity: Notes queries while they run.
    """

    def __init__(
        self, source: DatabaseSource, uncached: Source, admission: Admission, limits: Limits, activity: Activity
    ) -> None:
        self._source = source
        self._results = source.cache.results
        self._uncached = uncached
        self._admission = admission
        self._limits = limits
        self._activity = activity

    def router(self) -> APIRouter:
        """Offer all endpoints."""
        router = APIRouter(prefix="/api/v1", tags=["Prometheus"])
        both, get = ["GET", "POST"], ["GET"]
        common = ("timeout", "limit")
        asked = ("lookback_delta", "stats", *common)
        many = ("match[]", "start", "end", *common)
        for path, methods, handler, extra in (
            ("/query", both, self.query, describe("query", "time", *asked)),
            ("/query_range", both, self.query_range, describe(*_RANGE, *asked)),
            ("/series", both, self.series, describe(*many)),
            ("/labels", both, self.labels, describe(*many)),
            ("/label/{name}/values", get, self.label_values, describe(*many, path="name")),
            ("/format_query", both, self.format_query, describe("query")),
            ("/parse_query", both, self.parse_query, describe("query")),
            ("/metadata", get, self.metadata, describe("metric", "limit", "limit_per_metric")),
        ):
            summary = (handler.__doc__ or "").rstrip(".")
            router.add_api_route(
                path, served(self._admission, handler), methods=methods, summary=summary, openapi_extra=extra
            )
        return router

    async def query(self, parameters: Parameters, control: Control) -> Success:
        """Evaluate an expression at one time."""
        limit = parameters.limit()
        planning = instant(parameters, self._limits)
        with self._noted(parameters, "time"):
            return await self._answer(await planned(planning), parameters, control, limit)

    async def query_range(self, parameters: Parameters, control: Control) -> Success:
        """Evaluate an expression at every step of a range."""
        limit = parameters.limit()
        planning = over_range(parameters, self._limits)
        with self._noted(parameters, "start", "end", "step"):
            plan = await planned(planning)
            reach = None if limit or parameters.first("stats") or parameters.flag("nocache") else reach_of(plan)
            if reach is None or beyond_raw(plan, await self._source.borders()).rollups:
                return await self._answer(plan, parameters, control, limit)
            return await self._answer_by_steps(plan, reach, control)

    async def series(self, parameters: Parameters, _: Control) -> Success:
        """List the series that match a selector."""
        if not parameters.all("match[]"):
            raise ParameterError("no match[] parameter provided")
        limit, start, end = _span(parameters)
        frame = await self._source.series(matcher_sets(parameters), start, end)
        return await asyncio.to_thread(lambda: _listed([*islice(frame.rows(), limit + 1 if limit else None)], limit))

    async def labels(self, parameters: Parameters, _: Control) -> Success:
        """List label names."""
        limit, start, end = _span(parameters)
        names = await self._source.label_names(matcher_sets(parameters), start, end)
        return await asyncio.to_thread(_listed, names, limit)

    async def label_values(self, parameters: Parameters, _: Control) -> Success:
        """List the values of a label."""
        name = _unescaped(parameters.first("name"))
        limit, start, end = _span(parameters)
        values = await self._source.label_values(name, matcher_sets(parameters), start, end)
        return await asyncio.to_thread(_listed, values, limit)

    async def metadata(self, parameters: Parameters, _: Control) -> Success:
        """Tell type, unit and help of metrics."""
        limit, per_metric = (_count(parameters, name) for name in ("limit", "limit_per_metric"))
        metrics: dict[str, list[dict[str, str]]] = {}
        for known in await self._source.metadata(parameters.first("metric") or None):
            entries = metrics.setdefault(known.metric, [])
            if per_metric <= 0 or len(entries) < per_metric:
                entries.append({"type": known.kind, "unit": known.unit, "help": known.help})
        return Success(dump(dict(islice(metrics.items(), limit if limit >= 0 else None))))

    async def format_query(self, parameters: Parameters, _: Control) -> Success:
        """Lay out an expression."""
        return await _of_expression(format_query, parameters)

    async def parse_query(self, parameters: Parameters, _: Control) -> Success:
        """Show the tree of an expression."""
        return await _of_expression(parse_query, parameters)

    def _noted(self, parameters: Parameters, *names: str) -> AbstractContextManager[None]:
        return self._activity.query(**{name: parameters.first(name) for name in ("query", *names)})

    def _source_for(self, parameters: Parameters) -> Source:
        return self._uncached if parameters.flag("nocache") else self._source

    async def _answer(self, plan: Plan, parameters: Parameters, control: Control, limit: int) -> Success:
        """Answer a query as a whole."""
        stats = parameters.first("stats")
        trace = Trace() if stats else None

        def rendered(found: Answer) -> Success:
            kept, truncated = truncate(found, limit)
            control.usage.charge(room(kept))
            warnings = (*found.warnings, *([_TRUNCATED] if truncated else []), *warning(stats))
            return Success(render(kept), warnings, found.infos)

        success = await answer_as(rendered, plan, self._source_for(parameters), control, trace)
        if trace is None:
            return success
        return replace(success, data=with_statistics(success.data, dump(statistics(trace, stats, control.waited))))

    async def _answer_by_steps(self, plan: Plan, reach: Reach, control: Control) -> Success:
        """Answer a range query with the help of what was answered before."""
        step, limits = plan.grid.step_ms, plan.limits

        def rendered(found: Answer) -> Piece:
            control.usage.charge(room(found))
            return Piece.of(found)

        def compute(grid: Grid) -> Awaitable[Piece]:
            part = plan if grid == plan.grid else plan_range(plan.asked, grid.start_ms, grid.end_ms, step, limits)
            return answer_as(rendered, part, self._source, control)

        key = Key(plan.asked.text, step, plan.grid.start_ms % step, limits.lookback_ms)
        question = Question(key, plan.grid, reach)
        result = await answer_by_steps(self._results, question, compute, self._source.follower.refresh)
        return Success(result.data, result.warnings, result.infos)


def _span(parameters: Parameters) -> tuple[int, int, int]:
    return parameters.limit(), parameters.time("start", MIN_MS), parameters.time("end", MAX_MS)


def _count(parameters: Parameters, name: str) -> int:
    """A number that Prometheus reads with a message of its own; -1 where it isn't given."""
    text = parameters.first(name) or "-1"
    if not re.fullmatch(r"[+-]?\d{1,18}", text, re.ASCII):
        raise ParameterError(f"{name} must be a number")
    return int(text)


async def _of_expression(tell: Callable[[str], object], parameters: Parameters) -> Success:
    try:
        return Success(dump(await asyncio.to_thread(tell, parameters.first("query"))))
    except ParseError as error:
        raise ParameterError.named("query", error) from None


def _listed(items: list[Any], limit: int) -> Success:
    """Answer with a list, cut to a limit."""
    if 0 < limit < len(items):
        return Success(dump(items[:limit]), (_TRUNCATED,))
    return Success(dump(items))


def _unescaped(name: str) -> str:
    """Read a label name that was escaped for a URL: `U__` before it, `__` for `_`, `_2e_` for `.`."""
    if not name.startswith("U__"):
        return name
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16) % 0x110000) if match[1] else "_", name[3:])
