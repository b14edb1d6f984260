"""A child process, as its parent sees it."""

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

from waferscope_collector import meters
from waferscope_collector.supervise.seat import Seat
from waferscope_collector.supervise.worker import READY


class Child:
    """One run of a worker; what takes its place is another."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.ready = False
        self.complaint = ""

    @classmethod
    async def start(cls, seat: Seat, folder: Path) -> "Child":
        """Start a worker.

        Args:
            seat: Its place.
            folder: Where the processes keep their metrics.
        """
        assert seat.http is not None
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "waferscope_collector.supervise.worker", *seat.arguments()),
            stdin=asyncio.subprocess.PIPE,  # its end tells the worker that the parent is gone
            stdout=asyncio.subprocess.PIPE,
            pass_fds=(seat.http.fileno(),),
            env=os.environ | {meters.FOLDER_VARIABLE: str(folder)},
        )
        return cls(process)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def run(self) -> int:
        """Hear what it says until it ends; return its exit code (negative: the signal that ended it)."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            text = line.decode(errors="replace").strip()
            self.ready = self.ready or text == READY
            self.complaint = "" if text == READY else text
        return await self._process.wait()

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, unless it has ended."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)
