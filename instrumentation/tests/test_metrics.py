"""Buckets and exemplars of the wrapper's metrics; exponential ones held against the OpenTelemetry SDK's own."""

from __future__ import annotations

import sys
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from opentelemetry.context import Context
from opentelemetry.sdk.metrics import SimpleFixedSizeExemplarReservoir
from opentelemetry.sdk.metrics._internal.aggregation import _ExponentialBucketHistogramAggregation
from opentelemetry.sdk.metrics._internal.measurement import Measurement
from opentelemetry.sdk.metrics.export import AggregationTemporality
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from waferscope import semconv
from waferscope._internal import metrics, points
from waferscope._internal.exponential import Exponential

DURATION = semconv.METRIC_WAFER_JOB_DURATION
SCOPE = InstrumentationScope("waferscope")

magnitudes = st.floats(sys.float_info.min, sys.float_info.max) | st.integers(-1022, 1023).map(lambda n: 2.0**n)
values = st.one_of(st.just(0.0), magnitudes, magnitudes.map(lambda value: -value), st.floats(-1e3, 1e3).map(float))
normal = values.filter(
    lambda value: value == 0 or abs(value) >= sys.float_info.min
)  # the SDK lumps subnormals together


def _point(meter: metrics.Meter) -> Any:
    delta = meter.take()
    assert delta is not None
    sdk = points.to_sdk(delta, Resource.get_empty(), SCOPE)
    return sdk.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points[0]


def _of_sdk(recorded: list[float]) -> Any:
    """The SDK's instruments take no negative values; its aggregation, below them, does."""
    aggregation = _ExponentialBucketHistogramAggregation({}, _no_reservoir, AggregationTemporality.DELTA, 0)
    for value in recorded:
        aggregation.aggregate(Measurement(value, 0, None, Context()), should_sample_exemplar=False)  # type: ignore[arg-type]
    return aggregation.collect(AggregationTemporality.DELTA, 1)


def _no_reservoir(*_: Any, **__: Any) -> Any:
    return SimpleFixedSizeExemplarReservoir(size=1)


def _filled(buckets: Any) -> dict[int, int]:
    """The SDK gives empty buckets around the filled ones."""
    return {buckets.offset + place: count for place, count in enumerate(buckets.bucket_counts) if count}


@settings(max_examples=150, deadline=None)
@given(st.lists(normal, min_size=1, max_size=300))
@example([0.0])
@example([1.0, 2.0, 4.0, 1024.0, 0.5])
@example([sys.float_info.min, sys.float_info.max, -1.0])
@example([1.0 + number * 2**-20 for number in range(700)])
@example([-(1.1**number) for number in range(1000)])
def test_exponential_buckets_are_those_of_the_sdk(recorded: list[float]) -> None:
    meter = metrics.Meter(exponential=True)
    for value in recorded:
        meter.record(DURATION, value, ())
    ours, theirs = _point(meter), _of_sdk(recorded)
    assert (ours.count, ours.zero_count, ours.min, ours.max) == (
        theirs.count,
        theirs.zero_count,
        theirs.min,
        theirs.max,
    )
    assert ours.sum == theirs.sum
    if any(recorded):  # zeros alone need no scale
        assert ours.scale == theirs.scale
    for side in ("positive", "negative"):
        assert _filled(getattr(ours, side)) == _filled(getattr(theirs, side))
        assert len(getattr(ours, side).bucket_counts) <= 160


@given(st.floats(min_value=0, exclude_min=True, allow_nan=False, allow_infinity=False))
def test_each_value_lies_in_its_bucket(value: float) -> None:
    """OpenTelemetry metrics data model: bucket i holds (base^i, base^(i+1)]; at scale 0 that is exact arithmetic."""
    held = Exponential()
    held.add(value)
    ((index, count),) = held.positive.items()
    exponent = index >> 20
    assert count == 1
    assert -(2**31) <= index < 2**31
    assert 2.0 ** max(exponent, -1074) <= value or exponent < -1074
    assert exponent >= 1023 or value <= 2.0 ** (exponent + 1)


def test_exponential_histograms_are_selected_by_the_standard_variable(receiver: Any, run: Any) -> None:
    ended = run(
        """
        import waferscope
        with waferscope.job("overlay") as job:
            job.record("overlay.offset", -2.0, "nm")
        """,
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
        OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION="base2_exponential_bucket_histogram",
    )
    assert (ended.code, ended.err) == (0, "")
    (point,) = receiver.points("overlay.offset")
    assert (point.scale, point.count, list(point.negative.bucket_counts)) == (20, 1, [1])
    assert point.negative.offset == 2**20 - 1
    (span,) = receiver.spans()
    assert [exemplar.trace_id for exemplar in point.exemplars] == [span.trace_id]
    assert receiver.points("wafer.job.duration")[0].positive.bucket_counts


JOB = """
    import waferscope
    with waferscope.job("overlay", queued_at=1.7e9) as job:
        with job.step("fit"):
            pass
        job.record("overlay.offset", -2.0, "nm")
        job.fail("no marks")
"""


def test_exemplars_point_at_the_span_that_was_measured(receiver: Any, run: Any) -> None:
    assert run(JOB, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url).code == 0
    spans = {span.name: span for span in receiver.spans()}
    for metric, name in {
        "wafer.job.duration": "overlay",
        "wafer.job.memory.peak": "overlay",
        "wafer.job.cpu.time": "overlay",
        "wafer.job.errors": "overlay",
        "wafer.job.queue.duration": "overlay",
        "overlay.offset": "overlay",
        "wafer.step.duration": "fit",
    }.items():
        (point,) = receiver.points(metric)
        (exemplar,) = point.exemplars
        assert (exemplar.trace_id, exemplar.span_id) == (spans[name].trace_id, spans[name].span_id), metric
        assert spans[name].start_time_unix_nano <= exemplar.time_unix_nano <= spans[name].end_time_unix_nano
        if point.DESCRIPTOR.name == "HistogramDataPoint":
            assert getattr(exemplar, exemplar.WhichOneof("value")) == point.sum


@pytest.mark.parametrize("env", [{"OTEL_METRICS_EXEMPLAR_FILTER": "always_off"}, {"OTEL_TRACES_SAMPLER": "always_off"}])
def test_no_exemplar_points_at_a_trace_that_is_not_there(receiver: Any, run: Any, env: dict[str, str]) -> None:
    assert run(JOB, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, **env).code == 0
    for metric in ("wafer.job.duration", "wafer.step.duration", "overlay.offset"):
        (point,) = receiver.points(metric)
        assert not point.exemplars


def test_each_bucket_keeps_the_exemplar_of_its_newest_value() -> None:
    class Span:
        def __init__(self, number: int) -> None:
            self.span_id = self.trace_id = number
            self.trace_flags = self
            self.sampled = True

        def get_span_context(self) -> Any:
            return self

    meter = metrics.Meter()
    for number, value in enumerate((0.001, 0.002, 1e9), start=1):
        meter.record(DURATION, value, (), Span(number), number)  # type: ignore[arg-type]
    point = _point(meter)
    assert [(item.value, item.trace_id) for item in point.exemplars] == [(0.002, 2), (1e9, 3)]


@given(st.lists(st.floats(0, 1e6), min_size=1), st.sampled_from([DURATION, semconv.METRIC_WAFER_JOB_MEMORY_PEAK]))
def test_explicit_buckets_hold_what_lies_above_the_bound_before_and_up_to_their_own(
    recorded: list[float], metric: semconv.Metric
) -> None:
    meter = metrics.Meter()
    for value in recorded:
        meter.record(metric, value, ())
    point = _point(meter)
    bounds = [float("-inf"), *metric.boundaries, float("inf")]
    assert list(point.bucket_counts) == [
        sum(low < value <= high for value in recorded) for low, high in pairwise(bounds)
    ]


def test_the_bounds_reach_from_ten_milliseconds_to_a_day_and_from_a_mebibyte_to_256_gibibytes() -> None:
    assert (DURATION.boundaries[0], DURATION.boundaries[-1]) == (0.01, 86_400)
    memory = semconv.METRIC_WAFER_JOB_MEMORY_PEAK.boundaries
    assert (memory[0], memory[-1], 8e9 in memory) == (2**20, 2**38, True)


def test_measurements_of_too_many_metrics_are_counted() -> None:
    meter = metrics.Meter()
    for number in range(1003):
        meter.record(semconv.Metric(f"own.{number}", "histogram", "1", "", (1.0,)), 0.5, ())
    delta = meter.take()
    assert delta is not None
    assert len(delta.metrics) == 1000
    assert (meter.excess(), meter.excess()) == (3, 0)
