"""The application: all endpoints over one database."""

from http import HTTPStatus
from importlib.metadata import version

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi_swagger import patch_fastapi
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from waferscope_query.http import health
from waferscope_query.http.activity import Activity
from waferscope_query.http.admin import AdminApi
from waferscope_query.http.admission import Admission
from waferscope_query.http.cors import Cors
from waferscope_query.http.envelope import failure
from waferscope_query.http.errors import ErrorType, error_type
from waferscope_query.http.exemplars import ExemplarApi
from waferscope_query.http.explain import ExplainApi
from waferscope_query.http.forwarding import Forwarding
from waferscope_query.http.observe import Metrics, Observed
from waferscope_query.http.problems import invalid, problem
from waferscope_query.http.prometheus import PrometheusApi
from waferscope_query.http.status import StatusApi
from waferscope_query.jobs import routes as jobs
from waferscope_query.jobs.store import JobStore
from waferscope_query.promql.grid import Limits
from waferscope_query.results.cache import ResultCache
from waferscope_query.settings import QuerySettings
from waferscope_query.storage.cache.session import SampleCache
from waferscope_query.storage.database import Database
from waferscope_query.storage.errors import StorageError
from waferscope_query.storage.exemplars import ExemplarStore
from waferscope_query.storage.source import DatabaseSource

_PROMETHEUS = "/api/v1/"


def create_app(settings: QuerySettings, database: Database) -> FastAPI:
    """Put the service together.

    Args:
        settings: Limits.
        database: The site's; it need not be open yet.
    """
    source = DatabaseSource(
        database,
        SampleCache(settings.cache_bytes, ResultCache(settings.result_cache_bytes if settings.cache_bytes else 0)),
    )
    metrics = Metrics(source)
    limits = Limits(
        lookback_ms=round(settings.lookback * 1000),
        max_samples=settings.max_samples,
        use_starts=settings.use_start_timestamps,
        max_series=settings.max_series,
    )
    admission = Admission(settings, metrics)
    activity = Activity(settings.slow_query, settings.active_queries, settings.max_concurrency)
    app = FastAPI(
        title="WaferScope query service",
        description="Prometheus's HTTP API and the job runs of a site.",
        version=version("waferscope-query"),
        docs_url=None,  # FastAPI's own page loads its scripts from a host on the internet
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
    )
    patch_fastapi(app, redirect_from_root_to_docs=False)
    app.include_router(PrometheusApi(source, source.uncached(), admission, limits, activity).router())
    app.include_router(ExplainApi(source, admission, limits, activity).router())
    app.include_router(ExemplarApi(ExemplarStore(source, database), admission).router())
    app.include_router(StatusApi(settings, source, admission).router())
    app.include_router(AdminApi(source, database, enabled=settings.enable_admin_api).router())
    app.include_router(Forwarding(settings.writer_url).router())
    app.include_router(jobs.router(JobStore(database)))
    app.include_router(health.router(database, source, metrics))
    app.add_exception_handler(StorageError, _storage)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _fault)
    app.state.source = source
    app.add_middleware(Cors)
    app.add_middleware(Observed, metrics=metrics)
    return app


async def _storage(_: Request, error: Exception) -> Response:
    return problem(error_type(error).status, str(error))


async def _validation(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return invalid(error)


async def _http(request: Request, error: Exception) -> Response:
    """Answer for a path or method that is not there."""
    assert isinstance(error, HTTPException)
    if not request.url.path.startswith(_PROMETHEUS):
        return problem(error.status_code, HTTPStatus(error.status_code).phrase)
    answer = failure(ErrorType.NOT_FOUND, str(error.detail))
    answer.status_code = error.status_code
    return answer


async def _fault(request: Request, _: Exception) -> Response:
    """Answer for a fault of ours; the server logs it."""
    if request.url.path.startswith(_PROMETHEUS):
        return failure(ErrorType.INTERNAL, "internal error")
    return problem(500, "internal error")
