"""From names and attributes to a row of the table series."""

import hashlib
from collections.abc import Iterable, Mapping

from waferscope_collector.decode.attributes import json_text, storable
from waferscope_collector.decode.limits import KEY_BYTES, LONG_KEY, Limits, within_key
from waferscope_collector.decode.names import label_name
from waferscope_collector.decode.points import Family, Series

NO_NAME = "of a metric without a valid name"
NO_LABEL = "with attributes whose names have no ASCII letter or digit"
NO_TEXT = "with text that is not UTF-8"

Labels = Iterable[tuple[str, str]]


def described(family: Family, labels: Mapping[str, str], limits: Limits) -> Series | str:
    """Build the row of a series.

    Args:
        family: Its metric.
        labels: Sorted by name, without empty ones.
        limits: How many labels there may be, and how long.

    Returns:
        The row; a text says why it can't be stored.
    """
    if not family.name:
        return NO_NAME
    if not within_key(family.name):
        return LONG_KEY
    return _unfit(labels, limits) or Series(
        fingerprint=fingerprint(family.name, labels),
        metric=family.name,
        labels=json_text(dict(labels)),
        kind=family.kind,
        unit=storable(family.unit),
        help=storable(family.help),
    )


def _unfit(labels: Mapping[str, str], limits: Limits) -> str:
    """Tell why labels can't be stored; empty when they can."""
    if "" in labels:
        return NO_LABEL
    if len(labels) > limits.labels:
        return f"with more than {limits.labels} labels"
    if any(not within_key(name) for name in labels):
        return f"with a label whose name is over {KEY_BYTES} bytes"
    if any(len(value.encode()) > limits.label_bytes for value in labels.values()):
        return f"with a label whose value is over {limits.label_bytes} bytes"
    return ""


def label_set(attributes: Labels, fixed: Labels) -> dict[str, str]:
    """Build a label set, sorted by name and without empty labels.

    Attributes that share a label name have their values joined by ";" in the order of the original names
    (OpenTelemetry specification, Prometheus and OpenMetrics compatibility, "Metric Attributes"). The attributes of a
    point stand before those of its resource, but for job and instance. Attributes that no label can be named after are
    under the empty name.
    """
    given = dict(fixed)
    own: dict[str, str] = {}
    for key, value in sorted(attributes):
        name = label_name(storable(key))
        if value:
            own[name] = f"{own[name]};{value}" if name in own else value
    kept = {name: value for name, value in given.items() if name in ("job", "instance", "quantile")}
    return dict(sorted((given | own | kept).items()))


def fingerprint(metric: str, labels: Mapping[str, str]) -> bytes:
    """Digest a metric's name and its sorted labels; no part holds U+0000, so it can part them."""
    parts = (metric, *(text for pair in sorted(labels.items()) for text in pair))
    return hashlib.sha256("\0".join(parts).encode()).digest()[:16]
