"""Answers of Prometheus's API compared, as tests/conformance/promql/compare.go does."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

TOLERANCE = 1e-9
Points = dict[float, float]
Labels = tuple[tuple[str, str], ...]


def different(expected: Mapping[str, Any], got: Mapping[str, Any], *, ranked: bool = False) -> str:
    """Tell how two answers differ; nothing where they don't.

    Args:
        expected: The JSON of one.
        got: The JSON of the other.
        ranked: Whether series of equal values may stand for each other.
    """
    if expected["status"] != got["status"] or expected["status"] == "error":
        return _different_errors(expected, got)
    for notes in ("warnings", "infos"):
        wanted, found = set(expected.get(notes, [])), set(got.get(notes, []))
        if wanted != found and not _are_some(wanted, found):
            return f"{notes}: expected {sorted(wanted)}, got {sorted(found)}"
    kinds = expected["data"]["resultType"], got["data"]["resultType"]
    if kinds[0] != kinds[1]:
        return f"expected a {kinds[0]}, got a {kinds[1]}"
    wanted_series, found_series = _series(expected["data"]), _series(got["data"])
    alike = ranked and _values(wanted_series.values()) == _values(found_series.values())
    return "" if alike else _different_series(wanted_series, found_series)


def _different_errors(expected: Mapping[str, Any], got: Mapping[str, Any]) -> str:
    """The type of an error counts, and what is said of an expression that can't be read."""
    same = expected.get("errorType") == got.get("errorType")
    if same and (expected["errorType"] != "bad_data" or expected["error"] == got["error"]):
        return ""
    return f"expected {_short(expected)}, got {_short(got)}"


def equal(a: float, b: float) -> bool:
    """Whether two values count as the same: integers exactly, the sign of zero included."""
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    if a == b:
        return math.copysign(1, a) == math.copysign(1, b)
    if a.is_integer() and b.is_integer() and abs(a) < 2**53:
        return False
    return abs(a - b) <= TOLERANCE * max(abs(a), abs(b)) < math.inf


def _different_series(wanted: dict[Labels, Points], found: dict[Labels, Points]) -> str:
    if wanted.keys() != found.keys():
        missing, surplus = wanted.keys() - found.keys(), found.keys() - wanted.keys()
        return f"missing series {sorted(missing)}, surplus series {sorted(surplus)}"
    for labels, points in wanted.items():
        others = found[labels]
        if points.keys() != others.keys():
            return f"{labels}: expected times {sorted(points)}, got {sorted(others)}"
        for at, value in points.items():
            if not equal(value, others[at]):
                return f"{labels} at {at}: expected {value!r}, got {others[at]!r}"
    return ""


def _series(data: Mapping[str, Any]) -> dict[Labels, Points]:
    if data["resultType"] == "string":
        return {(("", data["result"][1]),): {}}
    if data["resultType"] == "scalar":
        return {(): dict([_point(data["result"])])}
    return {
        tuple(sorted(one["metric"].items())): dict(
            _point(pair) for pair in one.get("values", [one["value"]] if "value" in one else [])
        )
        for one in data["result"]
    }


def _point(pair: tuple[float, str]) -> tuple[float, float]:
    return float(pair[0]), float(pair[1])


def _values(series: Iterable[Points]) -> Counter[tuple[float, str]]:
    return Counter((at, f"{value:.9g}") for points in series for at, value in points.items())


def _are_some(wanted: set[str], found: set[str]) -> bool:
    """Whether both are the same number of annotations out of more: which ones are shown is a matter of chance."""
    omitted = {text for text in wanted if text.endswith("annotations omitted")}
    return bool(omitted) and omitted <= found and len(wanted) == len(found)


def _short(answer: Mapping[str, Any]) -> str:
    if answer["status"] == "error":
        return f"{answer['errorType']}: {answer['error']}"
    return f"success: {str(answer['data'])[:300]}"
