"""Where requests of both protocols go: admitted while there is room, decoded in a thread, committed, answered."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from google.protobuf.message import Message

from waferscope_collector.batch import Batch
from waferscope_collector.commit.committer import Committer
from waferscope_collector.decode.context import Rules
from waferscope_collector.errors import RequestError, UnavailableError, UnstorableError
from waferscope_collector.identify import SeriesCache
from waferscope_collector.meters import Meters
from waferscope_collector.receive.signals import Endpoint, answer, decode

T = TypeVar("T")
_LOGGER = logging.getLogger(__name__)

_DECODERS = 2  # threads: one decodes while another waits for zlib or sha256 without the interpreter's lock


class Intake:
    """Turns bodies into answers."""

    def __init__(
        self,
        committer: Committer,
        cache: SeriesCache,
        meters: Meters,
        *,
        rules: Rules,
        queue_limit: int,
        queue_requests: int = 10_000,
    ) -> None:
        """Open the intake.

        Args:
            committer: Where batches go.
            cache: Where their series are looked up.
            meters: Count what happens.
            rules: How requests are decoded.
            queue_limit: Bytes of requests under way at most.
            queue_requests: Requests under way at most.
        """
        self._committer = committer
        self._cache = cache
        self._meters = meters
        self._rules = rules
        self._queue_limit = queue_limit
        self._queue_requests = queue_requests
        self._queued = 0
        self._requests = 0
        self._threads = ThreadPoolExecutor(_DECODERS, thread_name_prefix="decode")

    @property
    def full(self) -> bool:
        """Whether no more requests are admitted just now."""
        return self._full_beside(0)

    def _full_beside(self, own: int) -> bool:
        return self._queued - own >= self._queue_limit or self._requests >= self._queue_requests

    def require_room(self, own: int = 0) -> None:
        """Refuse a request while the queue is full.

        Args:
            own: Bytes in the queue that are this request's.

        Raises:
            UnavailableError: It is.
        """
        if self._full_beside(own):
            raise UnavailableError("the queue is full")

    @contextlib.contextmanager
    def reading(self) -> Iterator[Callable[[int], None]]:
        """Count a body that comes in pieces: what is held of it takes room like a request that waits.

        Yields:
            Called with the size of each piece; raises UnavailableError when the queue is full.
        """
        held = 0

        def hold(size: int) -> None:
            nonlocal held
            self.require_room(held)
            held += size
            self._admit(size)

        try:
            yield hold
        finally:
            self._admit(-held)

    async def take(
        self, endpoint: Endpoint, protocol: str, size: int, body: Callable[[], bytes], *, as_json: bool = False
    ) -> Message:
        """Store a request.

        Args:
            endpoint: The signal.
            protocol: grpc or http.
            size: Bytes received, for the limit of the queue.
            body: Gives the plain body; called in a thread.
            as_json: Whether the body is OTLP/JSON, else protobuf.

        Returns:
            The response, once everything is committed.

        Raises:
            RequestError: The request could not be stored.
        """
        return answer(endpoint, (await self.store(endpoint, protocol, size, body, as_json=as_json)).rejects)

    async def store(
        self, endpoint: Endpoint, protocol: str, size: int, body: Callable[[], bytes], *, as_json: bool = False
    ) -> Batch:
        """As `take`, but return what was committed, with what was refused of it."""
        outcome, began = "internal", time.perf_counter()
        self._meters.received_bytes.labels(endpoint.signal, protocol).inc(size)
        try:
            batch = await self._store(endpoint, size, body, as_json=as_json)
            outcome = "ok"
        except RequestError as error:
            outcome = type(error).__name__.removesuffix("Error").lower()
            raise
        except asyncio.CancelledError:
            outcome = "canceled"  # the client is gone
            raise
        except Exception as error:
            # A fault of ours: the same bytes would meet it again, so the client must not send them for ever.
            _LOGGER.exception("could not handle a request")
            raise UnstorableError(f"the writer can't handle this request: {type(error).__name__}") from error
        finally:
            self._meters.requests.labels(endpoint.signal, protocol, outcome).inc()
            self._meters.request_seconds.labels(endpoint.signal, protocol).observe(time.perf_counter() - began)
        return batch

    async def _store(self, endpoint: Endpoint, size: int, body: Callable[[], bytes], *, as_json: bool) -> Batch:
        self.require_room()
        self._admit(size, requests=1)
        try:
            plain = await self._in_thread(body)
            self._admit(len(plain) - size)
            size = len(plain)
            batch = await self._in_thread(
                lambda: decode(endpoint, plain, as_json=as_json, rules=self._rules, cache=self._cache)
            )
            refused = batch.rejects.total  # the commit may refuse more of what was taken in
            self._meters.received.labels(batch.signal).inc(batch.size + refused)
            if not batch.empty:
                await self._committer.commit(batch)
            self._count_refused(batch)
            return batch
        finally:
            self._admit(-size, requests=-1)

    def _admit(self, size: int, requests: int = 0) -> None:
        self._queued += size
        self._requests += requests
        self._meters.queue_bytes.set(self._queued)
        self._meters.queue_requests.set(self._requests)
        self._meters.queue_full.set(self.full)

    def _count_refused(self, batch: Batch) -> None:
        for reason, count in batch.rejects.counts.items():
            self._meters.refuse(batch.signal, reason, count)
        if batch.rejects.total:
            self._meters.partial.labels(batch.signal).inc()

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)
