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
    fields = _fields(expr, time=time, start=start, end=end, step=step)
    return _ask("POST", f"{url}/api/v1/{'query' if start is None else 'query_range'}", data=fields)


def explain(
    url: str, expr: str, *, time: str | None, start: str | None, end: str | None, step: str, plan: bool
) -> dict[str, Any]:
    """Ask how an expression is answered, over a range where a start is given; `plan` evaluates nothing.

    Returns:
        The answer of `/api/v1/explain`.

    Raises:
        AnswerError: With the service's message.
    """
    fields = _fields(expr, time=time, start=start, end=end, step=step)
    return _ask("POST", f"{url}/api/v1/explain", data={**fields, **({"plan": "1"} if plan else {})})


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


def _fields(expr: str, *, time: str | None, start: str | None, end: str | None, step: str) -> dict[str, str]:
    if start is None:
        return {"query": expr, **({"time": time} if time else {})}
    return {"query": expr, "start": start, "end": end or str(clock.time()), "step": step}


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
