"""Where requests of both protocols go: admitted while there is room, decoded in a thread, committed, answered."""

import asyncio
import logging
from collections.abc import Callable
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
    ) -> None:
        self._committer = committer
        self._cache = cache
        self._meters = meters
        self._rules = rules
        self._queue_limit = queue_limit
        self._queued = 0
        self._threads = ThreadPoolExecutor(_DECODERS, thread_name_prefix="decode")

    @property
    def full(self) -> bool:
        """Whether no more requests are admitted just now."""
        return self._queued >= self._queue_limit

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
        outcome = "internal"
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
        return batch

    async def _store(self, endpoint: Endpoint, size: int, body: Callable[[], bytes], *, as_json: bool) -> Batch:
        if self.full:
            raise UnavailableError("the queue is full")
        self._admit(size)
        try:
            plain = await self._in_thread(body)
            self._admit(len(plain) - size)
            size = len(plain)
            batch = await self._in_thread(
                lambda: decode(endpoint, plain, as_json=as_json, rules=self._rules, cache=self._cache)
            )
            if not batch.empty:
                await self._committer.commit(batch)
            self._count_refused(batch)
            return batch
        finally:
            self._admit(-size)

    def _admit(self, size: int) -> None:
        self._queued += size
        self._meters.queue_bytes.set(self._queued)

    def _count_refused(self, batch: Batch) -> None:
        for reason, count in batch.rejects.counts.items():
            self._meters.refused.labels(batch.signal, reason).inc(count)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)
