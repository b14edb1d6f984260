"""From names and attributes to a row of the table series."""

import hashlib
from collections.abc import Iterable, Mapping

from waferscope_collector.decode.attributes import json_text, storable
from waferscope_collector.decode.limits import LABEL_BYTES, LABELS, LONG_KEY, within_key
from waferscope_collector.decode.names import label_name
from waferscope_collector.decode.points import Kind, Series

NO_NAME = "of a metric without a valid name"
NO_LABEL = "with attributes whose names have no ASCII letter or digit"
MANY_LABELS = f"with more than {LABELS} labels"
LONG_LABEL = f"with a label whose name is over 512 or whose value is over {LABEL_BYTES} bytes"
NO_TEXT = "with text that is not UTF-8"

Labels = Iterable[tuple[str, str]]


def described(metric: str, kind: Kind, unit: str, text: str, labels: Mapping[str, str]) -> Series | str:
    """Build the row of a series.

    Args:
        metric: Prometheus name.
        kind: What the metric is.
        unit: As the producer gave it.
        text: What the producer says of the metric.
        labels: Sorted by name, without empty ones.

    Returns:
        The row; a text says why it can't be stored.
    """
    if not metric:
        return NO_NAME
    if not within_key(metric):
        return LONG_KEY
    if "" in labels:
        return NO_LABEL
    if len(labels) > LABELS:
        return MANY_LABELS
    if any(not within_key(name) or len(value.encode()) > LABEL_BYTES for name, value in labels.items()):
        return LONG_LABEL
    return Series(fingerprint(metric, labels), metric, json_text(dict(labels)), kind, storable(unit), storable(text))


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
