"""Prometheus's HTTP API, version 1 (prometheus.io, Querying, HTTP API)."""

import asyncio
import re
import time
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
from waferscope_query.http.parameters import MAX_MS, MIN_MS, Parameters, matcher_sets, parse_duration
from waferscope_query.http.truncate import truncate
from waferscope_query.promql.control import Control
from waferscope_query.promql.engine import answer_as
from waferscope_query.promql.errors import ParseError
from waferscope_query.promql.evaluation.run import Answer
from waferscope_query.promql.grid import Grid, Limits
from waferscope_query.promql.parsing import Query, parse
from waferscope_query.promql.plan import Plan, plan_instant, plan_range
from waferscope_query.promql.printing import format_query, parse_query
from waferscope_query.promql.render import render
from waferscope_query.promql.source import Source
from waferscope_query.results.answering import Piece, Question, answer_by_steps
from waferscope_query.results.cache import Key
from waferscope_query.results.reach import reach_of
from waferscope_query.storage.source import DatabaseSource

_TRUNCATED = "results truncated due to limit"
_ESCAPED = re.compile(r"__|_([0-9A-Fa-f]{1,6})_")
_SHORT = 1000  # characters of an expression that is parsed within a few milliseconds
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
        many = ("match[]", "start", "end", *common)
        for path, methods, handler, extra in (
            ("/query", both, self.query, describe("query", "time", "lookback_delta", *common)),
            ("/query_range", both, self.query_range, describe(*_RANGE, "lookback_delta", *common)),
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
        moment = parameters.time("time", time.time_ns() // 1_000_000)
        limits = self._limits_of(parameters)
        with self._noted(parameters, "time"):
            _, plan = await _planned(parameters, lambda query: plan_instant(query, moment, limits))
            return await self._answer(plan, self._source_for(parameters), control, limit)

    async def query_range(self, parameters: Parameters, control: Control) -> Success:
        """Evaluate an expression at every step of a range."""
        limit = parameters.limit()
        start, end = parameters.required_time("start"), parameters.required_time("end")
        if end < start:
            raise ParameterError.named("end", "end timestamp must not be before start time")
        step = parameters.duration("step")
        if step <= 0:
            raise ParameterError.named(
                "step", "zero or negative query resolution step widths are not accepted. Try a positive integer"
            )
        limits = self._limits_of(parameters)
        with self._noted(parameters, "start", "end", "step"):
            query, plan = await _planned(parameters, lambda query: plan_range(query, start, end, step, limits))
            reach = None if limit or self._bypassing(parameters) else reach_of(plan, query.tree)
            if reach is None:
                return await self._answer(plan, self._source_for(parameters), control, limit)

            def compute(grid: Grid) -> Awaitable[Piece]:
                part = plan if grid == plan.grid else plan_range(query, grid.start_ms, grid.end_ms, step, limits)
                return answer_as(Piece.of, part, self._source, control)

            key = Key(query.text, step, start % step, limits.lookback_ms)
            question = Question(key, plan.grid, reach)
            result = await answer_by_steps(self._results, question, compute, self._source.follower.refresh)
            return Success(result.data, result.warnings, result.infos)

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
        return self._uncached if self._bypassing(parameters) else self._source

    @staticmethod
    def _bypassing(parameters: Parameters) -> bool:
        return parameters.first("nocache") in ("1", "true")

    @staticmethod
    async def _answer(plan: Plan, source: Source, control: Control, limit: int) -> Success:
        """Answer a query as a whole."""

        def success(found: Answer) -> Success:
            kept, truncated = truncate(found, limit)
            warnings = (*found.warnings, _TRUNCATED) if truncated else found.warnings
            return Success(render(kept), warnings, found.infos)

        return await answer_as(success, plan, source, control)

    def _limits_of(self, parameters: Parameters) -> Limits:
        limits = replace(self._limits, use_starts=parameters.uses_starts(default=self._limits.use_starts))
        text = parameters.first("lookback_delta")
        if not text:
            return limits
        try:
            return replace(limits, lookback_ms=parse_duration(text) or limits.lookback_ms)
        except ValueError as error:
            raise ParameterError(f"error parsing lookback delta duration: {error}") from None


async def _planned(parameters: Parameters, plan: Callable[[Query], Plan]) -> tuple[Query, Plan]:
    """Parse and plan the expression; a long one is work for a thread."""
    text = parameters.first("query")

    def parsed() -> tuple[Query, Plan]:
        query = parse(text)
        return query, plan(query)

    try:
        return parsed() if len(text) <= _SHORT else await asyncio.to_thread(parsed)
    except ParseError as error:
        raise ParameterError.named("query", error) from None


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
