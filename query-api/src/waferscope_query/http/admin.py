"""Prometheus's admin API: deleting samples, where the operator has switched it on."""

import asyncio
from collections.abc import Awaitable, Callable

import numpy as np
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from waferscope_query.http.envelope import failure
from waferscope_query.http.errors import KNOWN_ERRORS, ErrorType, ParameterError, error_type
from waferscope_query.http.openapi import describe
from waferscope_query.http.parameters import MAX_MS, MIN_MS, Parameters, matcher_sets, read_parameters
from waferscope_query.storage.database import Database
from waferscope_query.storage.deletion import delete_samples
from waferscope_query.storage.index import BUCKET_LABEL
from waferscope_query.storage.source import DatabaseSource

Handler = Callable[[Parameters], Awaitable[None]]

_OFF = "admin APIs disabled"


class AdminApi:
    """The endpoints under `/api/v1/admin/tsdb`.

    Args:
        source: Knows the series.
        database: Where the samples are.
        enabled: Whether they do anything.
    """

    def __init__(self, source: DatabaseSource, database: Database, *, enabled: bool) -> None:
        self._source = source
        self._database = database
        self._enabled = enabled

    def router(self) -> APIRouter:
        """Offer the endpoints."""
        router = APIRouter(prefix="/api/v1/admin/tsdb", tags=["Prometheus"])
        for path, handler, extra in (
            ("/delete_series", self.delete_series, describe("match[]", "start", "end")),
            ("/clean_tombstones", self.clean_tombstones, describe()),
        ):
            summary = (handler.__doc__ or "").rstrip(".")
            endpoint = self._endpoint(handler)
            router.add_api_route(path, endpoint, methods=["POST", "PUT"], summary=summary, openapi_extra=extra)
        return router

    async def delete_series(self, parameters: Parameters) -> None:
        """Delete the samples of the series that match; a histogram's as a whole, whichever of its parts matches."""
        if not parameters.all("match[]"):
            raise ParameterError("no match[] parameter provided")
        start, end = parameters.time("start", MIN_MS), parameters.time("end", MAX_MS)
        wanted = matcher_sets(parameters)
        if any(matcher.name == BUCKET_LABEL for matchers in wanted for matcher in matchers):
            raise ParameterError.named("match[]", "a histogram is deleted as a whole: leave out the label le")
        await self._source.follower.refresh()
        found = [await asyncio.to_thread(self._source.index.find, matchers) for matchers in wanted]
        series_ids = np.unique(np.concatenate([one.series_ids for one in found]))
        if len(series_ids):
            await delete_samples(self._database, series_ids, start, end)

    async def clean_tombstones(self, _: Parameters) -> None:
        """Do nothing: what was deleted is gone at once."""

    def _endpoint(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            if not self._enabled:
                return failure(ErrorType.UNAVAILABLE, _OFF)
            try:
                await handler(await read_parameters(request))
            except KNOWN_ERRORS as error:
                return failure(error_type(error), str(error))
            return Response(status_code=204)

        return endpoint
