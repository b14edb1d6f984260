"""The service is alive before its engine is there."""

import asyncio

import httpx
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp

from waferscope_query.http.starting import Starting


async def test_health_is_answered_at_once_and_the_rest_when_the_application_is_there() -> None:
    loaded: asyncio.Future[ASGIApp] = asyncio.get_running_loop().create_future()

    async def load() -> ASGIApp:
        return await loaded

    transport = httpx.ASGITransport(Starting(asyncio.create_task(load())))
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        waiting = asyncio.create_task(client.get("/api/v1/query"))
        alive = await client.get("/v1/healthz")
        assert (alive.status_code, alive.json()) == (200, {"status": "ok"})
        assert not waiting.done()
        loaded.set_result(PlainTextResponse("the application"))
        assert (await waiting).text == "the application"
        assert (await client.get("/v1/healthz")).text == "the application"
