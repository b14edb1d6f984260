"""OTLP metrics to arrays of points."""

import hashlib
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np
from google.protobuf.message import DecodeError, Message
from numpy.typing import NDArray
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1 import metrics_pb2 as otlp

from waferscope_collector.decode import exemplars, histograms, resource
from waferscope_collector.decode.builders import HistogramsBuilder, Listed, NumbersBuilder
from waferscope_collector.decode.catalog import InfoCatalog, PointCatalog, Request, point_series
from waferscope_collector.decode.context import Context
from waferscope_collector.decode.exemplars import double_bits
from waferscope_collector.decode.limits import FUTURE, NO_TIME, TOO_OLD, Rejects
from waferscope_collector.decode.points import NANOS_PER_MS, Buckets, Histograms, Metrics, Numbers, Part
from waferscope_collector.decode.usual import usual
from waferscope_collector.wire import metrics as wire
from waferscope_collector.wire.attributes import point_keys
from waferscope_collector.wire.histograms import FINE, UNFIT, HistogramPoints, histogram_points
from waferscope_collector.wire.metrics import OddError, layout
from waferscope_collector.wire.numbers import STALE, number_points

_HOST_SCOPE = b"hostmetricsreceiver"
_STALE_FLAG = otlp.DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK
_LATEST_START = np.uint64(2**63 - 1)
_EXPONENTIAL_ATTRIBUTE, _SUMMARY_ATTRIBUTE = 1, 7  # fields
_EXPLICIT = -53  # the schema of explicit bounds

_NO_TEMPORALITY = "without aggregation temporality"
_NO_KIND = "of an unknown kind of metric"
_NO_VALUE = "without a value"
_NOT_FINITE = "of deltas that are no finite number, which would spoil their total for ever"
_MALFORMED = "of histograms whose buckets do not fit their bounds"

Points = NDArray[np.int64]
Key = tuple[int, int]
M = TypeVar("M", bound=Message)


def decode(body: bytes, context: Context) -> Metrics:
    """Decode a request.

    Args:
        body: An ExportMetricsServiceRequest.
        context: Its surroundings; its rejects count the points that can't be stored.

    Returns:
        The points that can be stored.

    Raises:
        MalformedError: The body is no such request.
    """
    try:
        return _decode(body, context)
    except OddError:
        return _decode(usual(body, ExportMetricsServiceRequest, "ExportMetricsServiceRequest"), context)


def _decode(body: bytes, context: Context) -> Metrics:
    data = np.frombuffer(body, np.uint8)
    request = Request(body, layout(data, context.seed), context)
    decoder = _Decoder(request, data, context, Rejects(context.rejects.noun))
    parts = [*decoder.parts()]
    info = _target_info(request, parts, decoder.selections, context.seed)
    context.rejects.take(decoder.rejects)  # only now: an odd request is decoded again
    return Metrics(tuple(parts), info, hosts=_hosts(request))


class _Decoder:
    """Reads the points of one request, kind by kind."""

    def __init__(self, request: Request, data: NDArray[np.uint8], context: Context, rejects: Rejects) -> None:
        self._request = request
        self._data = data
        self._latest = context.latest
        self._oldest = context.oldest
        self._times = range(max(1, context.oldest["exemplar"]), context.latest + 1)
        self.rejects = rejects
        self.selections: list[Points] = []  # of each part that the parts iterator gave, the points' numbers

    def parts(self) -> Iterator[Part]:
        """Yield the points of each kind that there are."""
        metrics = self._request.layout.metrics
        kinds, temporality = metrics[:, wire.KIND], metrics[:, wire.TEMPORALITY]
        if unknown := int(np.count_nonzero(kinds == 0)):
            self.rejects.add(_NO_KIND, unknown)
        summed = np.isin(kinds, (wire.SUM, wire.HISTOGRAM, wire.EXPONENTIAL))
        delta, cumulative = summed & (temporality == wire.DELTA), summed & (temporality == wire.CUMULATIVE)
        if lost := len(self._points(summed & ~delta & ~cumulative)):
            self.rejects.add(_NO_TEMPORALITY, lost)
        numbers = (kinds == wire.GAUGE) | (kinds == wire.SUM)
        plain = numbers & ~delta & ((kinds == wire.GAUGE) | cumulative)
        yield from self._part(plain, self._numbers, otlp.NumberDataPoint, delta=False)
        yield from self._part(numbers & delta, self._delta_numbers, otlp.NumberDataPoint, delta=True)
        for chosen, is_delta in ((cumulative, False), (delta, True)):
            explicit, exponential = chosen & (kinds == wire.HISTOGRAM), chosen & (kinds == wire.EXPONENTIAL)
            read = self._delta_histograms if is_delta else self._histograms
            yield from self._part(explicit, read, otlp.HistogramDataPoint, delta=is_delta)
            yield from self._exponential(self._points(exponential), delta=is_delta)
        yield from self._summaries(self._points(kinds == wire.SUMMARY))

    def _points(self, metrics: NDArray[np.bool_]) -> Points:
        """Return the numbers of the points of some metrics."""
        if metrics.all():
            return np.arange(len(self._request.metric_of))
        return np.flatnonzero(metrics[self._request.metric_of]) if metrics.any() else np.zeros(0, np.int64)

    def _part(
        self,
        metrics: NDArray[np.bool_],
        read: "Callable[[Points], tuple[Numbers | Histograms, NDArray[np.int32]]]",
        of: Callable[[], Message],
        *,
        delta: bool,
    ) -> Iterator[Part]:
        points = self._points(metrics)
        if len(points):
            found, sampled = read(points)
            having = np.flatnonzero((sampled > 0) & found.usable)
            self.selections.append(points)
            yield Part(found, delta, exemplars.read(self._request, points, having, of, self._times))

    def _usable(self, times: NDArray[np.uint64], table: str) -> NDArray[np.bool_]:
        """Tell which times can be stored, and count the others."""
        usable = np.ones(len(times), np.bool_)
        self._refuse(usable, NO_TIME, times == 0)
        self._refuse(usable, FUTURE, times > np.uint64(self._latest))
        self._refuse(usable, TOO_OLD, times < np.uint64(self._oldest[table]))
        return usable

    def _refuse(self, usable: NDArray[np.bool_], reason: str, bad: NDArray[np.bool_]) -> None:
        """Take points off the usable ones, and count them."""
        bad = bad & usable
        if bad.any():
            self.rejects.add(reason, int(np.count_nonzero(bad)))
            usable &= ~bad

    def _numbers(self, points: Points) -> tuple[Numbers, NDArray[np.int32]]:
        request = self._request
        metrics = request.metric_of[points]
        found = number_points(self._data, request.layout.points[points], metrics, request.layout.keys)
        usable = self._usable(found.times, "sample")
        self._refuse(usable, _NO_VALUE, ~found.has_value)
        monotonic = request.layout.metrics[:, wire.MONOTONIC] != 0
        starts = _starts(found.starts)
        return Numbers(
            keys=found.keys,
            catalog=PointCatalog(request, points, otlp.NumberDataPoint),
            usable=usable,
            times=_milliseconds(found.times),
            starts=starts,
            values=found.values,
            starting=monotonic[metrics],
        ), found.exemplars

    def _delta_numbers(self, points: Points) -> tuple[Numbers, NDArray[np.int32]]:
        found, sampled = self._numbers(points)
        stale = found.values.view(np.uint64) == STALE
        self._refuse(found.usable, _NOT_FINITE, ~(np.isfinite(found.values) | stale))
        found.starting[:] = False  # the total has a start of its own
        return found, sampled

    def _histograms(self, points: Points) -> tuple[Histograms, NDArray[np.int32]]:
        request = self._request
        metrics = request.metric_of[points]
        found = histogram_points(self._data, request.layout.points[points], metrics, request.layout.keys)
        usable = self._usable(found.times, "histogram_sample")
        self._refuse(usable, _MALFORMED, found.states == UNFIT)
        self._refuse(usable, histograms.TOO_MANY, np.diff(found.counts_at) > histograms.MOST_BUCKETS)
        return Histograms(
            keys=found.keys,
            catalog=PointCatalog(request, points, otlp.HistogramDataPoint),
            usable=usable,
            times=_milliseconds(found.times),
            starts=_starts(found.starts),
            buckets=_explicit(found),
        ), found.exemplars

    def _delta_histograms(self, points: Points) -> tuple[Histograms, NDArray[np.int32]]:
        found, sampled = self._histograms(points)
        total = found.buckets.scalars[:, 1]
        stale = total.view(np.uint64) == STALE
        self._refuse(found.usable, _NOT_FINITE, ~(np.isfinite(total) | stale))
        return found, sampled

    def _exponential(self, points: Points, *, delta: bool) -> Iterator[Part]:
        if not len(points):
            return
        builder, kept, sampled = HistogramsBuilder(), [], []
        for point, key in zip(points.tolist(), self._keys(points, _EXPONENTIAL_ATTRIBUTE), strict=True):
            message = self._message(point, otlp.ExponentialHistogramDataPoint)
            if self.rejects.time(message.time_unix_nano, self._latest, self._oldest["histogram_sample"]):
                continue
            if isinstance(found := histograms.exponential(message), str):
                self.rejects.add(found)
                continue
            if delta and not (np.isfinite(found.sum or 0.0) or message.flags & _STALE_FLAG):
                self.rejects.add(_NOT_FINITE)
                continue
            start = min(message.start_time_unix_nano, 2**63 - 1) // NANOS_PER_MS
            builder.add(key, message.time_unix_nano // NANOS_PER_MS, start, found)
            kept.append(point)
            sampled.append(len(message.exemplars))
        numbers, having = np.array(kept, np.int64), np.flatnonzero(sampled)
        of = otlp.ExponentialHistogramDataPoint
        self.selections.append(numbers)
        yield Part(
            builder.finish(PointCatalog(self._request, numbers, of)),
            delta,
            exemplars.read(self._request, numbers, having, of, self._times),
        )

    def _summaries(self, points: Points) -> Iterator[Part]:
        """Turn each summary into the series x_sum, x_count and one x{quantile} for each quantile."""
        if not len(points):
            return
        builder, catalog, kept = NumbersBuilder(), Listed(), []
        for point, key in zip(points.tolist(), self._keys(points, _SUMMARY_ATTRIBUTE), strict=True):
            message = self._message(point, otlp.SummaryDataPoint)
            if self.rejects.time(message.time_unix_nano, self._latest, self._oldest["sample"]):
                continue
            rows = [
                ("_sum", "", message.sum),
                ("_count", "", float(message.count)),
                *(("", _quantile_text(q.quantile), q.value) for q in message.quantile_values),
            ]
            for suffix, quantile, value in rows:
                bits = STALE if message.flags & _STALE_FLAG else double_bits(value)
                part = _derived(key, f"{suffix}\0{quantile}".encode())
                builder.add(part, message.time_unix_nano // NANOS_PER_MS, bits)
                catalog.add(point_series(self._request, point, otlp.SummaryDataPoint, suffix, quantile))
                kept.append(point)
        self.selections.append(np.array(kept, np.int64))
        yield Part(builder.finish(catalog), delta=False)

    def _keys(self, points: Points, attribute: int) -> list[Key]:
        request = self._request
        places, metrics = request.layout.points[points], request.metric_of[points]
        keys, fine = point_keys(self._data, places, metrics, request.layout.keys, attribute)
        if not fine:
            raise OddError
        return [(high, low) for high, low in keys.tolist()]

    def _message(self, point: int, of: Callable[[], M]) -> M:
        try:
            return self._request.message(point, of)
        except DecodeError as error:  # a full parser says it better
            raise OddError from error


def _milliseconds(times: NDArray[np.uint64]) -> NDArray[np.int64]:
    return (times // np.uint64(NANOS_PER_MS)).astype(np.int64)


def _starts(starts: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return starts in ms, cut to what the database can hold."""
    return _milliseconds(np.minimum(starts, _LATEST_START))


def _explicit(found: HistogramPoints) -> Buckets:
    """Lay explicit histograms out as all histograms are: one span of all buckets, no negative side."""
    count = len(found.times)
    lengths = np.diff(found.counts_at)
    scalars = found.scalars
    gone = found.states != FINE
    scalars[gone] = 0.0
    scalars[gone, 1] = np.array([STALE], np.uint64).view(np.float64)
    has_span = lengths > 0
    spans = np.zeros(2 * int(np.count_nonzero(has_span)), np.int64)
    spans[1::2] = lengths[has_span]
    return Buckets(
        scalars=scalars,
        has=np.where(gone, 1, found.has).astype(np.uint8),
        shapes=np.tile(np.array([[_EXPLICIT, 0]], np.int64), (count, 1)),
        zeros=np.zeros((count, 2)),
        bounds=found.bounds,
        bounds_at=found.bounds_at,
        spans=spans,
        spans_at=_two_sides(np.concatenate(([0], np.cumsum(2 * has_span)))),
        counts=found.counts,
        counts_at=_two_sides(found.counts_at),
    )


def _two_sides(begins: NDArray[np.int64]) -> NDArray[np.int64]:
    """Tell where both sides begin when the negative one is always empty."""
    return np.concatenate((begins[:1], np.repeat(begins[1:], 2))).astype(np.int64)


def _quantile_text(quantile: float) -> str:
    """Write a quantile as Prometheus's label does: 1 and 0.5."""
    return str(int(quantile)) if quantile.is_integer() else repr(quantile)


def _derived(key: Key, of: bytes) -> Key:
    """Make the key of a series that a point or resource gives beside its own."""
    digest = hashlib.blake2b(of, digest_size=16, key=struct.pack("<QQ", *key)).digest()
    high, low = struct.unpack("<QQ", digest)
    return max(high, 1), low


def _target_info(request: Request, parts: Sequence[Part], selections: Sequence[Points], seed: Key) -> Numbers | None:
    """Build one sample of target_info for each resource with points, at the time of the latest one."""
    metrics, scopes = request.layout.metrics, request.layout.scopes
    latest = np.zeros(len(request.layout.resources), np.int64)
    for part, points in zip(parts, selections, strict=True):
        of = scopes[metrics[request.metric_of[points], wire.SCOPE], 2]
        np.maximum.at(latest, of[part.points.usable], part.points.times[part.points.usable])
    builder, numbers = NumbersBuilder(), []
    for number in np.flatnonzero(latest).tolist():
        try:
            source = request.resource(number)
        except DecodeError:  # its points are refused when their series are described
            continue
        if source.origin.target and source.origin.fits and resource.target_info(source.attributes):
            begin, end = request.layout.resources[number].tolist()
            builder.add(_derived(seed, request.body[begin:end]), int(latest[number]), double_bits(1.0))
            numbers.append(number)
    return builder.finish(InfoCatalog(request, numbers)) if numbers else None


def _hosts(request: Request) -> frozenset[tuple[str, str]]:
    """Name the hosts whose own metrics these are."""
    found = set()
    for begin, end, number in request.layout.scopes.tolist():
        if _HOST_SCOPE in request.body[begin:end]:
            try:
                origin = request.resource(number).origin
            except DecodeError:
                continue
            if origin.host and origin.fits:
                found.add((origin.site, origin.host))
    return frozenset(found)
