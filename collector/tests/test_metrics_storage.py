"""Every kind of metric is stored with the values that were sent, and read back by plain SQL."""

import asyncio
import json
import math
import struct
from itertools import pairwise

import asyncpg
import pytest
from opentelemetry.proto.metrics.v1 import metrics_pb2
from writer_support import otlp
from writer_support.otlp import DELTA, LABELS, NOW, SECOND
from writer_support.running import WriterUnderTest

from waferscope_collector.decode.series import NO_LABEL


async def samples(conn: asyncpg.Connection, metric: str) -> list[tuple[dict[str, str], float, float]]:
    rows = await conn.fetch(
        "select labels, extract(epoch from ts)::float8 - $2 as at, value"
        " from wafer.sample join wafer.series using (series_id)"
        " where metric = $1 order by labels, ts",
        metric,
        NOW / SECOND,
    )
    return [
        ({k: v for k, v in json.loads(row["labels"]).items() if k not in LABELS}, row["at"], row["value"])
        for row in rows
    ]


async def histogram_rows(conn: asyncpg.Connection, metric: str) -> list[asyncpg.Record]:
    return await conn.fetch(
        "select h.*, extract(epoch from ts)::float8 - $2 as at"
        " from wafer.histogram_sample h join wafer.series using (series_id)"
        " where metric = $1 order by ts, labels",
        metric,
        NOW / SECOND,
    )


async def test_gauge_of_doubles_and_integers(writer: WriterUnderTest, conn: asyncpg.Connection) -> None:
    response = await writer.send(
        "metrics",
        otlp.metrics(
            otlp.gauge("chuck.temperature", otlp.number(21.5, chuck="a"), otlp.number(-0.0, chuck="b"), unit="Cel"),
            otlp.gauge("queue.length", otlp.number(2**53), otlp.number(0, time=NOW + SECOND)),
        ),
    )
    assert not response.HasField("partial_success")
    stored = await samples(conn, "chuck_temperature_celsius")
    assert stored == [({"chuck": "a"}, 0.0, 21.5), ({"chuck": "b"}, 0.0, 0.0)]
    assert math.copysign(1, stored[1][2]) == -1
    assert await samples(conn, "queue_length") == [({}, 0.0, float(2**53)), ({}, 1.0, 0.0)]


async def test_labels_kind_and_unit_of_a_series(writer: WriterUnderTest, conn: asyncpg.Connection) -> None:
    await writer.send(
        "metrics",
        otlp.metrics(
            otlp.total("wafer.substrate.processed", otlp.number(5, **{"wafer.recipe.id": "R1"}), unit="{substrate}")
        ),
    )
    row = await conn.fetchrow("select * from wafer.series where metric <> 'target_info'")
    assert row["metric"] == "wafer_substrate_processed_total"
    assert json.loads(row["labels"]) == {**LABELS, "wafer_recipe_id": "R1"}
    assert (row["kind"], row["unit"], len(row["fingerprint"])) == ("counter", "{substrate}", 16)


async def test_missing_site_is_the_writers(writer: WriterUnderTest, conn: asyncpg.Connection) -> None:
    await writer.send("metrics", otlp.metrics(otlp.gauge("x", otlp.number(1)), resource={"service.name": "a"}))
    labels = json.loads(await conn.fetchval("select labels from wafer.series"))
    assert labels == {"job": "a", "wafer_site_id": "fab1"}


async def test_order_of_attributes_makes_no_new_series(writer: WriterUnderTest, conn: asyncpg.Connection) -> None:
    await writer.send("metrics", otlp.metrics(otlp.gauge("x", otlp.number(1, a="1", b="2"))))
    await writer.send("metrics", otlp.metrics(otlp.gauge("x", otlp.number(2, time=NOW + SECOND, b="2", a="1"))))
    assert await conn.fetchval("select count(*) from wafer.series where metric = 'x'") == 1


async def test_starts_of_a_counter_one_row_per_change(writer: WriterUnderTest, conn: asyncpg.Connection) -> None:
    starts = [NOW - 60 * SECOND, NOW - 60 * SECOND, NOW + SECOND]
    for second, start in enumerate(starts):
        point = otlp.number(second, time=NOW + second * SECOND, start=start)
        await writer.send("metrics", otlp.metrics(otlp.total("x", point)))
    rows = await conn.fetch(
        "select extract(epoch from ts) - $1::float8, extract(epoch from start) - $1::float8"
        " from wafer.start_time order by ts",
        NOW / SECOND,
    )
    assert [tuple(map(float, row)) for row in rows] == [(0, -60), (2, 1)]
    assert len(await samples(conn, "x_total")) == 3


async def test_explicit_histogram(writer: WriterUnderTest, conn: asyncpg.Connection) -> None:
    with_extremes = otlp.histogram([0.1, 1, 10], [1, 0, 2, 3], 42.5, start=NOW - SECOND, chuck="a")
    with_extremes.min, with_extremes.max = 0.05, 20.0
    without_sum = otlp.histogram([], [], time=NOW + SECOND, chuck="b")
    without_sum.ClearField("sum")
    without_sum.count = 7
    await writer.send("metrics", otlp.metrics(otlp.histograms("fit.duration", with_extremes, without_sum, unit="s")))
    first, second = await histogram_rows(conn, "fit_duration_seconds")
    assert (first["count"], first["sum"], first["min"], first["max"], first["schema"]) == (6, 42.5, 0.05, 20, -53)
    assert (first["custom_bounds"], first["positive_spans"], first["positive_counts"]) == (
        [0.1, 1, 10],
        [0, 4],
        [1, 0, 2, 3],
    )
    assert first["start"].timestamp() == NOW / SECOND - 1
    assert (second["count"], second["sum"], second["min"], second["start"]) == (7, None, None, None)
    assert (second["custom_bounds"], second["positive_counts"]) == ([], [7])


async def test_a_series_is_shown_as_classic_once_it_gets_explicit_bounds(
    writer: WriterUnderTest, conn: asyncpg.Connection
) -> None:
    point = metrics_pb2.ExponentialHistogramDataPoint(time_unix_nano=NOW, count=1, sum=1.0, zero_count=1)
    data = metrics_pb2.ExponentialHistogram(data_points=[point], aggregation_temporality=otlp.CUMULATIVE)
    await writer.send("metrics", otlp.metrics(metrics_pb2.Metric(name="x", exponential_histogram=data)))
    row = await conn.fetchrow("select classic, xid from wafer.series where metric = 'x'")
    assert not row["classic"]
    for second in (1, 2):
        explicit = otlp.histogram([1], [1, 2], 3.0, time=NOW + second * SECOND)
        await writer.send("metrics", otlp.metrics(otlp.histograms("x", explicit)))
    rows = await conn.fetch("select classic, xid from wafer.series where metric = 'x'")
    assert [(one["classic"], one["xid"] > row["xid"]) for one in rows] == [(True, True)]


async def test_exponential_deltas_add_up(writer: WriterUnderTest, conn: asyncpg.Connection) -> None:
    def sent(at: int, scale: int, offset: int, *counts: int) -> metrics_pb2.Metric:
        point = metrics_pb2.ExponentialHistogramDataPoint(
            time_unix_nano=NOW + at * SECOND,
            start_time_unix_nano=NOW + (at - 1) * SECOND,
            scale=scale,
            count=sum(counts),
            sum=float(at),
            positive=metrics_pb2.ExponentialHistogramDataPoint.Buckets(offset=offset, bucket_counts=counts),
        )
        data = metrics_pb2.ExponentialHistogram(data_points=[point], aggregation_temporality=DELTA)
        return metrics_pb2.Metric(name="x", exponential_histogram=data)

    for metric in (sent(1, 1, 0, 1, 2), sent(2, 1, 1, 5), sent(3, 0, 1, 7)):  # the last one is coarser
        await writer.send("metrics", otlp.metrics(metric))
    rows = await histogram_rows(conn, "x")
    assert [(row["at"], row["count"], row["sum"], row["schema"]) for row in rows] == [
        *((0, 0, 0.0, 1), (1, 3, 1.0, 1), (2, 8, 3.0, 1), (3, 15, 6.0, 0)),
    ]
    assert [(row["positive_spans"], row["positive_counts"]) for row in rows[1:]] == [
        *(([1, 2], [1, 2]), ([1, 2], [1, 7]), ([1, 2], [8, 7])),
    ]


async def test_exponential_histogram(writer: WriterUnderTest, conn: asyncpg.Connection) -> None:
    buckets = metrics_pb2.ExponentialHistogramDataPoint.Buckets
    point = metrics_pb2.ExponentialHistogramDataPoint(
        count=12,
        sum=3.5,
        scale=3,
        zero_count=2,
        zero_threshold=1e-6,
        time_unix_nano=NOW,
        positive=buckets(offset=-2, bucket_counts=[1, 0, 4]),
        negative=buckets(offset=0, bucket_counts=[5]),
    )
    data = metrics_pb2.ExponentialHistogram(data_points=[point], aggregation_temporality=otlp.CUMULATIVE)
    await writer.send("metrics", otlp.metrics(metrics_pb2.Metric(name="x", exponential_histogram=data)))
    (row,) = await histogram_rows(conn, "x")
    assert (row["count"], row["sum"], row["schema"], row["zero_count"], row["zero_threshold"]) == (12, 3.5, 3, 2, 1e-6)
    assert (row["positive_spans"], row["positive_counts"]) == ([-1, 3], [1, 0, 4])
    assert (row["negative_spans"], row["negative_counts"]) == ([1, 1], [5])
    assert row["custom_bounds"] == []


async def test_summary_is_stored_as_quantiles_sum_and_count(writer: WriterUnderTest, conn: asyncpg.Connection) -> None:
    quantile = metrics_pb2.SummaryDataPoint.ValueAtQuantile
    point = metrics_pb2.SummaryDataPoint(
        count=3,
        sum=4.5,
        time_unix_nano=NOW,
        quantile_values=[quantile(quantile=0.5, value=1.5), quantile(quantile=1, value=2)],
        attributes=otlp.attributes({"chuck": "a"}),
    )
    data = metrics_pb2.Summary(data_points=[point])
    await writer.send("metrics", otlp.metrics(metrics_pb2.Metric(name="x", unit="s", summary=data)))
    assert await samples(conn, "x_seconds_sum") == [({"chuck": "a"}, 0.0, 4.5)]
    assert await samples(conn, "x_seconds_count") == [({"chuck": "a"}, 0.0, 3.0)]
    assert await samples(conn, "x_seconds") == [
        ({"chuck": "a", "quantile": "0.5"}, 0.0, 1.5),
        ({"chuck": "a", "quantile": "1"}, 0.0, 2.0),
    ]


async def test_no_recorded_value_is_a_stale_marker(writer: WriterUnderTest, conn: asyncpg.Connection) -> None:
    empty = metrics_pb2.NumberDataPoint(time_unix_nano=NOW, flags=1)
    stale = metrics_pb2.HistogramDataPoint(time_unix_nano=NOW, flags=1)
    await writer.send("metrics", otlp.metrics(otlp.gauge("x", empty), otlp.histograms("y", stale)))
    marker = struct.pack(">Q", 0x7FF0000000000002)
    assert await conn.fetchval("select float8send(value) from wafer.sample") == marker
    assert await conn.fetchval("select float8send(sum) from wafer.histogram_sample") == marker


async def test_times_are_cut_to_milliseconds(writer: WriterUnderTest, conn: asyncpg.Connection) -> None:
    await writer.send("metrics", otlp.metrics(otlp.gauge("x", otlp.number(1, time=NOW + 1_999_999))))
    assert await conn.fetchval("select extract(epoch from ts) - $1 from wafer.sample", NOW // SECOND) * 1000 == 1


async def test_touched_hours_are_told_to_readers(writer: WriterUnderTest, conn: asyncpg.Connection) -> None:
    hour = NOW - NOW % (3600 * SECOND)
    points = [otlp.number(1.0, time=time) for time in (hour - SECOND, hour - 1, hour)]
    await writer.send("metrics", otlp.metrics(otlp.gauge("x", *points)))
    rows = await conn.fetch(
        "select extract(epoch from hour)::bigint as hour, extract(epoch from max_ts - min_ts)::float8 as span, points"
        " from wafer.ingest_hour order by hour"
    )
    assert [tuple(row) for row in rows] == [
        (hour // SECOND - 3600, 0.999, 2),
        (hour // SECOND, 0.0, 2),
    ]  # one of target_info


async def test_200_short_processes_sum_up_exactly_in_one_series(
    writer: WriterUnderTest, conn: asyncpg.Connection
) -> None:
    async def process(index: int) -> None:
        begin = NOW - (200 - index) * SECOND
        counter = otlp.total(
            "wafer.job.errors", otlp.number(3, time=begin + SECOND, start=begin), temporality=DELTA, unit="{error}"
        )
        durations = otlp.histograms(
            "wafer.job.duration",
            otlp.histogram([1, 5], [1, 1, 0], 2.5, time=begin + SECOND, start=begin),
            temporality=DELTA,
            unit="s",
        )
        await writer.send("metrics", otlp.metrics(counter, durations))

    await asyncio.gather(*map(process, range(200)))
    stored = await samples(conn, "wafer_job_errors_total")
    assert (stored[0][2], stored[-1][2]) == (0.0, 600.0)
    times = [at for _, at, _ in stored]
    assert all(b - a >= 0.000_999 for a, b in pairwise(times))
    assert [v for _, _, v in stored] == sorted(v for _, _, v in stored)
    rows = await histogram_rows(conn, "wafer_job_duration_seconds")
    assert (rows[0]["count"], rows[-1]["count"], rows[-1]["sum"], rows[-1]["positive_counts"]) == (
        0,
        400,
        500,
        [200, 200, 0],
    )
    assert await conn.fetchval("select count(*) from wafer.histogram_total") == 1


async def test_changed_bounds_begin_a_new_total_without_losing_counts(
    writer: WriterUnderTest, conn: asyncpg.Connection
) -> None:
    for second, bounds in enumerate([(1, 5), (1, 5), (2,), (2,)]):
        point = otlp.histogram(
            bounds, [2] * (len(bounds) + 1), 1.0, time=NOW + second * SECOND, start=NOW + (second - 1) * SECOND
        )
        await writer.send("metrics", otlp.metrics(otlp.histograms("x", point, temporality=DELTA)))
    rows = await histogram_rows(conn, "x")
    assert [(row["count"], row["custom_bounds"], row["reset_hint"]) for row in rows] == [
        (0, [1, 5], 0),
        (6, [1, 5], 0),
        (12, [1, 5], 0),
        (0, [2], 1),
        (4, [2], 0),
        (8, [2], 0),
    ]


async def test_delta_of_an_up_down_counter_goes_down_too(writer: WriterUnderTest, conn: asyncpg.Connection) -> None:
    for second, step in enumerate([5, -2]):
        point = otlp.number(step, time=NOW + second * SECOND, start=NOW - SECOND)
        await writer.send("metrics", otlp.metrics(otlp.total("x", point, temporality=DELTA, monotonic=False)))
    assert await samples(conn, "x") == [({}, -1.0, 0.0), ({}, 0.0, 5.0), ({}, 1.0, 3.0)]


async def test_a_delta_after_a_pause_is_preceded_by_the_old_total_at_its_start(
    writer: WriterUnderTest, conn: asyncpg.Connection
) -> None:
    for begin, end in [(0, 1), (1, 2), (60, 61)]:
        span = {"time": NOW + end * SECOND, "start": NOW + begin * SECOND}
        point, buckets = otlp.number(5, **span), otlp.histogram((1,), [1, 2], 3.0, **span)
        await writer.send(
            "metrics",
            otlp.metrics(otlp.total("x", point, temporality=DELTA), otlp.histograms("h", buckets, temporality=DELTA)),
        )
    expected = [(0.0, 0.0), (1.0, 5.0), (2.0, 10.0), (60.0, 10.0), (61.0, 15.0)]
    assert [(second, value) for _, second, value in await samples(conn, "x_total")] == expected
    assert [row["count"] for row in await histogram_rows(conn, "h")] == [0, 3, 6, 6, 9]


async def test_a_drained_backlog_of_deltas_leaves_a_sample_for_each_time(
    writer: WriterUnderTest, conn: asyncpg.Connection
) -> None:
    spans = [{"time": NOW - (m - 1) * 60 * SECOND, "start": NOW - m * 60 * SECOND} for m in range(5, 0, -1)]
    numbers = [otlp.number(2, **span) for span in spans]
    buckets = [otlp.histogram((1,), [1, 1], 1.0, **span) for span in spans]
    await writer.send(
        "metrics",
        otlp.metrics(otlp.total("x", *numbers, temporality=DELTA), otlp.histograms("h", *buckets, temporality=DELTA)),
    )
    expected = [(60.0 * (step - 5), 2.0 * step) for step in range(6)]
    assert [(second, value) for _, second, value in await samples(conn, "x_total")] == expected
    assert [(row["at"], row["count"]) for row in await histogram_rows(conn, "h")] == expected


async def test_a_stale_marker_among_deltas_adds_nothing(writer: WriterUnderTest, conn: asyncpg.Connection) -> None:
    stale = metrics_pb2.NumberDataPoint(time_unix_nano=NOW, flags=1)
    empty = metrics_pb2.HistogramDataPoint(time_unix_nano=NOW, flags=1)
    response = await writer.send(
        "metrics",
        otlp.metrics(
            otlp.total("x", otlp.number(2, time=NOW + SECOND, start=NOW), stale, temporality=DELTA),
            otlp.histograms("h", empty, temporality=DELTA),
        ),
    )
    assert not response.HasField("partial_success")
    assert [value for *_, value in await samples(conn, "x_total")] == [0.0, 2.0]
    assert await histogram_rows(conn, "h") == []


async def test_a_late_delta_finds_a_partition_after_the_last_millisecond_of_an_old_day(
    writer: WriterUnderTest, conn: asyncpg.Connection
) -> None:
    day = 86_400 * SECOND
    midnight = NOW - NOW % day - 40 * day
    for time in (midnight - SECOND // 1000, midnight - 10 * day):
        await writer.send(
            "metrics",
            otlp.metrics(
                otlp.total("x", otlp.number(5, time=time), temporality=DELTA),
                otlp.histograms("h", otlp.histogram((1,), [1, 4], time=time), temporality=DELTA),
            ),
        )
    last = (midnight - NOW) / SECOND
    assert [row[1:] for row in await samples(conn, "x_total")] == [
        (pytest.approx(last - 0.002, abs=1e-5), 0),
        (pytest.approx(last - 0.001, abs=1e-5), 5),
        (pytest.approx(last, abs=1e-5), 10),
    ]
    assert [row["count"] for row in await histogram_rows(conn, "h")] == [0, 5, 10]


async def test_host_metrics_tell_that_a_host_lives(writer: WriterUnderTest, conn: asyncpg.Connection) -> None:
    scope = "github.com/open-telemetry/opentelemetry-collector-contrib/receiver/hostmetricsreceiver/cpuscraper"
    await writer.send("metrics", otlp.metrics(otlp.gauge("x", otlp.number(1)), resource={"host.name": "tool9"}))
    assert await conn.fetchval("select count(*) from wafer.host") == 0
    await writer.send(
        "metrics", otlp.metrics(otlp.gauge("x", otlp.number(2)), resource={"host.name": "tool9"}, scope=scope)
    )
    row = await conn.fetchrow("select *, clock_timestamp() - last_seen < interval '1 minute' as fresh from wafer.host")
    assert (row["site"], row["name"], row["interval"], row["fresh"]) == ("fab1", "tool9", 30.0, True)


@pytest.mark.parametrize(
    ("metric", "reason"),
    [
        (otlp.gauge("x", otlp.number(1, time=0), otlp.number(2)), "1 data points without a time"),
        (
            otlp.gauge("x", otlp.number(1, time=NOW + 2 * 86_400 * SECOND), otlp.number(2)),
            "1 data points too far in the future",
        ),
        (
            otlp.gauge("x", metrics_pb2.NumberDataPoint(time_unix_nano=NOW), otlp.number(2)),
            "1 data points without a value",
        ),
        (
            otlp.gauge("x", otlp.number(1, **{"a" * 600: "b"}), otlp.number(2)),
            "1 data points with a label whose name is over 512 bytes",
        ),
        (
            otlp.gauge("x", otlp.number(1, 温度="a"), otlp.number(2, a="b")),
            f"1 data points {NO_LABEL}",
        ),
        (otlp.gauge("x" * 600, otlp.number(1)), "1 data points with an id or name over 512 bytes"),
        (otlp.total("x", otlp.number(1), temporality=0), "1 data points without aggregation temporality"),
        (
            otlp.histograms("x", otlp.histogram([1, 2], [1])),
            "1 data points of histograms whose buckets do not fit their bounds",
        ),
        (metrics_pb2.Metric(name="x"), "1 data points of an unknown kind of metric"),
        *(
            (metric, "1 data points of deltas that are no finite number, which would spoil their total for ever")
            for bad in (math.nan, math.inf, -math.inf)
            for metric in (
                otlp.total("x", otlp.number(bad), temporality=DELTA),
                otlp.histograms("x", otlp.histogram([1], [1, 1], bad), temporality=DELTA),
            )
        ),
    ],
    ids=lambda case: case if isinstance(case, str) else "",
)
async def test_points_that_can_never_be_stored_are_told_by_partial_success(
    writer: WriterUnderTest, conn: asyncpg.Connection, metric: metrics_pb2.Metric, reason: str
) -> None:
    good = otlp.gauge("good", otlp.number(1))
    for _ in range(2):
        response = await writer.send("metrics", otlp.metrics(metric, good))
        assert response.partial_success.rejected_data_points == 1
        assert response.partial_success.error_message == reason
    assert await conn.fetchval("select count(*) from wafer.metrics where metric = 'good'") == 1


async def test_a_backlog_of_dense_samples_is_stored_whole(writer: WriterUnderTest, conn: asyncpg.Connection) -> None:
    sent = [otlp.number(float(n), time=NOW - n * SECOND, name=str(of)) for n in range(600) for of in range(2)]
    await writer.send("metrics", otlp.metrics(otlp.gauge("x", *sent)))
    stored = await conn.fetch(
        "select labels->>'name' as name, count(*), sum(value) from wafer.metrics where metric = 'x'"
        " group by 1 order by 1"
    )
    assert [tuple(row) for row in stored] == [("0", 600, sum(range(600))), ("1", 600, sum(range(600)))]
