"""Native histograms of remote write, 1.0 and 2.0."""

from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from waferscope_collector.decode.histograms import MOST_BUCKETS, STALE_SUM, TOO_MANY, unfit
from waferscope_collector.decode.points import HistogramPoint
from waferscope_collector.wire.numbers import STALE

_CUSTOM = -53  # schema of custom bounds
_SCHEMAS = range(-4, 9)

MALFORMED = "of histograms whose buckets do not fit their spans or bounds"
UNKNOWN_SCHEMA = "of histograms with a schema other than -4 to 8 and -53"


def native_histogram(sent: Any) -> HistogramPoint | str:
    """Read a native histogram; a text says why it can't be stored.

    Source: Prometheus remote-write specification 2.0, "Histogram"; integer buckets come as differences.
    """
    if np.float64(sent.sum).view(np.uint64) == STALE:
        return HistogramPoint(0, STALE_SUM, schema=sent.schema if sent.schema in _SCHEMAS else _CUSTOM)
    if sent.schema not in _SCHEMAS and sent.schema != _CUSTOM:
        return UNKNOWN_SCHEMA
    whole = sent.HasField("count_int")
    positive = _counts(sent.positive_spans, sent.positive_deltas if whole else sent.positive_counts, whole=whole)
    negative = _counts(sent.negative_spans, sent.negative_deltas if whole else sent.negative_counts, whole=whole)
    bounds = tuple(sent.custom_values) if sent.schema == _CUSTOM else ()
    if positive is None or negative is None or not _fit(bounds, sent, negative):
        return MALFORMED
    if len(positive) + len(negative) > MOST_BUCKETS:
        return TOO_MANY
    found = HistogramPoint(
        count=float(sent.count_int if whole else sent.count_float),
        sum=sent.sum,
        schema=sent.schema,
        zero_threshold=sent.zero_threshold,
        zero_count=float(sent.zero_count_int if whole else sent.zero_count_float),
        bounds=bounds,
        positive_spans=_spans(sent.positive_spans),
        positive_counts=positive,
        negative_spans=_spans(sent.negative_spans),
        negative_counts=negative,
        reset_hint=sent.reset_hint if sent.reset_hint in range(4) else 0,
    )
    return found if sent.schema == _CUSTOM else unfit(found) or found


def _fit(bounds: tuple[float, ...], sent: Any, negative: tuple[float, ...]) -> bool:
    """Tell whether custom bounds are finite, rise and suffice for the buckets."""
    if any(not a < b for a, b in pairwise(bounds)) or not all(map(np.isfinite, bounds)):
        return False
    first = sent.positive_spans[0].offset if sent.positive_spans else 0
    return sent.schema != _CUSTOM or not (negative or first < 0 or _last(sent.positive_spans) > len(bounds) + 1)


def _spans(spans: Any) -> tuple[int, ...]:
    return tuple(number for span in spans for number in (span.offset, span.length))


def _last(spans: Any) -> int:
    """Return one more than the number of the last bucket of spans."""
    return sum(span.offset + span.length for span in spans)


def _counts(spans: Any, sent: Any, *, whole: bool) -> tuple[float, ...] | None:
    """Return the counts of buckets; None when they do not fit the spans."""
    if sum(span.length for span in spans) != len(sent):
        return None
    if any(span.offset < 0 for span in spans[1:]):
        return None
    counts = tuple(map(float, accumulate(sent) if whole else sent))
    return None if any(count < 0 for count in counts) else counts
