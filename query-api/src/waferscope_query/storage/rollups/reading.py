"""Rows of rollups by binary COPY, as arrays."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from asyncpg.pool import PoolConnectionProxy
from numpy.typing import NDArray

from waferscope_query.promql.history import HOUR_MS, RollupSelection
from waferscope_query.storage.classic import ClassicPoints, classic_points
from waferscope_query.storage.copied import HEADER_BYTES, milliseconds, parse_histograms
from waferscope_query.storage.native import NativeRuns, parse_native
from waferscope_query.storage.reader import copy_rows, instant
from waferscope_schemas import queries

_SQL = queries.load("waferscope_query")
_GAUGE, _UNKNOWN = 3, 0  # reset hints


@dataclass(frozen=True, slots=True)
class Buckets:
    """Which buckets of which table to read.

    Attributes:
        table: Without schema and suffix.
        start_ms: Start of the first.
        end_ms: End of the last.
        max_rows: Rows at most.
    """

    table: str
    start_ms: int
    end_ms: int
    max_rows: int

    @classmethod
    def of(cls, selection: RollupSelection, max_rows: int) -> "Buckets":
        """Those that a selection needs."""
        table = "rollup_1h" if selection.bucket_ms == HOUR_MS else "rollup_5m"
        return cls(table, selection.start_ms, selection.end_ms, max_rows)


@dataclass(frozen=True, slots=True)
class Part:
    """Which of the two histograms of a row to read, and what for.

    Attributes:
        column: `last` or `increase`.
        ts: Whose time counts: `last_ts` or `bucket`.
        counted: Whether its count is to be that of the samples in the bucket.
    """

    column: str
    ts: str
    counted: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Rows of rollups of numbers, unordered.

    Attributes:
        series: int64[n], stored series ids.
        ts: int64[n], ms.
        columns: float64[k, n]; times in ms.
    """

    series: NDArray[np.int64]
    ts: NDArray[np.int64]
    columns: NDArray[np.float64]


async def read_numbers(
    connection: PoolConnectionProxy,
    series_ids: NDArray[np.int64],
    buckets: Buckets,
    ts: str,
    columns: Sequence[str],
    *,
    previous: bool = False,
) -> Rows:
    """Read rollups of numbers.

    Args:
        connection: An open connection.
        series_ids: int64[n], stored series.
        buckets: Which to read.
        ts: The column whose time counts.
        columns: The columns to read.
        previous: Whether to read of each series the last bucket before these as well.

    Raises:
        TooManySamplesError: There are more rows than allowed.
    """
    names = {
        "columns": ", ".join(column if column.endswith("_ts") else f"{column}::float8" for column in columns),
        "previous": ", ".join(f"p.{column}" for column in columns),
        "ts": ts,
    }
    name = "copy_rollups_with_previous" if previous else "copy_rollups"
    more_rows = len(series_ids) if previous else 0
    data = await copy_rows(connection, _text(name, series_ids, buckets, names), buckets.max_rows + more_rows)
    return await asyncio.to_thread(_parse, data, columns)


async def read_classic(
    connection: PoolConnectionProxy, series_ids: NDArray[np.int64], buckets: Buckets, part: Part
) -> list[ClassicPoints]:
    """Read explicit-bucket histograms out of rollups; errors as `read_numbers`, grouped by bounds."""
    sql = _text("copy_rollup_histograms", series_ids, buckets, _histogram_names(buckets, part))
    data = await copy_rows(connection, sql, buckets.max_rows)
    return await asyncio.to_thread(lambda: classic_points(parse_histograms(data)))


async def read_natives(
    connection: PoolConnectionProxy, series_ids: NDArray[np.int64], buckets: Buckets, part: Part
) -> NativeRuns:
    """Read histograms of any schema out of rollups; errors as `read_numbers`."""
    sql = _text("copy_rollup_natives", series_ids, buckets, _histogram_names(buckets, part))
    data = await copy_rows(connection, sql, buckets.max_rows)
    return await asyncio.to_thread(parse_native, data, buckets.max_rows)


async def holds_histograms(connection: PoolConnectionProxy, series_ids: NDArray[np.int64], buckets: Buckets) -> bool:
    """Tell whether there are rollups of histograms of any of the series."""
    sql = _SQL["any_rollup_histograms"].format(table=f"{buckets.table}_histogram")
    found: bool = await connection.fetchval(
        sql, series_ids.tolist(), instant(buckets.start_ms), instant(buckets.end_ms)
    )
    return found


def _histogram_names(buckets: Buckets, part: Part) -> dict[str, str]:
    return {
        "table": f"{buckets.table}_histogram",
        "histogram": part.column,
        "ts": part.ts,
        "count": "r.samples::float8 as count" if part.counted else "(r.h).count",
        "hint": str(_GAUGE if part.column == "increase" else _UNKNOWN),
    }


def _text(name: str, series_ids: NDArray[np.int64], buckets: Buckets, names: dict[str, str]) -> str:
    values = {
        "table": buckets.table,
        "series": ",".join(map(str, series_ids.tolist())),
        "start": instant(buckets.start_ms).isoformat(),
        "end": instant(buckets.end_ms - 1).isoformat(),
        "limit": buckets.max_rows + 1,
    }
    return _SQL[name].format_map(values | names)


def _parse(data: bytes, columns: Sequence[str]) -> Rows:
    """Parse rows whose fields are all eight bytes long."""
    fields: list[tuple[str, str]] = [
        ("fields", ">i2"),
        ("l_series", ">i4"),
        ("series", ">i8"),
        ("l_ts", ">i4"),
        ("ts", ">i8"),
    ]
    for number, column in enumerate(columns):
        fields += [(f"l{number}", ">i4"), (f"c{number}", ">i8" if column.endswith("_ts") else ">f8")]
    layout = np.dtype(fields)
    rows = np.frombuffer(data, layout, count=(len(data) - HEADER_BYTES) // layout.itemsize, offset=HEADER_BYTES)
    values = np.empty((len(columns), len(rows)))
    for number, column in enumerate(columns):
        read = rows[f"c{number}"]
        values[number] = milliseconds(read) if column.endswith("_ts") else read
    return Rows(rows["series"].astype(np.int64), milliseconds(rows["ts"]), values)
