"""The server as a process: health, metrics, signals, a taken port, a database that is away."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import asyncpg
import httpx
from support.ports import free_port
from support.processes import waferscope
from support.wait import wait_until

if TYPE_CHECKING:
    from conftest import Service, Writer


def environment(database_url: str, port: int) -> dict[str, str]:
    return {"WAFERSCOPE_DATABASE_URL": database_url, "WAFERSCOPE_QUERY_PORT": str(port)}


def test_health_readiness_and_docs(service: Service) -> None:
    assert service.http.get("/v1/healthz").json() == {"status": "ok"}
    assert service.http.get("/v1/readyz").json() == {
        "status": "ok",
        "dependencies": {"database": "ok", "schema": "ok", "series_index": "ok"},
    }
    page = service.http.get("/docs").text
    for script in re.findall(r'(?:src|href)="(http[^"]+)"', page):
        assert script.startswith(str(service.http.base_url)), "the page must work without the internet"
        assert service.http.get(script).status_code == 200
    paths = service.http.get("/openapi.json").json()["paths"]
    assert {"/api/v1/query", "/api/v1/label/{name}/values", "/v1/jobs", "/v1/jobs/{job_id}"} <= set(paths)


def test_metrics_count_by_endpoint_and_status(service: Service) -> None:
    service.http.get("/api/v1/query", params={"query": "1"})
    service.http.get("/api/v1/query", params={"query": "("})
    text = service.http.get("/metrics").text
    assert 'waferscope_query_requests_total{endpoint="/api/v1/query",status="200"}' in text
    assert 'waferscope_query_requests_total{endpoint="/api/v1/query",status="400"}' in text
    assert 'waferscope_query_request_duration_seconds_bucket{endpoint="/api/v1/query",le="0.1"}' in text
    assert "waferscope_query_series " in text
    assert "waferscope_query_feed_age_seconds " in text


def test_a_taken_port_is_one_clear_line_and_exit_code_4(postgres_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with waferscope("serve", "query", env=environment(postgres_url, port)) as process:
            assert process.wait_exit() == 4
            assert process.stderr.splitlines() == [
                f"waferscope: 127.0.0.1:{port} is taken; set WAFERSCOPE_QUERY_HOST and WAFERSCOPE_QUERY_PORT to another"
            ]


def test_a_wrong_setting_is_one_clear_line_and_exit_code_2(postgres_url: str) -> None:
    settings = {**environment(postgres_url, 0), "WAFERSCOPE_QUERY_TIMEOUT": "soon"}
    with waferscope("serve", "query", env=settings) as process:
        assert process.wait_exit() == 2
        assert process.stderr.startswith("waferscope: WAFERSCOPE_QUERY_TIMEOUT: ")


def test_a_database_without_schema_ends_the_server_with_exit_code_3(empty_database_url: str) -> None:
    with waferscope("serve", "query", env=environment(empty_database_url, 0)) as process:
        assert process.wait_exit() == 3
        assert "waferscope schema migrate" in process.stderr.splitlines()[-1]


def test_a_database_that_refuses_the_credentials_ends_the_server_with_exit_code_5(database_url: str) -> None:
    """Of a role that does not exist: on a server that trusts everyone no password is wrong."""
    parts = urlsplit(database_url)
    url = parts._replace(netloc=f"no_such_role:secret@{parts.netloc.rpartition('@')[2]}").geturl()
    with waferscope("serve", "query", env=environment(url, free_port())) as process:
        assert process.wait_exit() == 5
        last = process.stderr.splitlines()[-1]
        assert last.startswith("waferscope: the database refuses us: ")
        assert "no_such_role" in last
        assert "secret" not in process.stderr


def test_without_its_database_it_serves_503_until_the_database_comes() -> None:
    """And a stop while it waits is a clean one."""
    away = f"postgresql://nobody:none@127.0.0.1:{free_port()}/none"
    port = free_port()
    with waferscope("serve", "query", env=environment(away, port)) as process:
        url = f"http://127.0.0.1:{port}"
        process.wait_healthy(f"{url}/v1/healthz")
        with httpx.Client(base_url=url, timeout=60) as client:  # the first request waits for the engine
            answer = client.get("/api/v1/query", params={"query": "up"})
            jobs = client.get("/v1/jobs")
            ready = client.get("/v1/readyz")
        assert (answer.status_code, answer.json()["errorType"]) == (503, "unavailable")
        assert jobs.json()["status"] == 503
        assert ready.status_code == 503
        assert ready.json()["dependencies"]["database"] == "the database has not answered yet"
        process.wait_stderr("waiting for the database")
        assert process.stop() == 0


def test_sigterm_ends_it_cleanly(service: Service) -> None:
    port = free_port()
    with waferscope("serve", "query", env=environment(service.database_url, port)) as process:
        process.wait_healthy(f"http://127.0.0.1:{port}/v1/readyz")
        with httpx.Client() as idle:  # a connection that is kept alive must not hold it
            idle.get(f"http://127.0.0.1:{port}/v1/healthz")
            process.send(signal.SIGTERM)
            assert process.wait_exit(within_s=10) == 0
        assert "Traceback" not in process.stderr


async def test_it_recovers_from_a_database_that_goes_away(service: Service, postgres_url: str) -> None:
    name = service.database_url.rsplit("/", 1)[1].partition("?")[0]
    server = await asyncpg.connect(postgres_url)

    def query() -> Any:
        return service.http.get("/api/v1/query", params={"query": "up"})

    assert query().status_code == 200
    await server.execute(f'alter database "{name}" allow_connections false')
    await server.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", name)
    answer = wait_until(lambda: (found := query()).status_code != 200 and found, "the database is missed")
    assert (answer.status_code, answer.json()["errorType"]) == (503, "unavailable")
    await server.execute(f'alter database "{name}" allow_connections true')
    wait_until(lambda: query().status_code == 200, "the database is found again")
    await server.close()


async def test_a_client_that_goes_cancels_its_query(service: Service, served: Writer) -> None:
    """A query that waits for a lock is left at once: its connection goes, its place is free."""
    series_id = await served.gauge("locked", (1_800_000_000_000, 1.0))
    async with served.connection.transaction():
        await served.connection.execute("lock table wafer.sample in access exclusive mode")
        try:
            service.http.get(
                "/api/v1/query", params={"query": "locked", "time": 1_800_000_000}, timeout=httpx.Timeout(5, read=0.5)
            )
        except httpx.ReadTimeout:
            pass
        else:
            raise AssertionError("the lock did not hold the query")
        canceled = 'waferscope_query_requests_total{endpoint="/api/v1/query",status="499"}'
        wait_until(lambda: canceled in service.http.get("/metrics").text, "the query is canceled", within_s=10)
        timed_out = service.http.get(
            "/api/v1/query", params={"query": "locked", "time": 1_800_000_000, "timeout": "500ms"}
        )
        assert (timed_out.status_code, timed_out.json()["errorType"]) == (503, "timeout")
    await served.samples(series_id, (1_800_000_001_000, 2.0))
    answer = service.http.get("/api/v1/query", params={"query": "locked", "time": 1_800_000_001})
    assert answer.json()["data"]["result"][0]["value"] == [1_800_000_001, "2"]


async def test_health_answers_while_a_large_query_computes(service: Service, served: Writer) -> None:
    """The event loop never computes: health stays quick beside work of seconds."""
    for tool in range(40):
        await served.gauge("wide", *((1_800_000_000_000 + i * 1000, float(i)) for i in range(1000)), tool=f"t{tool}")
    query = {"query": "wide * 1", "start": 1_800_000_000, "end": 1_800_001_000, "step": "100ms"}
    limits = httpx.Limits(max_connections=4)
    async with httpx.AsyncClient(base_url=service.url, timeout=60, limits=limits) as client:
        task = asyncio.create_task(client.get("/api/v1/query_range", params=query))
        answered = 0
        while not task.done():
            assert (await client.get("/v1/healthz")).status_code == 200
            answered += 1
        answer = await task
    assert len(answer.json()["data"]["result"]) == 40
    assert answered >= 5
