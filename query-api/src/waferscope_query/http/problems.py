"""Errors of our own endpoints as problem details (RFC 9457)."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi.exceptions import RequestValidationError
from starlette.responses import Response


def problem(status: int, detail: str, errors: Sequence[dict[str, Any]] = ()) -> Response:
    """Answer with a problem.

    Args:
        status: HTTP status.
        detail: What is wrong in this case.
        errors: One entry per bad parameter.
    """
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if errors:
        body["errors"] = errors
    return Response(msgspec.json.encode(body), status, media_type="application/problem+json")


def invalid(error: RequestValidationError) -> Response:
    """Answer to parameters that can't be read, without repeating their values."""
    errors = [{"parameter": str(found["loc"][-1]), "detail": found["msg"]} for found in error.errors()]
    return problem(422, "; ".join(f"{found['parameter']}: {found['detail']}" for found in errors), errors)
