"""What the kernels read is what protobuf's own parser reads."""

import json
import math
import struct
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1 import metrics_pb2
from writer_support import otlp
from writer_support.otlp import CUMULATIVE, DELTA, NOW, SECOND

from waferscope_collector.decode import metrics
from waferscope_collector.decode.context import Context
from waferscope_collector.decode.limits import Rejects
from waferscope_collector.decode.points import Histograms, Metrics, Numbers, Series
from waferscope_collector.errors import MalformedError
from waferscope_collector.wire.numbers import STALE

SEED = (7, 11)


def decoded(body: bytes) -> tuple[Metrics, Rejects]:
    rejects = Rejects("data points")
    latest = time.time_ns() + 86_400 * SECOND
    return metrics.decode(body, Context("fab1", latest, SEED, rejects)), rejects


def numbers_of(body: bytes) -> list[tuple[Any, ...]]:
    found, _ = decoded(body)
    (part,) = found.parts
    points = part.points
    assert isinstance(points, Numbers)
    return [
        (series(points, n), points.times[n], points.starts[n], struct.pack("<d", points.values[n]))
        for n in np.flatnonzero(points.usable).tolist()
    ]


def series(points: Numbers | Histograms, position: int) -> tuple[str, str]:
    described = points.catalog.series(position)
    assert isinstance(described, Series)
    return described.metric, described.labels


doubles = st.floats(width=64) | st.sampled_from([0.0, -0.0, math.inf, -math.inf, math.nan])
values = st.one_of(
    st.fixed_dictionaries({"as_double": doubles}),
    st.fixed_dictionaries({"as_int": st.integers(-(2**63), 2**63 - 1)}),
)
points = st.builds(
    lambda value, time, start, labels, flags: metrics_pb2.NumberDataPoint(
        **value, time_unix_nano=NOW - time, start_time_unix_nano=start, attributes=otlp.attributes(labels), flags=flags
    ),
    values,
    st.integers(0, 10**15),
    st.integers(0, 2**64 - 1),
    st.dictionaries(st.sampled_from(["a", "b", "c.d"]), st.text(max_size=20) | st.integers().map(str) | st.booleans()),
    st.sampled_from([0, 0, 0, 1]),
)


def expected(point: metrics_pb2.NumberDataPoint) -> bytes:
    if point.flags & 1:
        return struct.pack("<Q", STALE)
    return struct.pack("<d", float(getattr(point, point.WhichOneof("value"))))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(points, min_size=1, max_size=20))
def test_number_points(sent: list[metrics_pb2.NumberDataPoint]) -> None:
    body = otlp.metrics(otlp.gauge("x", *sent)).SerializeToString()
    found = numbers_of(body)
    assert [(time, start, value) for _, time, start, value in found] == [
        (p.time_unix_nano // 10**6, min(p.start_time_unix_nano, 2**63 - 1) // 10**6, expected(p)) for p in sent
    ]


@settings(max_examples=200, deadline=None)
@given(st.lists(points, min_size=2, max_size=20))
def test_equal_attributes_have_equal_keys_and_others_have_others(sent: list[metrics_pb2.NumberDataPoint]) -> None:
    found, _ = decoded(otlp.metrics(otlp.gauge("x", *sent)).SerializeToString())
    keys = [tuple(key) for key in found.parts[0].points.keys.tolist()]
    written = [b"".join(item.SerializeToString() + b"|" for item in point.attributes) for point in sent]
    assert [[a == b for b in keys] for a in keys] == [[a == b for b in written] for a in written]


def test_requests_of_many_parts() -> None:
    body = b"".join(
        otlp.metrics(
            *(otlp.gauge(f"g{m}", *(otlp.number(float(p), p=str(p)) for p in range(3))) for m in range(3)),
            resource={"service.name": f"s{r}"},
        ).SerializeToString()
        for r in range(200)
    )
    found, _ = decoded(body)
    (part,) = found.parts
    assert isinstance(part.points, Numbers)
    assert part.points.values.tolist() == [0.0, 1.0, 2.0] * 600
    assert len({tuple(key) for key in part.points.keys.tolist()}) == 1800
    assert json.loads(series(part.points, 1799)[1]) == {"job": "s199", "p": "2", "wafer_site_id": "fab1"}


@pytest.mark.parametrize("change", ["name", "unit", "monotonic", "temporality", "resource"])
def test_what_names_a_series_beside_its_attributes_is_part_of_its_key(change: str) -> None:
    def key(**of: Any) -> tuple[int, int]:
        metric = otlp.total(
            of.get("name", "x"),
            otlp.number(1.0, a="1"),
            unit=of.get("unit", "s"),
            temporality=of.get("temporality", CUMULATIVE),
        )
        metric.sum.is_monotonic = of.get("monotonic", True)
        resource = {"service.name": of.get("resource", "a")}
        found, _ = decoded(otlp.metrics(metric, resource=resource).SerializeToString())
        high, low = found.parts[0].points.keys[0].tolist()
        return high, low

    other = {"name": "y", "unit": "m", "monotonic": False, "temporality": DELTA, "resource": "b"}
    assert key(**{change: other[change]}) != key()
    assert key() == key()


def field(number: int, content: bytes | int) -> bytes:
    """Write a field by hand: a LENGTH one, or a varint."""
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


POINT = otlp.number(1.5, a="1").SerializeToString()
NAME = field(1, b"x")
USUAL = field(1, field(2, field(2, NAME + field(5, field(1, POINT)))))


@pytest.mark.parametrize(
    "body",
    [
        field(1, field(2, field(2, field(5, field(1, POINT)) + NAME))),  # data before the name
        field(1, field(2, field(2, field(1, b"old") + NAME + field(5, field(1, POINT))))),  # the last name counts
        field(1, field(2, field(2, NAME + field(5, field(1, POINT)) + field(99, b"?") + field(98, 7)))),  # unknown
        field(1, field(2, field(2, NAME + field(5, b"") + field(5, field(1, POINT))))),  # one message in two parts
        field(1, field(2, field(2, NAME + field(9, b"") + field(5, field(1, POINT))))),  # the last of a oneof counts
        field(1, field(2, field(2, NAME + field(5, field(1, POINT)) + b"\x9b\x06\x9c\x06"))),  # an unknown group
        field(1, field(2, field(2, NAME + field(5, field(1, field(8, 0) + POINT))))),  # flags first
        USUAL + field(3, b"unknown"),
    ],
    ids=["order", "repeated", "unknown", "in-parts", "oneof", "group", "flags-first", "unknown-at-the-top"],
)
def test_unusual_ways_to_write_a_request_mean_the_same(body: bytes) -> None:
    ExportMetricsServiceRequest.FromString(body)  # it is valid
    assert numbers_of(body) == numbers_of(USUAL)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_broken_bytes_are_refused_or_read_as_the_parser_reads_them(data: st.DataObject) -> None:
    body = bytearray(
        otlp.metrics(
            otlp.gauge("x", otlp.number(1.5, a="1")), otlp.histograms("y", otlp.histogram([1, 2], [1, 2, 3], 4.0))
        ).SerializeToString()
    )
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    body = body[: data.draw(st.integers(0, len(body)))]
    try:
        request = ExportMetricsServiceRequest.FromString(bytes(body))
    except Exception:  # noqa: BLE001 - whatever the parser says
        request = None
    try:
        found, rejects = decoded(bytes(body))
    except MalformedError:
        assert request is None
        return
    stored = sum(int(np.count_nonzero(part.points.usable)) for part in found.parts)
    if request is not None:  # texts that are no UTF-8 are refused with their point, the parser refuses the request
        assert stored + rejects.total >= _points(request)


def _points(request: ExportMetricsServiceRequest) -> int:
    return sum(
        len(metric.gauge.data_points) + len(metric.histogram.data_points) + len(metric.sum.data_points)
        for resource in request.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    )


bounds = st.lists(st.floats(-1e9, 1e9), max_size=6, unique=True).map(sorted)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(bounds, st.booleans(), st.booleans()), min_size=1, max_size=8), st.data())
def test_histogram_points(shapes: Sequence[tuple[list[float], bool, bool]], data: st.DataObject) -> None:
    sent = []
    for limits, with_sum, stale in shapes:
        counts = data.draw(st.lists(st.integers(0, 2**40), min_size=len(limits) + 1, max_size=len(limits) + 1))
        point = metrics_pb2.HistogramDataPoint(
            time_unix_nano=NOW, count=sum(counts), bucket_counts=counts, explicit_bounds=limits, flags=int(stale)
        )
        if with_sum:
            point.sum, point.max = 1.5, 2.5
        sent.append(point)
    found, rejects = decoded(otlp.metrics(otlp.histograms("x", *sent)).SerializeToString())
    (part,) = found.parts
    assert isinstance(part.points, Histograms)
    assert not rejects.total
    for position, point in enumerate(sent):
        read = part.points.buckets.point(position)
        if point.flags:
            assert (read.count, read.positive_counts, struct.pack("<d", read.sum or 0)) == (
                *(0, ()),
                struct.pack("<Q", STALE),
            )
            continue
        assert (read.count, read.sum, read.min, read.max) == (
            *(point.count, 1.5 if point.HasField("sum") else None),
            *(None, 2.5 if point.HasField("max") else None),
        )
        assert (read.bounds, read.positive_counts) == (tuple(point.explicit_bounds), tuple(point.bucket_counts))
        assert (read.positive_spans, read.schema) == ((0, len(point.bucket_counts)), -53)


@pytest.mark.parametrize(
    ("limits", "counts"),
    [([1.0], [1]), ([1.0, 1.0], [1, 2, 3]), ([2.0, 1.0], [1, 2, 3]), ([math.nan], [1, 2]), ([1.0], [])],
)
def test_buckets_that_do_not_fit_are_refused(limits: list[float], counts: list[int]) -> None:
    _, rejects = decoded(otlp.metrics(otlp.histograms("x", otlp.histogram(limits, counts))).SerializeToString())
    assert rejects.message == "1 data points of histograms whose buckets do not fit their bounds"


def test_an_explicit_bound_of_infinity_is_the_last_bucket() -> None:
    found, _ = decoded(
        otlp.metrics(otlp.histograms("x", otlp.histogram([1.0, math.inf], [1, 2, 0]))).SerializeToString()
    )
    points = found.parts[0].points
    assert isinstance(points, Histograms)
    read = points.buckets.point(0)
    assert (read.bounds, read.positive_counts) == ((1.0,), (1.0, 2.0))


def test_a_point_with_text_that_is_not_utf8_is_refused_alone() -> None:
    bad = otlp.number(1.5, a="1").SerializeToString().replace(b"\x12\x03\n\x011", b"\x12\x03\n\x01\xff")
    body = field(1, field(2, field(2, NAME + field(5, field(1, bad) + field(1, POINT)))))
    found, _ = decoded(body)
    described = [found.parts[0].points.catalog.series(position) for position in (0, 1)]
    assert described[0] == "with text that is not UTF-8"
    assert isinstance(described[1], Series)
