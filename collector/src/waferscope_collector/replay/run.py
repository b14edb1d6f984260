"""A replay from its files to its report."""

import contextlib
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from io import BufferedIOBase
from pathlib import Path
from typing import cast

from waferscope_collector.batch import Signal
from waferscope_collector.errors import MalformedError, WriterError
from waferscope_collector.receive.signals import ENDPOINTS, Endpoint
from waferscope_collector.replay import messages
from waferscope_collector.replay.messages import DamagedError
from waferscope_collector.replay.signal import identify
from waferscope_collector.replay.transport import Accepted, AgainError, RefusedError, Transport

_STDIN = "-"
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0  # s, between tries
_PROGRESS = 1.0  # s


class UnreachableError(WriterError):
    """The writer took nothing for too long."""

    exit_code = 3


class NoFileError(WriterError):
    """A file can't be opened."""

    exit_code = 2


@dataclass(slots=True)
class Report:
    """What became of everything."""

    requests: int = 0
    bytes: int = 0
    accepted: int = 0
    partly: int = 0  # of the accepted ones
    refused: Counter[str] = field(default_factory=Counter)  # requests by reason
    records: Counter[str] = field(default_factory=Counter)  # records refused inside of accepted requests, by message
    damaged: list[str] = field(default_factory=list)  # files, and why

    @property
    def complete(self) -> bool:
        """Whether everything in the files is stored."""
        return not (self.refused or self.records or self.damaged)

    def lines(self, seconds: float) -> Iterator[str]:
        """Yield the report for people."""
        yield f"{self.requests:,} requests, {self.bytes / 1e6:,.1f} MB, {seconds:,.1f} s"
        yield f"accepted: {self.accepted:,}" + (f", {self.partly:,} of them in part" if self.partly else "")
        for why, count in self.refused.most_common():
            yield f"refused: {count:,} requests: {why}"
        for why, count in self.records.most_common():
            yield f"refused: {count:,} records: {why}"
        for why in self.damaged:
            yield f"damaged: {why}"


class Replay:
    """Sends files; keeps at most a few requests in memory."""

    def __init__(self, transport: Transport, *, in_flight: int, limit: int, patience: float, quiet: bool) -> None:
        """Prepare.

        Args:
            transport: Where to.
            in_flight: Requests under way at once. Metrics go one after the other: deltas add up in their order.
            limit: Bytes of a request at most.
            patience: Seconds for which a request is sent again and again.
            quiet: Whether to show no progress.
        """
        self._transport = transport
        self._in_flight = in_flight
        self._limit = limit
        self._patience = patience
        self._quiet = quiet
        self._stopped = threading.Event()
        self._shown = time.monotonic()
        self.report = Report()

    def run(self, files: Sequence[str]) -> Report:
        """Send all requests of the files.

        Raises:
            NoFileError: One can't be opened; nothing was sent yet.
            UnreachableError: The writer did not take a request in time.
        """
        _check(files)
        in_order, in_parallel = ThreadPoolExecutor(1), ThreadPoolExecutor(self._in_flight)
        under_way: set[Future[Callable[[], None]]] = set()
        try:
            for signal, body in self._requests(files):
                pool = in_order if signal == "metrics" else in_parallel
                under_way.add(pool.submit(self._send, ENDPOINTS[signal], body))
                while len(under_way) >= self._in_flight:
                    under_way = self._settle(under_way)
            while under_way:
                under_way = self._settle(under_way)
        finally:
            self._stopped.set()
            for pool in (in_order, in_parallel):
                pool.shutdown(cancel_futures=True)
        return self.report

    def _requests(self, files: Sequence[str]) -> Iterator[tuple[Signal, bytes]]:
        """Read and identify the requests of all files."""
        for name in files:
            before = self.report.requests
            try:
                yield from self._requests_of(name)
            except (DamagedError, OSError) as error:
                read = self.report.requests - before
                self.report.damaged.append(f"{name}, after {read:,} requests: {error}")

    def _requests_of(self, name: str) -> Iterator[tuple[Signal, bytes]]:
        with _open(name) as file:
            for body in messages.read(file, self._limit):
                self.report.requests += 1
                self.report.bytes += len(body)
                yield from self._identified(body)

    def _identified(self, body: bytes) -> Iterator[tuple[Signal, bytes]]:
        try:
            found = identify(body)
        except MalformedError as error:
            self.report.refused[str(error)] += 1
            return
        if found is None:
            self.report.accepted += 1  # nothing to send
        else:
            yield found

    def _send(self, endpoint: Endpoint, body: bytes) -> Callable[[], None]:
        """Send a request until it is taken or refused; return how to count it."""
        give_up = time.monotonic() + self._patience
        pause = _FIRST_PAUSE
        while True:
            try:
                return partial(self._count, self._transport.send(endpoint, body))
            except RefusedError as error:  # noqa: PERF203 - once a try
                return partial(self.report.refused.update, [str(error)])
            except AgainError as error:
                left = give_up - time.monotonic()
                if left <= 0:
                    raise UnreachableError(
                        f"the writer took nothing for {self._patience:.0f} s ({error}); start again when it does: what"
                        " is stored already changes nothing"
                    ) from error
                if self._stopped.wait(min(max(pause, error.wait), left)):
                    raise
                pause = min(2 * pause, _LONGEST_PAUSE)

    def _count(self, accepted: Accepted) -> None:
        self.report.accepted += 1
        if accepted.refused:
            self.report.partly += 1
            self.report.records[accepted.why] += accepted.refused

    def _settle(self, under_way: set[Future[Callable[[], None]]]) -> set[Future[Callable[[], None]]]:
        """Wait a little for requests under way, count those that are done, and return the others."""
        done, others = wait(under_way, timeout=_PROGRESS, return_when=FIRST_COMPLETED)
        for future in done:
            future.result()()
        self._show()
        return others

    def _show(self) -> None:
        if not self._quiet and time.monotonic() - self._shown >= _PROGRESS:
            self._shown = time.monotonic()
            line = f"{self.report.requests:,} requests read, {self.report.accepted:,} accepted"
            sys.stderr.write(f"\r{line}" if sys.stderr.isatty() else f"{line}\n")
            sys.stderr.flush()


def _check(files: Sequence[str]) -> None:
    """Refuse what can't be read before anything is sent; without opening it, for a pipe can be opened once."""
    for name in files:
        if name != _STDIN and (Path(name).is_dir() or not os.access(name, os.R_OK)):
            raise NoFileError(f"cannot read {name}: no such file, or not allowed")


@contextlib.contextmanager
def _open(name: str) -> Iterator[BufferedIOBase]:
    if name == _STDIN:
        yield cast("BufferedIOBase", sys.stdin.buffer)
        return
    with Path(name).open("rb") as file:
        yield file
