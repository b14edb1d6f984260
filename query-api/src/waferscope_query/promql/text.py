"""Numbers and label sets as Go prints them."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from waferscope_query.promql.labels import METRIC_NAME
from waferscope_query.promql.parsing.literals import quote


def float_text(value: float) -> str:
    """A float as `strconv.FormatFloat(value, 'f', -1, 64)` prints it: shortest exact digits, no exponent."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    text = repr(value)
    if "e" in text:
        return _without_exponent(text)
    return text.removesuffix(".0")


def _without_exponent(text: str) -> str:
    mantissa, _, exponent = text.partition("e")
    sign = "-" if mantissa.startswith("-") else ""
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    shift = int(exponent)
    digits = whole + fraction
    if shift < 0:
        return f"{sign}0.{'0' * (-shift - len(whole))}{digits}"
    return sign + digits + "0" * (shift - len(fraction))


def json_float_text(value: float) -> str:
    """A float as Prometheus's JSON shows it: with an exponent below 1e-6 and from 1e21 on, as Go prints one."""
    if value == 0 or not math.isfinite(value) or 1e-6 <= abs(value) < 1e21:  # noqa: PLR2004, Go's own cuts
        return float_text(value)
    return _with_exponent(value)


def _with_exponent(value: float) -> str:
    return np.format_float_scientific(value, trim="-", exp_digits=2)


def general_text(value: float) -> str:
    """A float as Go's `%g` prints it: with an exponent below 1e-4 and from 1e6 on."""
    if value == 0 or not math.isfinite(value) or 1e-4 <= abs(value) < 1e6:  # noqa: PLR2004, Go's own cuts
        return float_text(value)
    return _with_exponent(value)


def open_metrics_text(value: float) -> str:
    """A float as OpenMetrics writes the value of a label: a whole number with `.0`."""
    text = general_text(value)
    return text if not math.isfinite(value) or "." in text or "e" in text else text + ".0"


def labels_text(labels: Mapping[str, str]) -> str:
    """A label set as Prometheus's messages show it: `{__name__="x", a="b"}`."""
    return "{" + ", ".join(f"{name}={quote(value)}" for name, value in labels.items()) + "}"


def series_text(labels: Mapping[str, str]) -> str:
    """A label set as people write it: `x{a="b"}`."""
    name = labels.get(METRIC_NAME, "")
    rest = {label: value for label, value in labels.items() if label != METRIC_NAME}
    return name + (labels_text(rest) if rest or not name else "")
