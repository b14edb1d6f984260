"""Exactly once: repeated requests, poison among good ones, several writers, a writer killed and started again."""

import asyncio
import gzip
import signal

import asyncpg
import grpc
import httpx
import numpy as np
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.trace.v1 import trace_pb2
from support.ports import free_ports
from support.processes import waferscope
from support.wait import wait_until
from writer_support import otlp
from writer_support.otlp import DELTA, NOW, SECOND
from writer_support.process import Ports, export, own, writer_process
from writer_support.running import WriterUnderTest, running

from waferscope_collector import identify
from waferscope_collector.errors import UnavailableError, UnstorableError

OWN = "series_id in (select series_id from wafer.series where kind <> 'info')"  # without target_info


async def values(conn: asyncpg.Connection) -> list[float]:
    return [row["value"] for row in await conn.fetch(f"select value from wafer.sample where {OWN} order by value")]


async def test_a_repeated_request_is_acknowledged_and_changes_nothing(
    writer: WriterUnderTest, conn: asyncpg.Connection
) -> None:
    requests = [
        otlp.metrics(
            otlp.gauge("x", otlp.number(1)), otlp.total("y", otlp.number(2, start=NOW - SECOND), temporality=DELTA)
        ),
        otlp.metrics(otlp.gauge("x", otlp.number(3))),
    ]
    for request in [requests[0], requests[0], requests[1], requests[0]]:
        response = await writer.send("metrics", request)
        assert not response.HasField("partial_success")
    await asyncio.gather(*(writer.send("metrics", request) for request in requests * 5))
    assert await values(conn) == [0, 1, 2, 3]
    assert await conn.fetchval("select count(*) from wafer.ingest_batch") == 2


async def test_one_poison_request_does_not_hold_back_its_group(
    writer: WriterUnderTest, conn: asyncpg.Connection
) -> None:
    # No data that passes the decoder are known to be refused, so the database gets a rule of its own.
    await conn.execute("alter table wafer.sample add constraint poison check (value <> 13)")
    requests = [otlp.metrics(otlp.gauge("x", otlp.number(float(value)))) for value in range(30)]
    results = await asyncio.gather(*(writer.send("metrics", request) for request in requests), return_exceptions=True)
    refused = [i for i, result in enumerate(results) if isinstance(result, Exception)]
    assert refused == [13]
    assert isinstance(results[13], UnstorableError)
    assert await values(conn) == [value for value in range(30) if value != 13]


async def test_one_request_that_no_partition_takes_does_not_hold_back_its_group(
    writer: WriterUnderTest, conn: asyncpg.Connection
) -> None:
    # PostgreSQL reports this rule as it reports a missing partition, and no new partition cures it.
    await conn.execute("alter table wafer.sample add constraint no_partition check (value <> 13)")
    requests = [otlp.metrics(otlp.gauge("x", otlp.number(float(value)))) for value in range(10, 20)]
    results = await asyncio.gather(*(writer.send("metrics", request) for request in requests), return_exceptions=True)
    assert [i for i, result in enumerate(results) if isinstance(result, Exception)] == [3]
    assert isinstance(results[3], UnavailableError)
    assert await values(conn) == [value for value in range(10, 20) if value != 13]


async def test_a_request_that_needs_too_many_partitions_is_refused_and_does_not_hold_back_its_group(
    writer: WriterUnderTest, conn: asyncpg.Connection
) -> None:
    days = [otlp.number(5, time=NOW - day * 86_400 * SECOND) for day in range(300)]
    requests = [otlp.metrics(otlp.gauge("x", *points)) for points in (days[:2], days, days[60:120], days[:60])]
    results = await asyncio.gather(*(writer.send("metrics", request) for request in requests), return_exceptions=True)
    assert [i for i, result in enumerate(results) if isinstance(result, Exception)] == [1]
    assert "send them in smaller requests" in str(results[1])
    assert len(await values(conn)) == 122


@pytest.mark.parametrize("loss", ["table wafer.sample", "schema wafer"])
async def test_what_a_lost_table_can_not_take_shall_be_sent_again(
    writer: WriterUnderTest, conn: asyncpg.Connection, loss: str
) -> None:
    await conn.execute(f"drop {loss} cascade")
    with pytest.raises(UnavailableError):
        await writer.send("metrics", otlp.metrics(otlp.gauge("x", otlp.number(1))))


async def test_two_writers_create_the_same_series_once(database_url: str, conn: asyncpg.Connection) -> None:
    def request(writer: int, part: int) -> list[otlp.metrics_pb2.Metric]:
        points = [otlp.number(1, time=NOW + (writer * 10 + part) * SECOND, start=NOW, wafer=str(i)) for i in range(300)]
        return [otlp.gauge("x", *points), otlp.total("y", *points[:50], temporality=DELTA)]

    async with running(database_url) as one, running(database_url) as two:
        await asyncio.gather(
            *(
                writer.send("metrics", otlp.metrics(*request(number, part)))
                for number, writer in enumerate((one, two))
                for part in range(5)
            )
        )
    assert await conn.fetchval("select count(*) from wafer.series where metric = 'x'") == 300
    assert (
        await conn.fetchval("select count(*) from wafer.sample join wafer.series using (series_id) where metric = 'x'")
        == 3000
    )
    totals = await conn.fetch(
        "select count(*) filter (where value = 0) as zeros, max(value) as total from wafer.sample"
        " join wafer.series using (series_id) where metric = 'y_total' group by series_id"
    )
    assert {tuple(row) for row in totals} == {(1, 10.0)}


async def test_a_missing_partition_is_created_and_the_commit_repeated(
    writer: WriterUnderTest, conn: asyncpg.Connection
) -> None:
    native = await conn.fetchval("select relkind = 'p' from pg_class where oid = 'wafer.sample'::regclass")
    if not native:
        pytest.skip("hypertables make their chunks themselves")
    await writer.send("metrics", otlp.metrics(otlp.gauge("x", otlp.number(1))))
    partition = await conn.fetchval("select max(tableoid)::regclass::text from wafer.sample")
    await conn.execute(f"drop table {partition}")
    await writer.send("metrics", otlp.metrics(otlp.gauge("x", otlp.number(2))))
    assert await values(conn) == [2]


async def test_a_commit_wakes_readers_once_its_rows_can_be_seen(
    writer: WriterUnderTest, conn: asyncpg.Connection
) -> None:
    woken = asyncio.Event()
    await conn.add_listener("wafer_feed", lambda *_: woken.set())
    await writer.send("metrics", otlp.metrics(otlp.gauge("x", otlp.number(1))))
    async with asyncio.timeout(20):
        await woken.wait()
    assert await values(conn) == [1]


async def test_a_request_of_many_blocks_is_stored_whole(writer: WriterUnderTest, conn: asyncpg.Connection) -> None:
    spans = [
        trace_pb2.Span(
            trace_id=i.to_bytes(16, "big"), span_id=bytes(7) + b"1", name="fit", start_time_unix_nano=NOW,
            end_time_unix_nano=NOW, attributes=otlp.attributes({"n": i}),
        )
        for i in range(1, 5001)
    ]  # fmt: skip
    await writer.committer.commit(writer.decoded("traces", otlp.traces(*spans)))
    assert await conn.fetchval("select count(*) from wafer.span") == len(spans)


async def test_times_of_years_ago_are_stored(writer: WriterUnderTest, conn: asyncpg.Connection) -> None:
    await writer.send("metrics", otlp.metrics(otlp.gauge("x", otlp.number(1, time=1), otlp.number(2, time=NOW // 2))))
    assert await values(conn) == [1, 2]


_WAITING = """
    select count(*) from pg_locks
    where not granted and database = (select oid from pg_database where datname = current_database())
"""


async def until_commits_wait(conn: asyncpg.Connection, count: int) -> None:
    async with asyncio.timeout(20):
        while await conn.fetchval(_WAITING) < count:
            pass


async def test_a_request_whose_client_gave_up_leaves_the_queue(
    writer: WriterUnderTest, conn: asyncpg.Connection
) -> None:
    batches = [writer.decoded("metrics", otlp.metrics(otlp.gauge("x", otlp.number(float(i))))) for i in range(5)]
    async with conn.transaction():
        await conn.execute("lock table wafer.ingest_batch in exclusive mode")
        running_groups = []
        for batch in batches[:2]:  # as many groups as are committed at once
            running_groups.append(asyncio.create_task(writer.committer.commit(batch)))
            await until_commits_wait(conn, len(running_groups))
        waiting = [asyncio.create_task(writer.committer.commit(batch)) for batch in batches[2:]]
        await asyncio.sleep(0)  # now they are queued
        for task in waiting[:2]:
            task.cancel()
        await asyncio.wait(waiting[:2])
    await asyncio.gather(*running_groups, waiting[2])
    assert await values(conn) == [0, 1, 4]


async def test_a_request_whose_client_gave_up_counts_until_its_group_ends(
    writer: WriterUnderTest, conn: asyncpg.Connection
) -> None:
    def seen(name: str, **labels: str) -> float | None:
        return writer.meters.registry.get_sample_value(f"waferscope_writer_{name}", labels)

    request = otlp.metrics(otlp.gauge("x", otlp.number(1)))
    async with conn.transaction():
        await conn.execute("lock table wafer.ingest_batch in exclusive mode")
        sending = asyncio.create_task(writer.send("metrics", request))
        await until_commits_wait(conn, 1)
        sending.cancel()
        await asyncio.wait([sending], timeout=0.1)
        assert seen("queue_bytes") == request.ByteSize()
    await asyncio.wait([sending])
    assert sending.cancelled()
    assert seen("queue_bytes") == 0
    assert seen("requests_total", signal="metrics", protocol="grpc", outcome="canceled") == 1


async def test_a_request_whose_client_gave_up_gets_away_from_a_writer_that_stops(
    database_url: str, conn: asyncpg.Connection
) -> None:
    async with conn.transaction():
        await conn.execute("lock table wafer.ingest_batch in exclusive mode")
        async with running(database_url) as writer:
            sending = asyncio.create_task(writer.send("metrics", otlp.metrics(otlp.gauge("x", otlp.number(1)))))
            await until_commits_wait(conn, 1)
        sending.cancel()
        await asyncio.wait([sending], timeout=20)
        assert sending.done()


def test_a_full_cache_starts_anew() -> None:
    cache = identify.SeriesCache(10)
    for number in range(1, 26):
        cache.put(np.array([[number, number]], np.uint64), np.array([number]))
        assert len(cache) <= 10


# Real processes ------------------------------------------------------------------------------------------------------


@pytest.fixture
def ports() -> Ports:
    return Ports.free()


async def test_grpc_limits_compression_and_status_details(
    database_url: str, conn: asyncpg.Connection, ports: Ports
) -> None:
    body = otlp.metrics(otlp.gauge("x", otlp.number(1))).SerializeToString()
    with writer_process(ports, database_url):
        await asyncio.to_thread(export, ports, body, grpc.Compression.Gzip)
        for bad, compression, code in (
            (b"\xff\xff", None, grpc.StatusCode.INVALID_ARGUMENT),
            (bytes(100_001), None, grpc.StatusCode.RESOURCE_EXHAUSTED),
            (bytes(10_000_000), grpc.Compression.Gzip, grpc.StatusCode.RESOURCE_EXHAUSTED),
        ):
            with pytest.raises(grpc.RpcError) as caught:
                await asyncio.to_thread(export, ports, bad, compression)
            assert caught.value.code() is code
    assert await values(conn) == [1]


async def test_sigterm_answers_what_is_under_way_and_ends_with_0(
    database_url: str, conn: asyncpg.Connection, ports: Ports
) -> None:
    body = otlp.metrics(otlp.gauge("x", otlp.number(1))).SerializeToString()
    with writer_process(ports, database_url) as process:
        async with httpx.AsyncClient() as client:
            async with conn.transaction():
                await conn.execute("lock table wafer.ingest_batch in exclusive mode")
                by_grpc = asyncio.create_task(asyncio.to_thread(export, ports, body))
                by_http = asyncio.create_task(
                    client.post(ports.url("/v1/metrics"), content=gzip.compress(body + body), timeout=30,
                                headers={"content-type": "application/x-protobuf", "content-encoding": "gzip"})
                )  # fmt: skip
                size = 3 * len(body)
                await asyncio.to_thread(wait_until, lambda: own(ports, "queue_bytes") >= size, "both are under way")
                process.send(signal.SIGTERM)
            await by_grpc
            assert (await by_http).status_code == 200
        assert await asyncio.to_thread(process.wait_exit) == 0
    assert len(await values(conn)) == 3


async def test_a_database_that_goes_away_is_503_until_it_is_back(
    database_url: str, postgres_url: str, ports: Ports
) -> None:
    database = database_url.rsplit("/", 1)[1]
    headers = {"content-type": "application/x-protobuf"}
    body = otlp.metrics(otlp.gauge("x", otlp.number(1))).SerializeToString()
    admin = await asyncpg.connect(postgres_url)
    with writer_process(ports, database_url):
        async with httpx.AsyncClient(timeout=60) as client:
            await admin.execute(f'alter database "{database}" allow_connections false')
            await admin.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = $1 and application_name = 'waferscope'",
                database,
            )
            refused = await client.post(ports.url("/v1/metrics"), content=body, headers=headers)
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
            assert (await client.get(ports.url("/v1/readyz"))).status_code == 503
            with pytest.raises(grpc.RpcError) as caught:
                await asyncio.to_thread(export, ports, body)
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
            details = dict(caught.value.trailing_metadata())["grpc-status-details-bin"]
            delay = RetryInfo()
            assert Status.FromString(details).details[0].Unpack(delay)
            assert delay.retry_delay.seconds == 5
            await admin.execute(f'alter database "{database}" allow_connections true')
            stored = await client.post(ports.url("/v1/metrics"), content=body, headers=headers)
            assert stored.status_code == 200
    await admin.close()
    again = await asyncpg.connect(database_url)
    assert await values(again) == [1]
    await again.close()


async def test_a_database_that_is_away_at_the_start_is_waited_for(ports: Ports) -> None:
    (nobody,) = free_ports(1)
    url = f"postgresql://someone:secret@127.0.0.1:{nobody}/nothing"
    with waferscope("serve", "writer", env=ports.env(url)) as process:
        process.wait_stderr("waiting for the database", within_s=60)
        process.send(signal.SIGTERM)
        assert process.wait_exit() == 0
        assert process.stderr.count("waiting for the database") == 1
        assert "secret" not in process.stderr


@pytest.mark.parametrize("protocol", ["HTTP", "gRPC"])
def test_a_taken_port_is_one_line_and_exit_code_4(database_url: str, ports: Ports, protocol: str) -> None:
    other = Ports.free()
    both = Ports(ports.http if protocol == "HTTP" else other.http, ports.grpc if protocol == "gRPC" else other.grpc)
    with writer_process(ports, database_url), waferscope("serve", "writer", env=both.env(database_url)) as second:
        assert second.wait_exit(within_s=60) == 4
        assert f"for {protocol}: Address already in use" in second.stderr
        assert len(second.stderr.strip().splitlines()) == 1


def test_a_wrong_setting_is_one_line_and_exit_code_2(database_url: str, ports: Ports) -> None:
    env = ports.env(database_url) | {"WAFERSCOPE_WRITER_HTTP_PORT": "web"}
    with waferscope("serve", "writer", env=env) as process:
        assert process.wait_exit(within_s=60) == 2
        assert process.stderr.startswith("waferscope: WAFERSCOPE_WRITER_HTTP_PORT: ")
        assert len(process.stderr.strip().splitlines()) == 1
