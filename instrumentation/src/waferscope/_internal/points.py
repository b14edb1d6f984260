"""Deltas as the data model of the OpenTelemetry SDK, for any of its metric exporters."""

from __future__ import annotations

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from waferscope._internal.metrics import Delta, Recorded


def to_sdk(delta: Delta, resource: Resource, scope: InstrumentationScope) -> MetricsData:
    """Put a delta into the SDK's form.

    Args:
        delta: What was recorded.
        resource: Of the metrics.
        scope: The wrapper's name, version and schema URL.

    Returns:
        One resource with one scope; sums are monotonic deltas, histograms have explicit buckets.
    """
    metrics = [
        Metric(recorded.metric.name, recorded.metric.brief, recorded.metric.unit, _data(recorded, delta))
        for recorded in delta.metrics
    ]
    schema_url = scope.schema_url or ""
    return MetricsData([ResourceMetrics(resource, [ScopeMetrics(scope, metrics, schema_url)], resource.schema_url)])


def _data(recorded: Recorded, delta: Delta) -> Sum | Histogram:
    if not recorded.metric.boundaries:
        numbers = [
            NumberDataPoint(dict(attributes), delta.start, delta.end, state.sum)
            for attributes, state in recorded.states.items()
        ]
        return Sum(numbers, AggregationTemporality.DELTA, is_monotonic=True)
    histograms = [
        HistogramDataPoint(
            attributes=dict(attributes),
            start_time_unix_nano=delta.start,
            time_unix_nano=delta.end,
            count=state.count,
            sum=state.sum,
            bucket_counts=state.buckets,
            explicit_bounds=recorded.metric.boundaries,
            min=state.min,
            max=state.max,
        )
        for attributes, state in recorded.states.items()
    ]
    return Histogram(histograms, AggregationTemporality.DELTA)
