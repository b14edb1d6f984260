"""Continuous load on writers that are processes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

import httpx

from writer_support import load
from writer_support.process import Ports

SENDERS = 4


class Pressure:
    """Rounds of load that are being delivered.

    Attributes:
        begun: How many rounds were begun: 0 to this number.
        acknowledged: How many of them were acknowledged as a whole.
        repeated: How many requests were sent again.
    """

    def __init__(self) -> None:
        self.begun = self.acknowledged = self.repeated = 0
        self.ending = False


@contextlib.asynccontextmanager
async def under_pressure(writers: Sequence[Ports], *, each: bool = False) -> AsyncIterator[Pressure]:
    """Send rounds of load from several clients while the body runs; at its end all are acknowledged.

    Args:
        writers: Where to; a request that isn't acknowledged goes to the next one.
        each: Send every request to all writers at once.
    """
    pressure = Pressure()
    async with contextlib.AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(httpx.AsyncClient(base_url=ports.url(""), timeout=20)) for ports in writers
        ]
        ways = [[client] for client in clients] if each else [clients]

        async def send() -> None:
            while not pressure.ending:
                number = pressure.begun
                pressure.begun += 1
                sent = await asyncio.gather(*(load.deliver_round(way, number) for way in ways))
                pressure.repeated += sum(sent) - len(load.requests(number)) * len(ways)
                pressure.acknowledged += 1

        async with asyncio.TaskGroup() as senders:
            for _ in range(SENDERS):
                senders.create_task(send())
            try:
                yield pressure
            finally:
                pressure.ending = True
