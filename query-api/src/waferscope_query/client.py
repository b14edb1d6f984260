"""The query service as its commands ask it."""

import json
import time as clock
from typing import Any, ClassVar

import httpx

_TIMEOUT = 130.0  # seconds; the service itself gives up earlier


class AnswerError(Exception):
    """The service can't be reached, or refuses."""

    exit_code: ClassVar[int] = 1


def query(url: str, expr: str, *, time: str | None, start: str | None, end: str | None, step: str) -> dict[str, Any]:
    """Ask a PromQL expression, over a range where a start is given.

    Returns:
        Prometheus's answer.

    Raises:
        AnswerError: With the service's message.
    """
    if start is None:
        fields = {"query": expr, **({"time": time} if time else {})}
        return _ask("POST", f"{url}/api/v1/query", data=fields)
    fields = {"query": expr, "start": start, "end": end or str(clock.time()), "step": step}
    return _ask("POST", f"{url}/api/v1/query_range", data=fields)


def jobs(url: str, *, status: str, app_name: str, limit: int) -> dict[str, Any]:
    """List job runs.

    Returns:
        The answer of `/v1/jobs`.

    Raises:
        AnswerError: With the service's message.
    """
    return _ask("GET", f"{url}/v1/jobs", params={"status": status, "app_name": app_name, "limit": str(limit)})


def text(answer: dict[str, Any]) -> str:
    """Write an answer for a program to read."""
    return json.dumps(answer, indent=2, ensure_ascii=False)


def _ask(method: str, url: str, **fields: Any) -> dict[str, Any]:
    try:
        answer = httpx.request(method, url, timeout=_TIMEOUT, **fields)
        body: dict[str, Any] = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise AnswerError(f"{url} does not answer: {' '.join(str(error).split())}") from None
    except ValueError:
        raise AnswerError(f"{url} is no query service: its answer is no JSON") from None
    if answer.is_error:
        raise AnswerError(str(body.get("error") or body.get("detail") or answer.status_code))
    return body
