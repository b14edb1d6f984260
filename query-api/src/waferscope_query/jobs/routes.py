"""The endpoints of job runs."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, get_args

import msgspec
from fastapi import APIRouter, Query
from pydantic import AfterValidator
from starlette.responses import Response

from waferscope_query.http.problems import problem
from waferscope_query.jobs.store import Filter, JobStore

Status = Literal["running", "stale", "lost", "unreachable", "succeeded", "failed", "canceled", "skipped"]
_STATUSES = get_args(Status)
_NUL = "\x00"


def _utc(moment: datetime) -> datetime:
    """Read a time without an offset as UTC."""
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("is out of range") from None


def _known(statuses: str) -> str:
    unknown = set(statuses.split(",")) - {*_STATUSES, ""}
    if unknown:
        raise ValueError(f"only {', '.join(_STATUSES)} are known")
    return statuses


def _storable(text: str) -> str:
    if _NUL in text:
        raise ValueError("must not hold U+0000")
    return text


From = Annotated[
    datetime | None,
    Query(alias="from", description="Begun at or after: ISO 8601 or Unix seconds; UTC without an offset"),
    AfterValidator(lambda moment: moment and _utc(moment)),
]
To = Annotated[
    datetime | None, Query(description="Begun at or before"), AfterValidator(lambda moment: moment and _utc(moment))
]
Statuses = Annotated[
    str, Query(alias="status", description=f"Comma list of: {', '.join(_STATUSES)}"), AfterValidator(_known)
]
AppName = Annotated[
    str,
    Query(description="Part of the application's or the job's name, in any case", max_length=1000),
    AfterValidator(_storable),
]
Limit = Annotated[int, Query(ge=1, le=10_000, description="Runs at most")]


def router(store: JobStore) -> APIRouter:
    """Offer the endpoints.

    Args:
        store: What they ask.
    """
    routes = APIRouter(prefix="/v1", tags=["Jobs"])

    @routes.get("/jobs", summary="List top-level job runs, newest first")
    async def jobs(
        first: From = None, to: To = None, status: Statuses = "", app_name: AppName = "", limit: Limit = 100
    ) -> Response:
        began = time.perf_counter()
        items = await store.jobs(_filter(first, to, status, limit), app_name or None)
        return await _listed(items, began)

    @routes.get("/subjobs", summary="List nested job runs, newest first")
    async def subjobs(first: From = None, to: To = None, status: Statuses = "", limit: Limit = 100) -> Response:
        began = time.perf_counter()
        return await _listed(await store.subjobs(_filter(first, to, status, limit)), began)

    @routes.get("/jobs/{job_id}", summary="Show a job: its attempts with steps, events and log lines, its subjobs")
    async def job(job_id: str) -> Response:
        found = None if _NUL in job_id else await store.job(job_id)
        if found is None:
            return problem(404, "there is no such job")
        return await _json(found)

    return routes


def _filter(first: datetime | None, last: datetime | None, statuses: str, limit: int) -> Filter:
    return Filter(first, last, [status for status in statuses.split(",") if status] or None, limit)


async def _listed(items: list[dict[str, Any]], began: float) -> Response:
    return await _json({"items": items, "count": len(items), "duration_s": time.perf_counter() - began})


async def _json(body: dict[str, Any]) -> Response:
    return Response(await asyncio.to_thread(msgspec.json.encode, body), media_type="application/json")
