"""Deltas as the data model of the OpenTelemetry SDK, for any of its metric exporters."""

from __future__ import annotations

from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Buckets,
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
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

from waferscope._internal.exponential import Exponential, dense
from waferscope._internal.metrics import AttributeSet, Delta, Recorded, State

_DELTA = AggregationTemporality.DELTA


def to_sdk(delta: Delta, resource: Resource, scope: InstrumentationScope) -> MetricsData:
    """Put a delta into the SDK's form.

    Args:
        delta: What was recorded.
        resource: Of the metrics.
        scope: The wrapper's name, version and schema URL.

    Returns:
        One resource with one scope; sums are monotonic deltas, histograms are deltas, too.
    """
    metrics = [
        Metric(recorded.metric.name, recorded.metric.brief, recorded.metric.unit, _data(recorded, delta))
        for recorded in delta.metrics
    ]
    schema_url = scope.schema_url or ""
    return MetricsData([ResourceMetrics(resource, [ScopeMetrics(scope, metrics, schema_url)], resource.schema_url)])


def _data(recorded: Recorded, delta: Delta) -> Sum | Histogram | ExponentialHistogram:
    states = recorded.states
    if recorded.metric.instrument != "histogram":
        return Sum([_number(key, state, delta) for key, state in states.items()], _DELTA, is_monotonic=True)
    if any(state.exponential for state in states.values()):
        return ExponentialHistogram(
            [_exponential(key, state, state.exponential, delta) for key, state in states.items() if state.exponential],
            _DELTA,
        )
    bounds = recorded.metric.boundaries
    return Histogram([_explicit(key, state, bounds, delta) for key, state in states.items()], _DELTA)


def _number(attributes: AttributeSet, state: State, delta: Delta) -> NumberDataPoint:
    return NumberDataPoint(dict(attributes), delta.start, delta.end, state.sum, _exemplars(state))


def _explicit(attributes: AttributeSet, state: State, bounds: tuple[float, ...], delta: Delta) -> HistogramDataPoint:
    return HistogramDataPoint(
        attributes=dict(attributes),
        start_time_unix_nano=delta.start,
        time_unix_nano=delta.end,
        count=state.count,
        sum=state.sum,
        bucket_counts=state.buckets,
        explicit_bounds=bounds,
        min=state.min,
        max=state.max,
        exemplars=_exemplars(state),
    )


def _exponential(
    attributes: AttributeSet, state: State, counts: Exponential, delta: Delta
) -> ExponentialHistogramDataPoint:
    counts.fit()
    return ExponentialHistogramDataPoint(
        attributes=dict(attributes),
        start_time_unix_nano=delta.start,
        time_unix_nano=delta.end,
        count=state.count,
        sum=state.sum,
        scale=counts.scale,
        zero_count=counts.zeros,
        positive=Buckets(*dense(counts.positive)),
        negative=Buckets(*dense(counts.negative)),
        flags=0,
        min=state.min,
        max=state.max,
        exemplars=_exemplars(state),
    )


def _exemplars(state: State) -> list[Exemplar]:
    return [Exemplar({}, item.value, item.time, item.span_id, item.trace_id) for item in state.exemplars.values()]
