"""Limits of a running service: its queue, its memory, its series, and what it tells of them."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from support import databases
from support.ports import free_port
from support.processes import waferscope
from support.wait import wait_until

if TYPE_CHECKING:
    from conftest import Writer

T0 = 1_800_000_000
MS = T0 * 1000
LIMITS = {
    "MAX_CONCURRENCY": "2",
    "MAX_QUEUE": "4",
    "MAX_SERIES": "40",
    "MAX_MEMORY": str(4 << 20),
    "TOTAL_MEMORY": str(6 << 20),
}


@dataclass
class Narrow:
    """A service with narrow limits, and a database of its own."""

    url: str
    database_url: str

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.url, timeout=30)


@pytest.fixture(scope="module")
def service(postgres_url: str, template_database: str) -> Iterator[Narrow]:
    port = free_port()
    with databases.fresh(postgres_url, template_database) as database_url:
        env = {f"WAFERSCOPE_QUERY_{name}": value for name, value in LIMITS.items()}
        env |= {"WAFERSCOPE_DATABASE_URL": database_url, "WAFERSCOPE_QUERY_PORT": str(port)}
        with waferscope("serve", "query", env=env) as process:
            process.wait_healthy(f"http://127.0.0.1:{port}/v1/readyz", within_s=60)
            yield Narrow(f"http://127.0.0.1:{port}", database_url)


@asynccontextmanager
async def locked(served: Writer) -> AsyncIterator[str]:
    """A metric whose queries wait as long as this lasts."""
    metric = f"locked_{uuid.uuid4().hex[:8]}"
    await served.gauge(metric, (MS, 1.0))
    async with served.connection.transaction():
        await served.connection.execute("lock table wafer.sample in access exclusive mode")
        yield metric


async def metrics(client: httpx.AsyncClient) -> dict[str, float]:
    return parsed((await client.get("/metrics")).text)


def parsed(text: str) -> dict[str, float]:
    return {name: float(value) for name, value in re.findall(r"^(waferscope_query_\S+) (\S+)$", text, re.MULTILINE)}


async def until(service: Narrow, **wanted: float) -> None:
    def reached() -> bool:
        shown = parsed(httpx.get(f"{service.url}/metrics").text)
        return all(shown[f"waferscope_query_{name}"] == value for name, value in wanted.items())

    await asyncio.to_thread(wait_until, reached, f"{wanted}")


def asking(client: httpx.AsyncClient, metric: str, who: str, **fields: Any) -> asyncio.Task[httpx.Response]:
    query = {"query": metric, "time": str(T0), **fields}
    headers = {"X-Grafana-User": who}
    return asyncio.create_task(client.get("/api/v1/query", params=query, headers=headers))


async def test_a_crowd_does_not_keep_another_client_out(service: Narrow, served: Writer) -> None:
    async with service.client() as client:
        async with locked(served) as metric:
            crowd = [asking(client, metric, "crowd") for _ in range(6)]
            await until(service, queue_length=4, running=2)
            refused = await asking(client, metric, "crowd")
            assert (refused.status_code, refused.json()["errorType"]) == (503, "unavailable")
            assert refused.json()["error"] == "4 queries wait already (WAFERSCOPE_QUERY_MAX_QUEUE): try again later"
            other = asking(client, metric, "other", stats="true")
            (loser,), _ = await asyncio.wait(crowd, return_when=asyncio.FIRST_COMPLETED)
            assert loser.result().status_code == 503
            assert (await metrics(client))['waferscope_query_refused_total{reason="queue_full"}'] == 2
        answers = [await one for one in crowd]
        assert sorted(one.status_code for one in answers) == [200] * 5 + [503]
        waited = (await other).json()["data"]["stats"]["timings"]["execQueueTime"]
        assert waited > 0
        await until(service, queue_length=0, running=0)
        assert (await metrics(client))["waferscope_query_queue_seconds_sum"] >= waited


async def test_waiting_counts_toward_the_timeout_and_who_goes_leaves_the_queue(service: Narrow, served: Writer) -> None:
    async with service.client() as client:
        async with locked(served) as metric:
            running = [asking(client, metric, "crowd") for _ in range(2)]
            await until(service, queue_length=0, running=2)
            late = await asking(client, metric, "other", timeout="200ms")
            assert (late.status_code, late.json()["errorType"]) == (503, "timeout")
            assert late.json()["error"] == "query timed out in query queue"
            gone = asking(client, metric, "other")
            await until(service, queue_length=1)
            gone.cancel()
            await until(service, queue_length=0, running=2)
        assert [(await one).status_code for one in running] == [200, 200]
        assert (await metrics(client))['waferscope_query_refused_total{reason="queue_timeout"}'] == 1


async def refusal(client: httpx.AsyncClient, status: int, kind: str, **fields: Any) -> str:
    answer = await client.post(f"/api/v1/{'query_range' if 'start' in fields else 'query'}", data=fields)
    assert (answer.status_code, answer.json()["errorType"]) == (status, kind), answer.text
    return str(answer.json()["error"])


async def test_series_and_memory_are_limited_with_what_to_do(service: Narrow, served: Writer) -> None:
    wide, long = (f"{name}_{uuid.uuid4().hex[:8]}" for name in ("wide", "long"))
    for number in range(41):
        await served.gauge(wide, (MS, 1.0), number=str(number))
    await served.gauge(long, *((MS + i * 10, float(i)) for i in range(200_000)))
    async with service.client() as client:
        before = await metrics(client)
        told = await refusal(client, 422, "execution", query=f"sum({wide})", time=T0)
        assert told == (
            "query would read 41 series, more than the limit of 40 (WAFERSCOPE_QUERY_MAX_SERIES): narrow its selectors"
        )
        over = {"start": T0, "end": T0 + 2000, "step": 0.2}
        for fields in ({"query": f"{long}[2000s]", "time": T0 + 2000}, {"query": f'{wide}{{number=~"..?"}}', **over}):
            if "step" in fields:
                fields["query"] = f'{wide}{{number=~"[0-9]|1."}} * 2'
            told = await refusal(client, 422, "execution", **fields)
            assert told == (
                "query would use more than 4,194,304 bytes of memory (WAFERSCOPE_QUERY_MAX_MEMORY): "
                "ask for fewer series, a shorter range or a longer step"
            )
        for reason, more in (("series", 1), ("query_memory", 2)):
            name = f'waferscope_query_refused_total{{reason="{reason}"}}'
            assert (await metrics(client))[name] - before.get(name, 0) == more
        assert (await client.get("/api/v1/query", params={"query": f"{long}[20s]", "time": T0 + 9})).status_code == 200
        await until(service, running=0, memory_bytes=0)


async def test_what_all_queries_have_together_is_bounded_as_well(service: Narrow, served: Writer) -> None:
    """Two queries read some 3.4 MB each, which is within the share of each; the first one keeps it for a while."""
    names = [f"shared_{uuid.uuid4().hex[:8]}" for _ in range(2)]
    day = T0 + 86_400  # whose blocks hold nothing of other tests
    for name in names:
        series_id = await served.series(name, "unknown")  # may hold histograms, which are read after the samples
        await served.samples(series_id, *((day * 1000 + i * 10, 1.0) for i in range(90_000)))
    first, second = ({"query": f"count_over_time({name}[900s])", "time": str(day + 900)} for name in names)
    async with service.client() as client:
        async with served.connection.transaction():
            await served.connection.execute("lock table wafer.histogram_sample in access exclusive mode")
            held = asyncio.create_task(client.post("/api/v1/query", data=first))
            await asyncio.to_thread(wait_until, lambda: memory_of(service) > 3 << 20, "the first query has read")
            told = await refusal(client, 503, "unavailable", **second)
            everything = "the 6,291,456 bytes of memory for all queries (WAFERSCOPE_QUERY_TOTAL_MEMORY)"
            assert told == f"{everything} are in use: try again later"
            assert (await metrics(client))['waferscope_query_refused_total{reason="total_memory"}'] == 1
        assert (await held).status_code == 200, (await held).text
        assert (await held).json()["data"]["result"][0]["value"][1] == "89999"
        again = await client.post("/api/v1/query", data=second)
        assert again.json()["data"]["result"][0]["value"][1] == "89999"
        await until(service, running=0, memory_bytes=0)


def memory_of(service: Narrow) -> float:
    return parsed(httpx.get(f"{service.url}/metrics").text)["waferscope_query_memory_bytes"]
