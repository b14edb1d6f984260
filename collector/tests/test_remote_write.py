"""Prometheus remote write 1.0 and 2.0: what is sent is stored, labels untouched."""

import json
import math
import struct
from typing import Any

import asyncpg
import cramjam
import httpx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from writer_support.otlp import NOW
from writer_support.running import WriterUnderTest

from waferscope_collector.decode.remote_write_messages import V1, V2
from waferscope_collector.wire.numbers import STALE
from waferscope_collector.wire.remote_write import written

MS = NOW // 10**6
V1_TYPE, V2_TYPE = "application/x-protobuf", "application/x-protobuf;proto=io.prometheus.write.v2.Request"
STALE_NAN = struct.unpack("<d", struct.pack("<Q", STALE))[0]


async def post(writer: WriterUnderTest, request: Any, kind: str = V1_TYPE, **headers: str) -> httpx.Response:
    body = bytes(cramjam.snappy.compress_raw(request.SerializeToString()))
    async with writer.client() as client:
        return await client.post(
            "/api/v1/write", content=body, headers={"content-type": kind, "content-encoding": "snappy"} | headers
        )


def request_v1(*series: Any) -> Any:
    return V1["WriteRequest"](timeseries=series)


def series_v1(name: str, *samples: tuple[float, int], **labels: str) -> Any:
    pairs = sorted({"__name__": name, **labels}.items())
    return V1["TimeSeries"](
        labels=[V1["Label"](name=key, value=value) for key, value in pairs],
        samples=[V1["Sample"](value=value, timestamp=time) for value, time in samples],
    )


class Symbols:
    """Builds requests of 2.0."""

    def __init__(self) -> None:
        self.texts = [""]

    def of(self, text: str) -> int:
        if text not in self.texts:
            self.texts.append(text)
        return self.texts.index(text)

    def series(self, name: str, **fields: Any) -> Any:
        labels = {"__name__": name, **fields.pop("labels", {})}
        refs = [self.of(text) for pair in sorted(labels.items()) for text in pair]
        return V2["TimeSeries"](labels_refs=refs, **fields)

    def request(self, *series: Any) -> Any:
        return V2["Request"](symbols=self.texts, timeseries=series)


async def stored(conn: asyncpg.Connection, metric: str) -> list[tuple[dict[str, str], int, bytes]]:
    rows = await conn.fetch(
        "select labels, (extract(epoch from ts) * 1000)::bigint as ms, float8send(value) as bits"
        " from wafer.sample join wafer.series using (series_id) where metric = $1 order by ts, value",
        metric,
    )
    return [(json.loads(row["labels"]), row["ms"], row["bits"]) for row in rows]


async def test_samples_of_1_0(writer: WriterUnderTest, conn: asyncpg.Connection) -> None:
    sent = [(1.5, MS), (-0.0, MS + 1), (math.inf, MS + 2), (STALE_NAN, MS + 3)]
    answer = await post(writer, request_v1(series_v1("up", *sent, job="a", **{"überlauf.grad": "°"})))
    assert (answer.status_code, answer.content) == (204, b"")
    labels = {"job": "a", "überlauf.grad": "°"}
    assert await stored(conn, "up") == [(labels, time, struct.pack(">d", value)) for value, time in sent]


async def test_times_of_remote_write_reach_back_to_the_year_1(
    writer: WriterUnderTest, conn: asyncpg.Connection
) -> None:
    sent = request_v1(series_v1("x", (1.0, 0), (2.0, -(10**12)), (3.0, -(10**15)), (4.0, MS + 3 * 86_400_000)))
    answer = await post(writer, sent)
    assert answer.status_code == 400
    assert answer.text == "1 samples too far in the future; 1 samples before 2 January of the year 1\n"
    assert [time for _, time, _ in await stored(conn, "x")] == [-(10**12), 0]


async def test_samples_starts_and_metadata_of_2_0(writer: WriterUnderTest, conn: asyncpg.Connection) -> None:
    symbols = Symbols()
    series = symbols.series(
        "http_requests_total",
        labels={"code": "200"},
        samples=[
            V2["Sample"](value=5.0, timestamp=MS),
            V2["Sample"](value=1, timestamp=MS + 9, start_timestamp=MS + 5),
        ],
        created_timestamp=MS - 1000,
        metadata=V2["Metadata"](type=1, help_ref=symbols.of("Requests"), unit_ref=symbols.of("requests")),
    )
    answer = await post(writer, symbols.request(series), V2_TYPE)
    assert answer.status_code == 204
    kinds = ("samples", "histograms", "exemplars")
    assert [answer.headers[f"x-prometheus-remote-write-{kind}-written"] for kind in kinds] == ["2", "0", "0"]
    assert len(await stored(conn, "http_requests_total")) == 2
    row = await conn.fetchrow("select kind, unit, help, labels from wafer.series")
    assert tuple(row) == ("counter", "requests", "Requests", '{"code": "200"}')
    starts = await conn.fetch(
        "select (extract(epoch from start) * 1000)::bigint as ms from wafer.start_time order by ts"
    )
    assert [row["ms"] for row in starts] == [MS - 1000, MS + 5]


async def test_a_start_that_is_told_no_more_is_a_change(writer: WriterUnderTest, conn: asyncpg.Connection) -> None:
    told = [7, 7, 0, 0, 7, 8, 0, 8, 0]  # seconds before the first sample; 0: nothing
    symbols = Symbols()
    samples = [
        V2["Sample"](value=1, timestamp=MS + 1000 * second, start_timestamp=MS - 1000 * before if before else 0)
        for second, before in enumerate(told)
    ]
    for sent in (samples[:3], samples[3:]):  # within a request, and over several
        assert (await post(writer, symbols.request(symbols.series("x", samples=sent)), V2_TYPE)).status_code == 204
    starts = await conn.fetch(
        "select ((extract(epoch from ts) * 1000)::bigint - $1) / 1000 as at, extract(epoch from start)::bigint as start"
        " from wafer.start_time order by ts",
        MS,
    )
    changes = [(0, 7), (2, 0), (4, 7), (5, 8), (6, 0), (7, 8), (8, 0)]
    assert [tuple(row) for row in starts] == [(at, MS // 1000 - before if before else 0) for at, before in changes]


@pytest.mark.parametrize("version", [1, 2])
async def test_native_histograms(writer: WriterUnderTest, conn: asyncpg.Connection, version: int) -> None:
    of = V1 if version == 1 else V2
    span = of["BucketSpan"]
    whole = of["Histogram"](
        count_int=12, sum=18.4, schema=1, zero_threshold=0.001, zero_count_int=2, timestamp=MS, reset_hint=2,
        positive_spans=[span(offset=0, length=2), span(offset=1, length=2)], positive_deltas=[1, 1, -1, 0],
        negative_spans=[span(offset=-2, length=1)], negative_deltas=[3],
    )  # fmt: skip
    fractional = of["Histogram"](
        count_float=3.5, sum=7.0, schema=-53, timestamp=MS + 1, custom_values=[1.0, 2.5], reset_hint=3,
        positive_spans=[span(offset=0, length=1), span(offset=1, length=1)], positive_counts=[1.0, 2.5],
    )  # fmt: skip
    stale = of["Histogram"](sum=STALE_NAN, timestamp=MS + 2)
    bad = of["Histogram"](count_int=1, sum=1, schema=9, timestamp=MS + 3)
    unfit = of["Histogram"](count_int=1, sum=1, schema=0, timestamp=MS + 3, positive_deltas=[1])
    histograms = [whole, fractional, stale, bad, unfit]
    if version == 1:
        request = request_v1(of["TimeSeries"](labels=[of["Label"](name="__name__", value="h")], histograms=histograms))
        answer = await post(writer, request)
    else:
        symbols = Symbols()
        answer = await post(writer, symbols.request(symbols.series("h", histograms=histograms)), V2_TYPE)
        assert answer.headers["x-prometheus-remote-write-histograms-written"] == "3"
    assert answer.status_code == 400
    assert answer.text == (
        "1 samples of histograms with a schema other than -4 to 8 and -53;"
        " 1 samples of histograms whose buckets do not fit their spans or bounds\n"
    )
    rows = await conn.fetch(
        "select h.*, kind, classic from wafer.histogram_sample h join wafer.series using (series_id) order by ts"
    )
    first, second, third = rows
    assert first["kind"] == "histogram"
    assert not first["classic"]
    assert (first["count"], first["sum"], first["schema"], first["zero_threshold"], first["zero_count"]) == (
        *(12, 18.4, 1, 0.001, 2),
    )
    assert (first["positive_spans"], first["positive_counts"]) == ([0, 2, 1, 2], [1, 2, 1, 1])
    assert (first["negative_spans"], first["negative_counts"], first["reset_hint"]) == ([-2, 1], [3], 2)
    assert (second["custom_bounds"], second["positive_counts"], second["schema"]) == ([1.0, 2.5], [1, 2.5], -53)
    assert struct.pack(">d", third["sum"]) == struct.pack(">Q", STALE)


@pytest.mark.parametrize("version", [1, 2])
async def test_exemplars_even_without_samples(writer: WriterUnderTest, conn: asyncpg.Connection, version: int) -> None:
    labels = {"trace_id": "0af7651916cd43dd8448eb211c80319c", "span_id": "b7ad6b7169203331", "user": "u"}
    if version == 1:
        exemplar = V1["Exemplar"](
            labels=[V1["Label"](name=name, value=value) for name, value in labels.items()], value=0.5, timestamp=MS
        )
        series = series_v1("x")
        series.exemplars.append(exemplar)
        answer = await post(writer, request_v1(series))
    else:
        symbols = Symbols()
        refs = [symbols.of(text) for pair in labels.items() for text in pair]
        exemplar = V2["Exemplar"](labels_refs=refs, value=0.5, timestamp=MS)
        answer = await post(writer, symbols.request(symbols.series("x", exemplars=[exemplar])), V2_TYPE)
        assert answer.headers["x-prometheus-remote-write-exemplars-written"] == "1"
    assert answer.status_code == 204
    row = await conn.fetchrow("select e.* from wafer.exemplar e join wafer.series using (series_id) where metric = 'x'")
    assert (row["value"], row["trace_id"].hex(), row["span_id"].hex(), json.loads(row["labels"])) == (
        *(0.5, labels["trace_id"], labels["span_id"]),
        {"user": "u"},
    )
    assert await conn.fetchval("select count(*) from wafer.sample") == 0


@pytest.mark.parametrize("before", [True, False])
async def test_metadata_of_1_0_reaches_series_of_before_and_after(
    writer: WriterUnderTest, conn: asyncpg.Connection, *, before: bool
) -> None:
    families = [
        V1["Metadata"](type=1, metric_family_name="requests", help="Requests", unit="1"),
        V1["Metadata"](type=3, metric_family_name="latency", help="Latency", unit="s"),
    ]
    samples = request_v1(series_v1("requests_total", (1.0, MS)), series_v1("latency_bucket", (1.0, MS), le="1"))
    requests = [V1["WriteRequest"](metadata=families), samples]
    for request in requests if before else reversed(requests):
        assert (await post(writer, request)).status_code == 204
    rows = await conn.fetch("select metric, kind, unit, help from wafer.series order by metric")
    assert [tuple(row) for row in rows] == [
        ("latency_bucket", "counter", "s", "Latency"),
        ("requests_total", "counter", "1", "Requests"),
    ]


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ([("a", "1"), ("__name__", "x")], "whose labels are not sorted by name, or repeat one"),
        ([("__name__", "x"), ("a", "1"), ("a", "2")], "whose labels are not sorted by name, or repeat one"),
        ([("a", "1")], "without the label __name__"),
        ([("__name__", "x"), ("a", "")], "with a label that has no name or no value"),
    ],
)
async def test_bad_labels_are_refused_and_the_rest_is_stored(
    writer: WriterUnderTest, conn: asyncpg.Connection, labels: list[tuple[str, str]], reason: str
) -> None:
    bad = V1["TimeSeries"](
        labels=[V1["Label"](name=name, value=value) for name, value in labels],
        samples=[V1["Sample"](value=1, timestamp=MS)],
    )
    for time in (MS, MS + 1):  # the second time the refusal is remembered
        answer = await post(writer, request_v1(bad, series_v1("good", (2.0, time))))
        assert (answer.status_code, answer.text) == (400, f"1 samples {reason}\n")
    assert len(await stored(conn, "good")) == 2


@pytest.mark.parametrize(
    ("headers", "content", "code"),
    [
        ({"content-type": "application/json"}, b"", 415),
        ({"content-type": "application/x-protobuf;proto=other"}, b"", 415),
        ({"content-type": V1_TYPE, "content-encoding": "gzip"}, b"", 415),
        ({"content-type": V1_TYPE}, b"no snappy", 400),
        ({"content-type": V1_TYPE}, bytes(cramjam.snappy.compress_raw(b"\x0a\xff\xff")), 400),
        ({"content-type": V2_TYPE}, bytes(cramjam.snappy.compress_raw(b"\x2a\x04\x0a\x02\x05\x06")), 400),
        ({"content-type": V1_TYPE}, bytes(cramjam.snappy.compress_raw(bytes(30_000_000))), 413),
    ],
)
async def test_what_is_no_remote_write_is_answered_in_plain_text(
    writer: WriterUnderTest, headers: dict[str, str], content: bytes, code: int
) -> None:
    async with writer.client() as client:
        answer = await client.post("/api/v1/write", content=content, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (code, "text/plain; charset=utf-8")
    assert answer.text.strip()


async def test_a_repeated_request_changes_nothing(writer: WriterUnderTest, conn: asyncpg.Connection) -> None:
    request = request_v1(series_v1("x", (1.0, MS)))
    assert [(await post(writer, request)).status_code for _ in range(2)] == [204, 204]
    assert len(await stored(conn, "x")) == 1


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.dictionaries(st.text(min_size=1, max_size=5), st.text(min_size=1, max_size=5), max_size=3),
            st.lists(st.tuples(st.floats(), st.integers(0, MS)), max_size=4),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_both_versions_are_read_alike(sent: list[tuple[dict[str, str], list[tuple[float, int]]]]) -> None:
    symbols, first, second = Symbols(), [], []
    for labels, samples in sent:
        first.append(series_v1("m", *samples, **labels))
        second.append(
            symbols.series("m", labels=labels, samples=[V2["Sample"](value=v, timestamp=t) for v, t in samples])
        )
    one = written(np.frombuffer(request_v1(*first).SerializeToString(), np.uint8), 1, (7, 11))
    two = written(np.frombuffer(symbols.request(*second).SerializeToString(), np.uint8), 2, (7, 11))
    expected = [(n, t, struct.pack("<d", v)) for n, (_, samples) in enumerate(sent) for v, t in samples]
    for found in (one, two):
        read = zip(found.sample_of.tolist(), found.times.tolist(), found.values, strict=True)
        assert [(n, t, struct.pack("<d", v)) for n, t, v in read] == expected
        keys = [tuple(key) for key in found.keys.tolist()]
        assert [[a == b for b in keys] for a in keys] == [[a == b for b, _ in sent] for a, _ in sent]
