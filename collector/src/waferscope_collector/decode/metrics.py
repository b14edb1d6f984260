"""OTLP metrics to streams of points."""

import math
from collections.abc import Iterable
from functools import lru_cache

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1 import metrics_pb2 as otlp

from waferscope_collector.decode import histograms
from waferscope_collector.decode.attributes import storable
from waferscope_collector.decode.builders import HistogramsBuilder, NumbersBuilder
from waferscope_collector.decode.limits import LONG_KEY, Rejects, within_key
from waferscope_collector.decode.names import metric_name
from waferscope_collector.decode.points import Kind, Metric, Metrics
from waferscope_collector.decode.resource import Origin, origin

_HOST_SCOPE = "hostmetricsreceiver"
_STALE_FLAG = otlp.DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK
_CUMULATIVE = otlp.AGGREGATION_TEMPORALITY_CUMULATIVE
_DELTA = otlp.AGGREGATION_TEMPORALITY_DELTA

_NO_TEMPORALITY = "without aggregation temporality"
_NO_NAME = "of a metric without a valid name"
_NO_KIND = "of an unknown kind of metric"
_NOT_FINITE = "of deltas that are no finite number, which would spoil their total for ever"
_DELTA_EXPONENTIAL = "of exponential histograms with delta temporality, which are not supported"


def decode(request: ExportMetricsServiceRequest, *, site: str, latest: int, rejects: Rejects) -> Metrics:
    """Decode a request.

    Args:
        request: The parsed request; its points are used up.
        site: The site of telemetry that names none.
        latest: The last timestamp that is accepted, Unix time in nanoseconds.
        rejects: Counts the points that can't be stored.

    Returns:
        The points that can be stored.
    """
    decoder = _Decoder(latest, rejects)
    for resource_metrics in request.resource_metrics:
        source = origin(resource_metrics.resource.attributes, site)
        for scope_metrics in resource_metrics.scope_metrics:
            if source.host and source.fits and _HOST_SCOPE in scope_metrics.scope.name:
                decoder.hosts.add((source.site, source.host))
            for metric in scope_metrics.metrics:
                decoder.metric(metric, source)
    return decoder.finish()


class _Decoder:
    """Gathers the points of one request."""

    def __init__(self, latest: int, rejects: Rejects) -> None:
        self._latest = latest
        self._rejects = rejects
        self._numbers = NumbersBuilder()
        self._number_deltas = NumbersBuilder()
        self._histograms = HistogramsBuilder()
        self._histogram_deltas = HistogramsBuilder()
        self.hosts: set[tuple[str, str]] = set()

    def finish(self) -> Metrics:
        return Metrics(
            self._numbers.finish(),
            self._number_deltas.finish(),
            self._histograms.finish(),
            self._histogram_deltas.finish(),
            frozenset(self.hosts),
        )

    def metric(self, metric: otlp.Metric, source: Origin) -> None:
        field = metric.WhichOneof("data")
        if field is None:
            return self._rejects.add(_NO_KIND)
        data = getattr(metric, field)
        points = data.data_points
        kind = _kind(metric)
        described = _described(metric.name, kind, metric.unit, metric.description, source)
        if not described.name:
            return self._rejects.add(_NO_NAME, len(points))
        if not (within_key(described.name) and source.fits):
            return self._rejects.add(LONG_KEY, len(points))
        if field not in ("gauge", "summary") and data.aggregation_temporality not in (_CUMULATIVE, _DELTA):
            return self._rejects.add(_NO_TEMPORALITY, len(points))
        delta = field not in ("gauge", "summary") and data.aggregation_temporality == _DELTA
        match field:
            case "gauge" | "sum":
                self._add_numbers(points, described, delta=delta, cumulative=kind == "counter" and not delta)
            case "histogram":
                self._add_histograms(points, described, delta=delta)
            case "exponential_histogram" if delta:
                self._rejects.add(_DELTA_EXPONENTIAL, len(points))
            case "exponential_histogram":
                self._add_exponential(points, described)
            case _:
                self._add_summaries(points, described)
        return None

    def _add_numbers(
        self, points: Iterable[otlp.NumberDataPoint], metric: Metric, *, delta: bool, cumulative: bool
    ) -> None:
        """Add number points. This loop is the writer's hottest: it makes one bytes object and three numbers a point."""
        builder = self._number_deltas if delta else self._numbers
        identities, times, starts, values = builder.identities, builder.times, builder.starts, builder.values
        latest, begin = self._latest, len(identities)
        for point in points:
            time = point.time_unix_nano
            if not 0 < time <= latest:
                self._rejects.time(time, latest)
                continue
            value = point.as_double
            if point.flags:
                stale = point.flags & _STALE_FLAG
                point.ClearField("flags")
            else:
                stale = 0
            if value:
                point.ClearField("as_double")
            elif (field := point.WhichOneof("value")) is not None:
                value = float(getattr(point, field))
                point.ClearField(field)
            elif not stale:
                self._rejects.add("without a value")
                continue
            if delta and not stale and not math.isfinite(value):
                self._rejects.add(_NOT_FINITE)
                continue
            if stale:
                builder.stale.append(len(values))
            start = point.start_time_unix_nano
            starts.append(start)
            if start and not cumulative:
                point.ClearField("start_time_unix_nano")
            point.ClearField("time_unix_nano")
            point.ClearField("exemplars")
            times.append(time)
            values.append(value)
            identities.append(point.SerializeToString())
        builder.close(metric, begin)

    def _add_histograms(self, points: Iterable[otlp.HistogramDataPoint], metric: Metric, *, delta: bool) -> None:
        builder = self._histogram_deltas if delta else self._histograms
        begin = len(builder.points)
        for point in points:
            if not self._rejects.time(point.time_unix_nano, self._latest):
                if isinstance(found := histograms.explicit(point), str):
                    self._rejects.add(found)
                elif delta and found is not histograms.STALE_EXPLICIT and not math.isfinite(found.sum or 0.0):
                    self._rejects.add(_NOT_FINITE)
                else:
                    builder.add(_identity(point), point.time_unix_nano, point.start_time_unix_nano, found)
        builder.close(metric, begin)

    def _add_exponential(self, points: Iterable[otlp.ExponentialHistogramDataPoint], metric: Metric) -> None:
        builder, begin = self._histograms, len(self._histograms.points)
        for point in points:
            if not self._rejects.time(point.time_unix_nano, self._latest):
                if isinstance(found := histograms.exponential(point), str):
                    self._rejects.add(found)
                else:
                    builder.add(_identity(point), point.time_unix_nano, point.start_time_unix_nano, found)
        builder.close(metric, begin)

    def _add_summaries(self, points: Iterable[otlp.SummaryDataPoint], metric: Metric) -> None:
        """Add each summary as the series x_sum, x_count and one x{quantile} for each quantile."""
        for point in points:
            if self._rejects.time(point.time_unix_nano, self._latest):
                continue
            stale = bool(point.flags & _STALE_FLAG)
            rows = [
                (_part(metric, "_sum"), point.sum),
                (_part(metric, "_count"), float(point.count)),
                *((_part(metric, "", _quantile_text(q.quantile)), q.value) for q in point.quantile_values),
            ]
            identity = _identity(point)
            for part, value in rows:
                begin = len(self._numbers.identities)
                self._numbers.add(identity, point.time_unix_nano, value, stale=stale)
                self._numbers.close(part, begin)


def _kind(metric: otlp.Metric) -> Kind:
    match metric.WhichOneof("data"):
        case "sum" if metric.sum.is_monotonic:
            return "counter"
        case "histogram" | "exponential_histogram":
            return "histogram"
        case "summary":
            return "summary"
        case _:
            return "gauge"


def _quantile_text(quantile: float) -> str:
    """Write a quantile as Prometheus's label does: 1 and 0.5."""
    return str(int(quantile)) if quantile.is_integer() else repr(quantile)


def _identity(
    point: otlp.HistogramDataPoint | otlp.ExponentialHistogramDataPoint | otlp.SummaryDataPoint,
) -> bytes:
    return otlp.NumberDataPoint(attributes=point.attributes).SerializeToString()


@lru_cache(maxsize=16_384)
def _described(name: str, kind: Kind, unit: str, description: str, source: Origin) -> Metric:
    return Metric(
        name=metric_name(name, unit, kind),
        kind=kind,
        unit=storable(unit),
        labels=source.labels(),
        help=storable(description),
    )


@lru_cache(maxsize=16_384)
def _part(metric: Metric, suffix: str, quantile: str = "") -> Metric:
    """Name one of the series that make up a summary."""
    labels = (*metric.labels, ("quantile", quantile)) if quantile else metric.labels
    return Metric(f"{metric.name}{suffix}", metric.kind, metric.unit, labels, metric.help)
