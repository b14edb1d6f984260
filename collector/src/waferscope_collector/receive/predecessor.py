"""The predecessor's ingest endpoints: its clients post events as JSON, one or many, and read its answers."""

import time
from collections.abc import Awaitable, Callable
from functools import partial

from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs_service
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from waferscope_collector.decode import predecessor
from waferscope_collector.decode.predecessor import Outcome
from waferscope_collector.errors import MalformedError, RequestError
from waferscope_collector.receive.body import Read, decompress
from waferscope_collector.receive.intake import Intake
from waferscope_collector.receive.signals import Endpoint
from waferscope_collector.receive.status import http_code, retry_headers

_UNPROCESSABLE = 422  # what the predecessor answered to an event that it could not read
_ERRORS = 100  # that an answer names at most

_PATH = "/v1/ingest/events"


def routes(intake: Intake, limit: int, read: Read) -> list[Route]:
    """Build the routes.

    Args:
        intake: Where events go.
        limit: Bytes of a body at most, before and after decompression.
        read: Reads a body up to a limit.
    """
    one, many = _ingest(intake, limit, read, _one, batch=False), _ingest(intake, limit, read, _many, batch=True)
    return [
        Route(_PATH, one, methods=["POST"]),
        Route(f"{_PATH}:batch", many, methods=["POST"]),
    ]


def _ingest(
    intake: Intake, limit: int, read: Read, answer: Callable[[Outcome, float], Response], *, batch: bool
) -> Callable[[Request], Awaitable[Response]]:
    async def ingest(request: Request) -> Response:
        began = time.perf_counter()
        outcome = Outcome()
        try:
            body = await read(request, limit)
            encoding = request.headers.get("content-encoding", "")
            stored = await intake.store(
                _endpoint(outcome, batch=batch), "http", len(body), lambda: decompress(body, encoding, limit)
            )
            outcome.failed = stored.rejects.total
        except RequestError as error:
            return _error(error)
        return answer(outcome, time.perf_counter() - began)

    return ingest


def _endpoint(outcome: Outcome, *, batch: bool) -> Endpoint:
    return Endpoint(
        signal="events",
        path=_PATH,
        method="",
        request=logs_service.ExportLogsServiceRequest,
        response=logs_service.ExportLogsServiceResponse,
        decode=partial(predecessor.decode, outcome=outcome, batch=batch),
        rejected="rejected_log_records",
        noun="events",
    )


def _one(outcome: Outcome, seconds: float) -> Response:
    if outcome.errors:
        return JSONResponse({"detail": outcome.errors[0][1]}, _UNPROCESSABLE)
    return JSONResponse({"ok": True, "duration_s": round(seconds, 4)})


def _many(outcome: Outcome, _: float) -> Response:
    """Count, as the predecessor did; beside it, say which events were refused and why."""
    failed = outcome.failed
    counts = {"ok": True, "total": outcome.total, "success": outcome.total - failed, "failed": failed}
    errors = [{"index": position, "detail": told} for position, told in outcome.errors[:_ERRORS]]
    return JSONResponse(counts | ({"errors": errors} if errors else {}))


def _error(error: RequestError) -> Response:
    code = _UNPROCESSABLE if isinstance(error, MalformedError) else http_code(error)
    return JSONResponse({"detail": str(error)}, code, retry_headers(error))
