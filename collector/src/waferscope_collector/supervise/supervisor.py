"""The parent of several processes: holds the ports, starts children, replaces those that die, passes signals on."""

import asyncio
import contextlib
import logging
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge

from waferscope_collector import meters, server
from waferscope_collector.errors import ProcessError
from waferscope_collector.receive import ports
from waferscope_collector.settings import WriterSettings
from waferscope_collector.supervise.child import Child
from waferscope_collector.supervise.seat import Seat

_LOGGER = logging.getLogger(__name__)
_PLACE = "supervisor"
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0  # s, before a child that died is replaced
_SETTLED = 60.0  # s that a child runs until its death is the first again
_KILL_AFTER = 10.0  # s, from the end of a child's grace to SIGKILL


async def supervise(settings: WriterSettings) -> None:
    """Run the writer as several processes until SIGTERM or SIGINT, then let them answer what is under way.

    Raises:
        PortTakenError: A port is taken.
        ProcessError: No child can run.
        SchemasError: The database refuses the writer, or its schema is incompatible.
    """
    stopping = server.stop_signals()
    with _held_ports(settings) as http, tempfile.TemporaryDirectory(prefix="waferscope-writer-") as folder:
        async with server.database(settings, stopping) as pool:  # waited for and judged once, not by every child
            if pool is None:
                return
        await _Supervisor(settings, http, Path(folder)).run(stopping)


@contextlib.contextmanager
def _held_ports(settings: WriterSettings) -> Iterator[socket.socket]:
    """Take both ports; yield the socket of HTTP, which listens.

    Connections over HTTP wait in one queue, which outlives every child. gRPC's library opens sockets of its own only:
    each child binds the same port, which this socket reserves: it never listens, so it gets no connections.
    """
    with (
        ports.take(settings.host, settings.http_port, "HTTP") as http,
        ports.take(settings.host, settings.grpc_port, "gRPC") as grpc,
    ):
        grpc.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # after the bind: only then it was taken alone
        ports.listen(http, "HTTP")
        yield http


class _Supervisor:
    def __init__(self, settings: WriterSettings, http: socket.socket, folder: Path) -> None:
        self._http = http
        self._folder = folder
        self._grace = settings.grace
        self._children: dict[int, Child] = {}
        self._stopping = asyncio.Event()
        began = time.time_ns()
        self._seats = [Seat(number, settings.processes, http, began) for number in range(settings.processes)]
        meters.share(folder, _PLACE)
        registry = CollectorRegistry()
        self._restarts = Counter(
            f"{meters.PREFIX}_process_restarts", "Processes that died and were replaced", registry=registry
        )
        self._running = Gauge(
            f"{meters.PREFIX}_processes", "Processes that run", registry=registry, multiprocess_mode="livesum"
        )

    async def run(self, stopping: "asyncio.Future[None]") -> None:
        _LOGGER.info("writer: starting %d processes", len(self._seats))
        keepers = [asyncio.create_task(self._keep(seat)) for seat in self._seats]
        try:
            done, _ = await asyncio.wait([stopping, *keepers], return_when=asyncio.FIRST_COMPLETED)
            for item in done:
                item.result()
        finally:
            await self._stop(keepers)

    async def _keep(self, seat: Seat) -> None:
        """Have a seat taken at all times."""
        pause = _FIRST_PAUSE
        while True:
            began = time.monotonic()
            child = self._children[seat.number] = await Child.start(seat, self._folder)
            self._running.set(len(self._children))
            code = await child.run()
            del self._children[seat.number]
            self._running.set(len(self._children))
            meters.forget(self._folder, seat.place)
            if self._stopping.is_set():
                return
            self._judge(seat, child, code)
            pause = _FIRST_PAUSE if time.monotonic() - began > _SETTLED else min(pause * 2, _LONGEST_PAUSE)
            await asyncio.sleep(pause)
            self._restarts.inc()

    def _judge(self, seat: Seat, child: Child, code: int) -> None:
        """Tell of a child that died; where none serves and this one could not even start, the writer can't run."""
        why = child.complaint or (f"killed by signal {-code}" if code < 0 else f"ended with exit code {code}")
        if not child.ready and not any(other.ready for other in self._children.values()):
            raise ProcessError(child.complaint or f"process {seat.number} {why} before it was ready", max(code, 1))
        _LOGGER.error("process %d (pid %d) died and is started again: %s", seat.number, child.pid, why)

    async def _stop(self, keepers: list["asyncio.Task[None]"]) -> None:
        """End all children: what is under way is answered first."""
        self._stopping.set()
        self._http.close()
        for child in self._children.values():
            child.send(signal.SIGTERM)
        sleeping = [keeper for seat, keeper in zip(self._seats, keepers, strict=True) if not self._serves(seat)]
        for keeper in sleeping:
            keeper.cancel()
        _, late = await asyncio.wait(keepers, timeout=self._grace + _KILL_AFTER)
        for child in self._children.values():
            _LOGGER.error("process with pid %d does not stop: it is killed", child.pid)
            child.send(signal.SIGKILL)
        if late:
            await asyncio.wait(late)

    def _serves(self, seat: Seat) -> bool:
        return seat.number in self._children
