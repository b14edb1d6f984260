"""Whether the service lives, and whether it can answer."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import msgspec
from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import Response

from waferscope_query.http.observe import Metrics
from waferscope_query.storage.database import Database
from waferscope_query.storage.errors import StorageError
from waferscope_query.storage.source import DatabaseSource
from waferscope_schemas.errors import SchemasError

_CHECK_TIMEOUT = 3.0  # seconds


def router(database: Database, source: DatabaseSource, metrics: Metrics) -> APIRouter:
    """Offer health, readiness and metrics.

    Args:
        database: What readiness depends on.
        source: Whose index readiness depends on.
        metrics: What `/metrics` shows.
    """
    routes = APIRouter(tags=["Health"])

    @routes.get("/v1/healthz", summary="Tell that the process serves")
    async def healthz() -> Response:
        return _answer(200, {"status": "ok"})

    @routes.get("/v1/readyz", summary="Tell whether every dependency is there")
    async def readyz() -> Response:
        dependencies = {
            "database": await _state(database.ping()),
            "schema": await _state(database.check_schema()),
            "series_index": await _state(source.follower.refresh()),
        }
        ready = all(state == "ok" for state in dependencies.values())
        body = {"status": "ok" if ready else "unavailable", "dependencies": dependencies}
        return _answer(200 if ready else 503, body)

    @routes.get("/metrics", summary="Show the service's own metrics")
    async def show_metrics() -> Response:
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return routes


async def _state(check: Awaitable[None]) -> str:
    """Give `ok`, or what is wrong."""
    try:
        async with asyncio.timeout(_CHECK_TIMEOUT):
            await check
    except TimeoutError:
        return f"no answer within {_CHECK_TIMEOUT:g} s"
    except (StorageError, SchemasError) as error:
        return str(error)
    return "ok"


def _answer(status: int, body: dict[str, Any]) -> Response:
    return Response(msgspec.json.encode(body), status, media_type="application/json")
