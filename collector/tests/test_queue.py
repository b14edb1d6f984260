"""What a writer holds and takes in is bounded, and so are its own series."""

import asyncio
import contextlib
import time

import asyncpg
import httpx
import pytest
from writer_support import otlp
from writer_support.otlp import SECOND
from writer_support.process import PROTOBUF, Ports, writer_process
from writer_support.running import WriterUnderTest

from waferscope_collector.meters import Meters


async def test_requests_that_wait_are_limited_by_number_and_bodies_count_while_they_come(
    database_url: str, conn: asyncpg.Connection
) -> None:
    ports = Ports.free(queue_requests="2", queue_limit="100000")
    async with httpx.AsyncClient(timeout=30) as client:
        process = await asyncio.to_thread((running := writer_process(ports, database_url)).__enter__)
        try:
            async with conn.transaction():
                await conn.execute("lock table wafer.ingest_batch in exclusive mode")
                waiting = [asyncio.create_task(_post(client, ports, float(value))) for value in range(6)]
                done, _ = await asyncio.wait(waiting, timeout=30, return_when=asyncio.FIRST_COMPLETED)
                while len(done) < 4:
                    done, _ = await asyncio.wait(waiting, timeout=0.1)
                assert {task.result().status_code for task in done} == {503}
                assert {task.result().headers["retry-after"] for task in done} == {"5"}
            assert (
                sorted([response.status_code for response in await asyncio.gather(*waiting)]) == [200] * 2 + [503] * 4
            )

            reader, slow = await asyncio.open_connection("127.0.0.1", ports.http)
            slow.write(b"POST /v1/metrics HTTP/1.1\r\nhost: w\r\ncontent-type: application/x-protobuf\r\n"
                       b"content-length: 200000\r\n\r\n" + bytes(150_000))  # fmt: skip
            await slow.drain()
            async with asyncio.timeout(20):
                while (await _post(client, ports, 9.0)).status_code != 503:
                    pass
            slow.close()
            with contextlib.suppress(OSError):
                await slow.wait_closed()
            async with asyncio.timeout(20):
                while (await _post(client, ports, time.time())).status_code != 200:
                    pass
            reader.feed_eof()
            assert process.exit_code() is None
        finally:
            await asyncio.to_thread(running.__exit__, None, None, None)


async def _post(client: httpx.AsyncClient, ports: Ports, value: float) -> httpx.Response:
    body = otlp.metrics(otlp.gauge("x", otlp.number(value))).SerializeToString()
    return await client.post(ports.url("/v1/metrics"), content=body, headers=PROTOBUF)


async def test_how_far_a_time_may_be_ahead_is_a_setting(database_url: str, conn: asyncpg.Connection) -> None:
    ports = Ports.free(future_limit="600")
    points = [otlp.number(float(seconds), time=time.time_ns() + seconds * SECOND) for seconds in (0, 300, 900)]
    body = otlp.metrics(otlp.gauge("x", *points), resource={}).SerializeToString()
    process = await asyncio.to_thread((running := writer_process(ports, database_url)).__enter__)
    try:
        async with httpx.AsyncClient(timeout=30) as client:
            response = await client.post(ports.url("/v1/metrics"), content=body, headers=PROTOBUF)
            own = (await client.get(ports.url("/metrics"))).text
        assert b"1 data points too far in the future" in response.content
        assert await conn.fetchval("select max(value) from wafer.sample") == 300
        assert 'waferscope_writer_refused_total{reason="too far in the future",signal="metrics"} 1.0' in own
        assert 'waferscope_writer_partial_success_total{signal="metrics"} 1.0' in own
        assert 'waferscope_writer_received_total{signal="metrics"} 3.0' in own
        assert process.exit_code() is None
    finally:
        await asyncio.to_thread(running.__exit__, None, None, None)


def test_reasons_that_name_things_do_not_become_a_series_each() -> None:
    meters = Meters("test")
    for number in range(500):
        meters.refuse("metrics", f"of the metric m{number}", 1)
    (family,) = (metric for metric in meters.registry.collect() if metric.name == "test_refused")
    counts = {sample.labels["reason"]: sample.value for sample in family.samples if sample.name.endswith("_total")}
    assert len(counts) == 65
    assert counts["other"] == 436


@pytest.mark.parametrize("part", [1, 2])
async def test_a_request_larger_than_the_queue_is_taken_when_nothing_else_waits(
    writer: WriterUnderTest, part: int
) -> None:
    writer.intake._queue_limit = 10
    body = otlp.metrics(otlp.gauge("x", otlp.number(float(part)))).SerializeToString()
    async with writer.client() as client:
        assert (await client.post("/v1/metrics", content=body, headers=PROTOBUF)).status_code == 200
