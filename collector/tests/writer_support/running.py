"""A whole writer but for its process and its ports: intake, committer, HTTP application, on a real database."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
from google.protobuf.message import Message
from starlette.applications import Starlette

from waferscope_collector.batch import Batch, Signal
from waferscope_collector.commit.committer import Committer
from waferscope_collector.decode.context import Rules
from waferscope_collector.identify import SeriesCache
from waferscope_collector.meters import Meters
from waferscope_collector.receive.http import application
from waferscope_collector.receive.intake import Intake
from waferscope_collector.receive.signals import ENDPOINTS, decode
from waferscope_schemas.database import open_pool

LIMIT = 1024 * 1024

RULES = Rules("fab1")


@dataclass(frozen=True, slots=True)
class WriterUnderTest:
    intake: Intake
    app: Starlette
    committer: Committer
    cache: SeriesCache
    meters: Meters

    async def send(self, signal: Signal, request: Message) -> Message:
        """Store a request as if it came by gRPC, and return the response."""
        body = request.SerializeToString()
        return await self.intake.take(ENDPOINTS[signal], "grpc", len(body), lambda: body)

    def decoded(self, signal: Signal, request: Message) -> Batch:
        """Return a request as the committer takes it."""
        return decode(
            ENDPOINTS[signal],
            request.SerializeToString(),
            as_json=False,
            rules=RULES,
            cache=self.cache,
        )

    def client(self) -> httpx.AsyncClient:
        """Return an HTTP client of the application."""
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://writer")


@contextlib.asynccontextmanager
async def running(
    database_url: str, *, queue_limit: int = 64 * LIMIT, rules: Rules = RULES
) -> AsyncIterator[WriterUnderTest]:
    """Run a writer."""
    pool = await open_pool(database_url, max_size=2)
    meters, cache = Meters(), SeriesCache(100_000)
    committer = Committer(pool, cache, meters, host_interval=30, limits=rules.limits)
    intake = Intake(committer, cache, meters, rules=rules, queue_limit=queue_limit)
    task = asyncio.create_task(committer.run())
    try:
        yield WriterUnderTest(intake, application(intake, meters, _ready, LIMIT), committer, cache, meters)
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await pool.close()


async def _ready() -> dict[str, str]:
    return {"database": "ok"}
