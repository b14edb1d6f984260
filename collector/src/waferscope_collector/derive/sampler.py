"""The rounds in which all that is made up: by every writer its own metrics, by the one that leads the site's."""

import asyncio
import logging
import socket
from importlib.metadata import version

import asyncpg

from waferscope_collector.commit.faults import PASSING
from waferscope_collector.derive import carriers, database, equipment, own
from waferscope_collector.derive.clocks import Clocks
from waferscope_collector.derive.desk import Desk
from waferscope_collector.derive.leader import Leadership
from waferscope_collector.derive.request import Pairs, Request
from waferscope_collector.derive.rounds import rounds
from waferscope_collector.derive.runs import Runs
from waferscope_collector.errors import RequestError
from waferscope_collector.meters import Meters
from waferscope_collector.settings import WriterSettings
from waferscope_schemas import queries
from waferscope_schemas.errors import one_line
from waferscope_schemas.feed import current_snapshot

_SQL = queries.load("waferscope_collector")
_LOGGER = logging.getLogger(__name__)
_DATABASE_EVERY = 60 * 10**9  # ns
_PATIENCE = 60.0  # s, for one round
_PASSING = (asyncpg.PostgresError, RequestError, *PASSING)


async def sample_own(desk: Desk, meters: Meters, settings: WriterSettings, began: int) -> None:
    """Store the writer's own metrics, those of all its processes, until cancelled.

    Args:
        desk: Stores them.
        meters: Of this process.
        settings: The writer's.
        began: When the writer's counters began at zero, Unix time, ns.
    """
    resource = (*_service(settings), ("service.instance.id", f"{socket.gethostname()}:{settings.http_port}"))
    async for now in rounds(settings.sample_interval):
        try:
            metrics = await asyncio.to_thread(lambda: list(meters.whole().collect()))
            await desk.store([own.sample(metrics, now, began, resource)])
        except _PASSING as error:
            _LOGGER.warning("the writer's own metrics of this round are lost: %s", one_line(error))


async def sample_site(desk: Desk, settings: WriterSettings) -> None:
    """Store what is derived from the site's tables until cancelled, while no other writer does."""
    leadership = Leadership(settings.database_url.get_secret_value())
    site = Site(desk, _service(settings))
    try:
        async for now in rounds(settings.sample_interval):
            try:
                async with asyncio.timeout(_PATIENCE):
                    if lead := await leadership.gain():
                        await site.round(lead.conn, now, new=lead.new)
            except _PASSING as error:
                leadership.resign()
                _LOGGER.warning("nothing could be derived in this round: %s", one_line(error))
            except Exception:
                leadership.resign()
                _LOGGER.exception("nothing could be derived in this round")  # a fault of ours must not stop the writer
    finally:
        leadership.resign()


class Site:
    """What the writer that leads derives.

    Args:
        desk: Stores it.
        service: The writer's attributes, for what is of the database.
    """

    def __init__(self, desk: Desk, service: Pairs) -> None:
        self._desk = desk
        self._service = service
        self._runs = Runs()
        self._clocks = Clocks()
        self._since: str | None = None  # the change feed's snapshot that was read up to
        self._database_at = 0

    async def round(self, conn: asyncpg.Connection, now: int, *, new: bool) -> None:
        """Take and store the samples of one moment.

        Args:
            conn: The connection that leads.
            now: Unix time, ns.
            new: Whether another writer may have led since the last round.
        """
        if new:
            _LOGGER.info("this writer derives the site's metrics")
            self._runs, self._clocks, self._since = Runs(), Clocks(), None
            await self._runs.begin(conn, now)
        until = await current_snapshot(conn)  # before the rows: one that is read twice does no harm
        if self._since is not None:
            await self._follow(conn, self._since, now)
        request = Request()
        await self._runs.sample(conn, now, request)
        self._clocks.sample(now, request)
        await equipment.sample(conn, now, request)
        if now - self._database_at >= _DATABASE_EVERY:
            await database.sample(conn, now, self._service, request)
            self._database_at = now
        await self._desk.store([request.body(), *await carriers.visits(conn, self._since)])
        self._runs.stored()
        self._since = until

    async def _follow(self, conn: asyncpg.Connection, since: str, now: int) -> None:
        """Take notice of the runs that changed."""
        for row in await conn.fetch(_SQL["changed_runs"], since):
            self._runs.note([(row["site"], row["name"], row["equipment"])], now)
            if row["host"]:
                self._clocks.note((row["site"], row["host"]), now, row["offset_s"])


def _service(settings: WriterSettings) -> Pairs:
    return (
        ("service.name", "waferscope-writer"),
        ("service.version", version("waferscope-collector")),
        ("wafer.site.id", settings.site),
    )
