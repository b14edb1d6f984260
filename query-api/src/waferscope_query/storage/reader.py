"""Samples of stored series from the database, as arrays."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from asyncpg.pool import PoolConnectionProxy
from numpy.typing import NDArray

from waferscope_query.promql import usage
from waferscope_query.promql.errors import TooManySamplesError
from waferscope_query.storage.classic import ClassicPoints, classic_points
from waferscope_query.storage.copied import parse_histograms, parse_starts
from waferscope_query.storage.native import NativeRuns, parse_native
from waferscope_query.storage.runs import Runs, parse_runs
from waferscope_query.storage.starts import NOTHING_TOLD, Starts
from waferscope_schemas import queries

_SQL = queries.load("waferscope_query")
# The years 1 to 9999, but for the first day: the driver sends its first instant as -infinity.
_MIN_MS, _MAX_MS = -62_135_510_400_000, 253_402_300_799_999


@dataclass(frozen=True, slots=True)
class Span:
    """What to read of series.

    Attributes:
        start_ms: First timestamp, inclusive.
        end_ms: Last timestamp, inclusive.
        max_samples: Rows at most.
    """

    start_ms: int
    end_ms: int
    max_samples: int


def instant(ms: int) -> datetime:
    """Give the time of a timestamp in milliseconds, held within the years 1 to 9999."""
    seconds, rest = divmod(max(_MIN_MS, min(ms, _MAX_MS)), 1000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest * 1000)


@asynccontextmanager
async def one_snapshot(connection: PoolConnectionProxy) -> AsyncIterator[None]:
    """Let all queries within see one state of the database."""
    transaction = connection.transaction(isolation="repeatable_read", readonly=True)
    await transaction.start()
    try:
        yield
    except asyncio.CancelledError:
        raise  # the connection ends with it, see Database.connection; a rollback would wait for the rest of a COPY
    except BaseException:
        await transaction.rollback()
        raise
    await transaction.rollback()


@asynccontextmanager
async def same_snapshot(connection: PoolConnectionProxy, snapshot: str) -> AsyncIterator[None]:
    """Let all queries within see the state that another transaction has exported."""
    async with one_snapshot(connection):
        await connection.execute(_SQL["import_snapshot"].format(snapshot=snapshot))
        yield


async def read_samples(
    connection: PoolConnectionProxy, series_ids: NDArray[np.int64], span: Span, *, most: bool = False
) -> Runs:
    """Read plain samples.

    Args:
        connection: An open connection.
        series_ids: int64[n], stored series, ascending.
        span: What to read of them.
        most: Whether they are most of all series: then the samples of all are read, which takes less than looking up
            each series.

    Returns:
        Their samples, duplicates collapsed.

    Raises:
        TooManySamplesError: There are more rows than allowed.
        MemoryLimitError: They are more than the query's share of memory holds.
        MemoryExhaustedError: Other queries have the memory.
    """
    data = await _copy(connection, "copy_all_samples" if most else "copy_samples", series_ids, span)
    return await asyncio.to_thread(parse_runs, data, series_ids)


async def read_histograms(
    connection: PoolConnectionProxy, series_ids: NDArray[np.int64], span: Span
) -> list[ClassicPoints]:
    """Read explicit-bucket histograms; arguments and errors as `read_samples`, grouped by bounds."""
    data = await _copy(connection, "copy_histograms", series_ids, span)
    return await asyncio.to_thread(lambda: classic_points(parse_histograms(data)))


async def read_natives(connection: PoolConnectionProxy, series_ids: NDArray[np.int64], span: Span) -> NativeRuns:
    """Read histograms of any schema as they are; arguments and errors as `read_samples`."""
    if not await connection.fetchval(_SQL["any_histograms"], instant(span.start_ms), instant(span.end_ms)):
        return parse_native(b"", span.max_samples)
    data = await _copy(connection, "copy_native_histograms", series_ids, span)
    return await asyncio.to_thread(parse_native, data, span.max_samples)


async def read_starts(connection: PoolConnectionProxy, series_ids: NDArray[np.int64], span: Span) -> Starts:
    """Read when plain series began to count; arguments and errors as `read_samples`."""
    if not await connection.fetchval(_SQL["any_start_times"]):
        return NOTHING_TOLD
    return Starts(*parse_starts(await _copy(connection, "copy_start_times", series_ids, span)))


async def _copy(connection: PoolConnectionProxy, name: str, series_ids: NDArray[np.int64], span: Span) -> bytes:
    sql = _SQL[name].format(
        series=",".join(map(str, series_ids.tolist())),
        start=instant(span.start_ms).isoformat(),
        end=instant(span.end_ms).isoformat(),
        limit=span.max_samples + 1,
    )
    return await copy_rows(connection, sql, span.max_samples)


async def copy_rows(connection: PoolConnectionProxy, sql: str, max_rows: int) -> bytes:
    """Read what a query answers, as binary COPY sends it; errors as `read_samples`."""
    used, chunks, fits = usage.current(), list[bytes](), True

    async def keep(chunk: bytes) -> None:  # must not raise: asyncpg would wait for the rest of the answer forever
        nonlocal fits
        fits = fits and used.fits_passing(len(chunk))
        if fits:
            chunks.append(chunk)
        else:
            chunks.clear()

    status = await connection.copy_from_query(sql, output=keep, format="binary")
    rows, size = int(status.removeprefix("COPY ")), sum(map(len, chunks))
    if rows > max_rows:
        raise TooManySamplesError
    if not fits:
        used.refuse()
    used.from_database(rows, size)
    return await asyncio.to_thread(b"".join, chunks)
