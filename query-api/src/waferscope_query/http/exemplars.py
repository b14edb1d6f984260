"""Exemplars: from a point on a graph to its trace (prometheus.io, HTTP API, "Querying exemplars")."""

from fastapi import APIRouter

from waferscope_query.http.admission import Admission
from waferscope_query.http.endpoint import served
from waferscope_query.http.envelope import Success, dump
from waferscope_query.http.errors import ParameterError
from waferscope_query.http.openapi import describe
from waferscope_query.http.parameters import MAX_MS, MIN_MS, Parameters
from waferscope_query.promql.control import Control
from waferscope_query.promql.matchers import Matcher
from waferscope_query.promql.parsing import parse
from waferscope_query.promql.parsing.tree import Expr, MatrixSelector, VectorSelector
from waferscope_query.promql.text import float_text
from waferscope_query.storage.exemplars import Exemplar, ExemplarStore


class ExemplarApi:
    """The endpoint `/api/v1/query_exemplars`.

    Args:
        store: Where they are.
        admission: Lets queries in.
    """

    def __init__(self, store: ExemplarStore, admission: Admission) -> None:
        self._store = store
        self._admission = admission

    def router(self) -> APIRouter:
        """Offer the endpoint."""
        router = APIRouter(prefix="/api/v1", tags=["Prometheus"])
        router.add_api_route(
            "/query_exemplars",
            served(self._admission, self.query_exemplars),
            methods=["GET", "POST"],
            summary="List the exemplars of the series that an expression selects",
            openapi_extra=describe("query", "start", "end", "timeout"),
        )
        return router

    async def query_exemplars(self, parameters: Parameters, _: Control) -> Success:
        """List the exemplars of the series that an expression selects."""
        start, end = parameters.time("start", MIN_MS), parameters.time("end", MAX_MS)
        if end < start:
            raise ParameterError("end timestamp must not be before start timestamp")
        found = await self._store.find(_selectors(parse(parameters.first("query")).tree), start, end)
        return Success(
            dump([{"seriesLabels": one.labels, "exemplars": [_told(each) for each in one.exemplars]} for one in found])
        )


def _selectors(tree: Expr) -> list[tuple[Matcher, ...]]:
    if isinstance(tree, VectorSelector):
        return [tree.matchers]
    if isinstance(tree, MatrixSelector):
        return [tree.selector.matchers]
    return [matchers for child in tree.children for matchers in _selectors(child)]


def _told(exemplar: Exemplar) -> dict[str, object]:
    return {"labels": exemplar.labels, "value": float_text(exemplar.value), "timestamp": exemplar.ms / 1000}
