"""Where the writer hands in what it makes itself: the same decoding and commit, but a queue and figures of their own.

So a full queue does not keep it from telling so, and its own samples are not counted among what clients have sent: the
figures of an idle writer stand still.
"""

import asyncio
import sys
from collections.abc import Iterable
from dataclasses import replace

import asyncpg

from waferscope_collector.commit.committer import Committer
from waferscope_collector.decode.resource import PROMOTED
from waferscope_collector.identify import SeriesCache
from waferscope_collector.meters import PREFIX, Meters
from waferscope_collector.receive.intake import Intake
from waferscope_collector.receive.signals import ENDPOINTS
from waferscope_collector.settings import WriterSettings

OWN = f"{PREFIX}_own"


class Desk:
    """Stores requests that the writer makes.

    Args:
        pool: Connections.
        cache: The writer's.
        settings: The writer's.
    """

    def __init__(self, pool: asyncpg.Pool, cache: SeriesCache, settings: WriterSettings) -> None:
        meters = Meters(OWN)
        # What tells that the site is full of series must find room there.
        limits = replace(settings.rules.limits, series=sys.maxsize, metric_series=sys.maxsize)
        rules = replace(settings.rules, promoted=PROMOTED, limits=limits)
        self._committer = Committer(pool, cache, meters, host_interval=settings.host_interval, limits=limits)
        self._intake = Intake(self._committer, cache, meters, rules=rules, queue_limit=settings.queue_limit)

    async def run(self) -> None:
        """Commit what is handed in, until cancelled."""
        await self._committer.run()

    async def store(self, bodies: Iterable[bytes]) -> None:
        """Store requests; return when all are committed.

        Args:
            bodies: ExportMetricsServiceRequests.

        Raises:
            RequestError: At least one could not be stored.
        """
        results = await asyncio.gather(*map(self._take, bodies), return_exceptions=True)
        for result in results:
            if result is not None:
                raise result

    async def _take(self, body: bytes) -> None:
        await self._intake.take(ENDPOINTS["metrics"], "own", len(body), lambda: body)
