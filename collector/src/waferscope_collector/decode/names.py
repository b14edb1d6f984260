"""OpenTelemetry names to Prometheus names.

Rules: OpenTelemetry specification, Prometheus and OpenMetrics compatibility, "OTLP Metric points to Prometheus", in the
strategy that Prometheus's own OTLP receiver has by default: escaped characters, with suffixes for unit and type.
"""

import re
from functools import lru_cache

_UNITS = {
    "d": "days",
    "h": "hours",
    "min": "minutes",
    "s": "seconds",
    "ms": "milliseconds",
    "us": "microseconds",
    "ns": "nanoseconds",
    "By": "bytes",
    "KiBy": "kibibytes",
    "MiBy": "mebibytes",
    "GiBy": "gibibytes",
    "TiBy": "tibibytes",
    "KBy": "kilobytes",
    "MBy": "megabytes",
    "GBy": "gigabytes",
    "TBy": "terabytes",
    "m": "meters",
    "V": "volts",
    "A": "amperes",
    "J": "joules",
    "W": "watts",
    "g": "grams",
    "Cel": "celsius",
    "Hz": "hertz",
    "1": "",
    "%": "percent",
}
_PER = {"s": "second", "m": "minute", "h": "hour", "d": "day", "w": "week", "mo": "month", "y": "year"}

_NO_NAME = re.compile(r"[^a-zA-Z0-9:]+")
_NO_LABEL = re.compile(r"[^a-zA-Z0-9]+")


@lru_cache(maxsize=65_536)
def metric_name(name: str, unit: str, kind: str) -> str:
    """Build the Prometheus name of a metric.

    Args:
        name: OTLP name, such as ``wafer.job.duration``.
        unit: OTLP unit (UCUM), such as ``s``, ``By/s``, ``{job}``.
        kind: The kind of series: ``counter`` gets ``_total``, a ``gauge`` of unit 1 gets ``_ratio``.

    Returns:
        Such as ``wafer_job_duration_seconds``; empty when no valid character is left.
    """
    words = [word for word in _NO_NAME.split(name) if word]
    if not words:
        return ""
    words += [word for word in _unit_words(unit) if word not in words]
    if kind == "counter":
        words = [*(word for word in words if word != "total"), "total"]
    if kind == "gauge" and unit == "1":
        words = [*(word for word in words if word != "ratio"), "ratio"]
    joined = "_".join(words)
    return f"_{joined}" if joined[0].isdigit() else joined


def _unit_words(unit: str) -> list[str]:
    """Words for a unit: ``By/s`` gives bytes and per_second; annotations in braces say nothing."""
    main, _, per = (part.strip() for part in unit.partition("/"))
    words = []
    if main and "{" not in main and "}" not in main:
        words.append(_clean(_UNITS.get(main, main)))
    if per and "{" not in per and "}" not in per and (word := _clean(_PER.get(per, per))):
        words.append(f"per_{word}")
    return [word for word in words if word]


def _clean(unit: str) -> str:
    return _NO_NAME.sub("_", unit).strip("_")


@lru_cache(maxsize=65_536)
def label_name(attribute: str) -> str:
    """Build the Prometheus label name of an attribute.

    As Prometheus's own translator, a name of which underscores only would be left is none: whoever uses it refuses what
    carries the attribute, for without it distinct series would become one.

    Returns:
        Such as ``wafer_lot_id``; empty when no valid character is left.
    """
    name = _NO_LABEL.sub("_", attribute)
    if not name.strip("_"):
        return ""
    if name[0] == "_":
        return f"key{name}"
    return f"key_{name}" if name[0].isdigit() else name
