"""Group commit: what waits while a transaction runs shares the next one."""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from waferscope_collector.batch import Batch
from waferscope_collector.commit import poison, transaction
from waferscope_collector.commit.faults import Fault, classify
from waferscope_collector.commit.series import SeriesProvider
from waferscope_collector.decode.limits import Limits
from waferscope_collector.errors import RequestError, UnavailableError, UnstorableError
from waferscope_collector.identify import SeriesCache
from waferscope_collector.meters import Meters
from waferscope_schemas.errors import TooManyPartitionsError

_LOGGER = logging.getLogger(__name__)

_GROUP_SIZE = 50_000  # points of a group, about: a transaction shall take well under a second
_SIDES = 2  # groups under way at once
_TRIES = 5
_PAUSE = 0.02  # s, before a repetition; grows with each
_ACQUIRE_TIMEOUT = 10.0  # s
_COMMIT_TIMEOUT = 60.0  # s


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    batch: Batch
    done: asyncio.Future[None]


class _StuckError(Exception):
    """A commit met faults that should pass at once in every try."""


class Committer:
    """Commits batches in groups, two at a time: while one waits for the disk, the other is sent."""

    def __init__(
        self, pool: asyncpg.Pool, cache: SeriesCache, meters: Meters, *, host_interval: float, limits: Limits
    ) -> None:
        self._pool = pool
        self._cache = cache
        self._meters = meters
        self._host_interval = host_interval
        self._series = SeriesProvider(cache, limits)
        self._queue: deque[_Waiting] = deque()
        self._arrived = asyncio.Event()

    async def commit(self, batch: Batch) -> None:
        """Wait until a batch is committed.

        A caller that gives up gets away once the committer holds the batch no more: at once while it is queued, after
        its group otherwise. So whoever counts the memory of batches may stop counting when this returns.

        Raises:
            UnstorableError: The database refuses the data themselves.
            UnavailableError: They could not be stored now.
        """
        waiting = _Waiting(batch, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        self._arrived.set()
        try:
            await asyncio.shield(waiting.done)
        except asyncio.CancelledError:
            if waiting in self._queue:
                self._queue.remove(waiting)
            else:
                with contextlib.suppress(RequestError):
                    await waiting.done
            raise

    async def run(self) -> None:
        """Commit what arrives, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(_SIDES):
                group.create_task(self._work())

    async def _work(self) -> None:
        """Commit one group after the other."""
        while True:
            await self._arrived.wait()
            group = self._take()
            if not group:  # their clients gave up
                continue
            try:
                with self._meters.commit_seconds.time():
                    await self._settle(group)
            except asyncio.CancelledError:
                _answer(group, UnavailableError("the writer is stopping"))  # whoever gave up waits for an answer
                raise
            self._meters.cached_series.set(len(self._cache))

    def _take(self) -> list[_Waiting]:
        """Take the next group off the queue."""
        group: list[_Waiting] = []
        size = 0
        while self._queue and (not group or size + self._queue[0].batch.size <= _GROUP_SIZE):
            group.append(self._queue.popleft())
            size += group[-1].batch.size
        if not self._queue:
            self._arrived.clear()
        return group

    async def _settle(self, group: Sequence[_Waiting]) -> None:
        """Commit a group and answer each of its requests; one bad request does not hold back the others.

        Whether the database refuses data or meets a fault that should pass in every try: each request is tried alone.
        """
        try:
            await self._commit([waiting.batch for waiting in group])
        except (UnstorableError, _StuckError) as error:
            if len(group) > 1:
                for waiting in group:
                    await self._settle([waiting])
            elif isinstance(error, _StuckError):
                _answer(group, UnavailableError(str(error)))
            else:
                _answer(group, await self._salvage(group[0].batch, error))
        except UnavailableError as error:
            _answer(group, error)
        else:
            _answer(group, None)

    async def _salvage(self, batch: Batch, error: UnstorableError) -> RequestError | None:
        """Commit a refused request without the records that the database refuses.

        Returns:
            The answer: the given error where no record is to blame.
        """
        if isinstance(error.__cause__, TooManyPartitionsError):
            return error

        async def refuses(part: Batch) -> bool:
            try:
                await self._commit([part], dry=True)
            except UnstorableError:
                return True
            return False

        try:
            found = await poison.find(batch, refuses)
            if found is None:
                return error
            await self._commit([poison.without(batch, found)])
        except UnstorableError:
            return error
        except _StuckError as stuck:
            return UnavailableError(str(stuck))
        except UnavailableError as away:
            return away
        _LOGGER.warning("refused %d records of a request: %s", len(found), error)
        return None

    async def _commit(self, batches: Sequence[Batch], *, dry: bool = False) -> None:
        """Commit batches, or only try to, repeating what passes at once."""
        fault: Fault | None = None
        for attempt in range(_TRIES):
            await asyncio.sleep(_PAUSE * attempt)
            fault = await self._attempt(batches, recheck=fault is Fault.NO_PARTITION, dry=dry)
            if fault is None:
                return
        raise _StuckError(f"the database could not store this in {_TRIES} tries: {fault and fault.value}")

    async def _attempt(self, batches: Sequence[Batch], *, recheck: bool, dry: bool) -> Fault | None:
        """Commit batches, or tell which fault may pass at once."""
        try:
            await self._try(batches, recheck=recheck, dry=dry)
        except Exception as error:
            fault = classify(error)
            if fault is Fault.DATA:
                raise _unstorable(error) from error
            _LOGGER.warning("could not commit %d requests: %s", len(batches), _line(error))
            if fault is Fault.AWAY:
                raise UnavailableError(f"the database can't store this now: {_line(error)}") from error
            return fault
        return None

    async def _try(self, batches: Sequence[Batch], *, recheck: bool, dry: bool) -> None:
        async with asyncio.timeout(_COMMIT_TIMEOUT), self._pool.acquire(timeout=_ACQUIRE_TIMEOUT) as conn:
            self._meters.series_created.inc(await self._series.provide(conn, batches))
            for metric, count in self._series.guard.take_refused().items():
                self._meters.refuse_series(metric, count)
            await transaction.ensure_partitions(conn, batches, recheck=recheck)
            if dry:
                return await transaction.attempt(conn, batches, self._host_interval)
            began = time.perf_counter()
            stored = await transaction.store(conn, batches, self._host_interval)
        _LOGGER.debug("committed %d of %d requests in %.4f s", len(stored), len(batches), time.perf_counter() - began)
        for batch in stored:
            for info in batch.points.info if batch.points else ():
                self._cache.tell_starts(info.points.keys[info.kept], info.points.times[info.kept])
            self._meters.stored.labels(batch.signal).inc(batch.size)
        kept = {id(batch) for batch in stored}
        for batch in batches:
            if id(batch) not in kept:
                self._meters.repeated.labels(batch.signal).inc()
        return None


def _answer(group: Sequence[_Waiting], error: RequestError | None) -> None:
    for waiting in group:
        if waiting.done.done():  # the client is gone
            continue
        if error is None:
            waiting.done.set_result(None)
        else:
            waiting.done.set_exception(error)


def _unstorable(error: Exception) -> UnstorableError:
    if not isinstance(error, asyncpg.PostgresError):
        _LOGGER.error("could not handle a request", exc_info=error)
    return UnstorableError(f"the database refuses the data: {_line(error)}")


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
