"""What `/docs` tells of the Prometheus endpoints, whose parameters may stand in the URL or in a form."""

from typing import Any

_TIME = "Unix time in seconds, or RFC 3339"
_PARAMETERS = {
    "query": "PromQL",
    "time": f"When; default now. {_TIME}",
    "start": f"First moment. {_TIME}",
    "end": f"Last moment. {_TIME}",
    "step": "Between steps: seconds, or a duration such as 15s",
    "timeout": "Give up after that long: seconds, or a duration; at most the server's own limit",
    "limit": "Results at most; 0 means all",
    "lookback_delta": "How old a sample may be to count as current; default the server's setting",
    "stats": "Tell timings and counts of samples: true, or all for counts of each step as well",
    "plan": "1: tell the plan alone, evaluate nothing",
    "match[]": "Series selector; repeat it to unite several",
    "metric": "Only this metric",
    "limit_per_metric": "Entries per metric at most",
    "name": "Label name",
}
_REQUIRED = frozenset({"query", "step", "name"})


def describe(*names: str, path: str = "", optional: str = "") -> dict[str, Any]:
    """Give the OpenAPI description of parameters.

    Args:
        names: Of the query string.
        path: Of the path, if any.
        optional: One that is required elsewhere.
    """
    places = [("path", name) for name in [path] if name] + [("query", name) for name in names]
    return {"parameters": [_parameter(place, name, optional) for place, name in places]}


def _parameter(place: str, name: str, optional: str) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    if name.endswith("[]"):
        schema = {"type": "array", "items": schema}
    return {
        "name": name,
        "in": place,
        "required": name in _REQUIRED and name != optional,
        "description": _PARAMETERS[name],
        "schema": schema,
    }
