"""Deleting samples by the admin API, and what is handed on to the writer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import cramjam
import httpx
import numpy as np
import pytest
from support.sites import serving

from waferscope_collector.decode.remote_write_messages import V1
from waferscope_query.storage.database import Database
from waferscope_query.storage.deletion import delete_samples
from waferscope_query.storage.reader import instant

if TYPE_CHECKING:
    from conftest import Service, Writer

T0 = 1_700_000_000
REMOTE_WRITE = {
    "content-type": "application/x-protobuf",
    "content-encoding": "snappy",
    "x-prometheus-remote-write-version": "0.1.0",
}


@pytest.fixture(scope="module")
def site(postgres_url: str, template_database: str) -> Iterator[httpx.Client]:
    """A query service with the admin API on, and the writer behind it."""
    with serving(postgres_url, template_database) as url, httpx.Client(base_url=url, timeout=60) as client:
        yield client


def write(site: httpx.Client, metric: str, *samples: tuple[int, float], **labels: str) -> httpx.Response:
    """Send samples of (s, value) by remote write 1.0, to the query service."""
    series = V1["TimeSeries"]()
    for name, value in sorted({"__name__": metric, **labels}.items()):
        series.labels.add(name=name, value=value)
    for moment, value in samples:
        series.samples.add(timestamp=moment * 1000, value=value)
    body = cramjam.snappy.compress_raw(V1["WriteRequest"](timeseries=[series]).SerializeToString())
    return site.post("/api/v1/write", content=bytes(body), headers=REMOTE_WRITE)


def stored(site: httpx.Client, metric: str) -> list[tuple[float, str]]:
    """Return all samples of a metric."""
    answer = site.post("/api/v1/query", data={"query": f"{metric}[1h]", "time": T0 + 1800})
    assert answer.status_code == 200, answer.text
    return [(moment, value) for one in answer.json()["data"]["result"] for moment, value in one["values"]]


def delete(site: httpx.Client, **fields: Any) -> httpx.Response:
    return site.post("/api/v1/admin/tsdb/delete_series", data=fields)


def test_what_is_written_through_the_query_service_is_there_at_once(site: httpx.Client) -> None:
    assert write(site, "through", (T0, 1.0), (T0 + 15, 2.0)).status_code == 204
    assert stored(site, "through") == [(T0, "1"), (T0 + 15, "2")]


def test_the_writers_refusal_reaches_the_client(site: httpx.Client) -> None:
    answer = site.post("/api/v1/write", content=b"no snappy", headers=REMOTE_WRITE)
    assert answer.status_code == 400
    assert "snappy" in answer.text


def test_samples_of_a_range_are_deleted_and_come_back_when_they_are_sent_again(site: httpx.Client) -> None:
    samples = [(T0 + 15 * n, float(n)) for n in range(4)]
    assert write(site, "deleted", *samples).status_code == 204
    assert delete(site, **{"match[]": "deleted", "start": T0 + 15, "end": T0 + 30}).status_code == 204
    assert stored(site, "deleted") == [(T0, "0"), (T0 + 45, "3")]
    assert write(site, "deleted", *samples).status_code == 204
    assert stored(site, "deleted") == [(moment, f"{value:g}") for moment, value in samples]


def test_only_what_matches_is_deleted(site: httpx.Client) -> None:
    for tool in "ab":
        assert write(site, "both", (T0, 1.0), tool=tool).status_code == 204
    assert delete(site, **{"match[]": ['both{tool="a"}', "absent"]}).status_code == 204
    answer = site.post("/api/v1/query", data={"query": "both", "time": T0}).json()
    assert answer["status"] == "success", answer
    assert [one["metric"]["tool"] for one in answer["data"]["result"]] == ["b"]
    assert site.post("/api/v1/admin/tsdb/clean_tombstones").status_code == 204


@pytest.mark.parametrize(
    ("match", "message"),
    [
        (None, "no match[] parameter provided"),
        ("x{", "1:3: parse error: unexpected end of input inside braces"),
        ("sum(x)", "plain series selector"),
        ('x_bucket{le="1"}', "a histogram is deleted as a whole"),
    ],
)
def test_a_selector_that_is_none_is_refused(site: httpx.Client, match: str | None, message: str) -> None:
    answer = delete(site, **({} if match is None else {"match[]": match}))
    assert answer.status_code == 400
    assert message in answer.json()["error"]


def test_of_several_selectors_a_wrong_one_leaves_all_samples_there(site: httpx.Client) -> None:
    assert write(site, "whole", (T0, 1.0)).status_code == 204
    assert delete(site, **{"match[]": ["whole", 'x_bucket{le="1"}']}).status_code == 400
    assert stored(site, "whole") == [(T0, "1")]


def test_nothing_is_deleted_unless_it_is_switched_on(service: Service) -> None:
    answer = service.http.post("/api/v1/admin/tsdb/delete_series", data={"match[]": "x"})
    assert answer.status_code == 503
    assert answer.json() == {"status": "error", "errorType": "unavailable", "error": "admin APIs disabled"}


def test_a_writer_that_is_away_is_told(service: Service) -> None:
    answer = service.http.post("/api/v1/write", content=b"")
    assert answer.status_code == 503
    assert answer.json()["error"].startswith("the writer is not available")


async def test_readers_are_told_and_what_adds_up_is_remembered(service: Service, served: Writer) -> None:
    connection = served.connection
    series_id = await served.gauge("told", (T0 * 1000, 1.0))
    for digest, repeatable, at in ((b"again", True, T0), (b"adds", False, T0), (b"elsewhen", True, T0 + 3600)):
        await connection.execute(
            "with b as (insert into wafer.ingest_batch (digest, signal, points, repeatable)"
            " values ($1, 'metrics', 1, $2) returning batch_id)"
            " insert into wafer.ingest_hour (batch_id, hour, min_ts, max_ts, points)"
            " select batch_id, $3, $3, $3, 1 from b",
            *(digest, repeatable, instant(at * 1000)),
        )
    database = Database(service.database_url, 2)
    await database.open()
    await delete_samples(database, np.array([series_id]), T0 * 1000, T0 * 1000)
    await database.close()
    told, *of_forgotten = await connection.fetch("select * from wafer.deletion order by deletion_id")
    assert (told["kind"], told["series_ids"]) == ("samples", [series_id])
    assert (told["begin_ts"], told["end_ts"]) == (instant(T0 * 1000), instant(T0 * 1000 + 1))
    assert of_forgotten  # the feed lost what the forgotten requests had told
    for row in of_forgotten:
        assert row["series_ids"] is None
        assert row["begin_ts"] <= instant(T0 * 1000) < row["end_ts"]
    kept = await connection.fetch("select digest from wafer.ingest_batch order by digest")
    assert [row["digest"] for row in kept] == [b"adds", b"elsewhen"]


async def test_starts_are_deleted_with_their_samples_and_found_again(database_url: str, writer: Writer) -> None:
    series = await writer.gauge("x_total", *((T0 + n, float(n)) for n in range(4)))
    await writer.starts(series, (T0, T0 - 9), (T0 + 1, T0 - 8), (T0 + 2, T0 - 7))
    other = await writer.gauge("y_total", (T0 + 1, 1.0))
    await writer.starts(other, (T0 + 1, T0 - 9))
    database = Database(database_url, 1)
    await database.open()
    for first, last, left in (
        (1, 1, [(0, -9), (1, -8), (2, -7)]),  # where it was told: the writer will not tell it once more
        (1, 2, [(0, -9), (1, -7), (3, -7)]),  # the sample at 3 goes on with the last start
        (-1, 9, [(-1, -7)]),
    ):
        await delete_samples(database, np.array([series]), T0 + first, T0 + last)
        rows = await writer.connection.fetch(
            "select (extract(epoch from ts) * 1000)::bigint - $2, (extract(epoch from start) * 1000)::bigint - $2"
            " from wafer.start_time where series_id = $1 order by ts",
            *(series, T0),
        )
        assert [tuple(row) for row in rows] == left
    assert await writer.connection.fetchval("select count(*) from wafer.start_time where series_id = $1", other) == 1
    await database.close()
