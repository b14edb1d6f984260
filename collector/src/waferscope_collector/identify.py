"""Identify: from the identity of a point to the id of its series, by a cache of identity bytes.

Missing series are created before the commit, in short transactions of their own and in the order of their fingerprints:
two writers can't deadlock over them, and the ids that enter the cache belong to committed rows.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import repeat

import numpy as np
from asyncpg.pool import PoolConnectionProxy
from numpy.typing import NDArray
from opentelemetry.proto.metrics.v1.metrics_pb2 import NumberDataPoint

from waferscope_collector.decode.attributes import json_text, label_text, plain, storable
from waferscope_collector.decode.limits import LABEL_BYTES, LABELS, within_key
from waferscope_collector.decode.names import label_name
from waferscope_collector.decode.points import Histograms, Metric, Numbers
from waferscope_collector.decode.records import instant
from waferscope_schemas import queries

_SQL = queries.load("waferscope_collector")

UNKNOWN, REFUSED = 0, -1  # stand for ids that are not there yet, and for series that can't be stored
REFUSED_REASON = (
    f"with more than {LABELS} labels, labels that are too long, or attributes whose names have no ASCII letter or digit"
)


@dataclass(frozen=True, slots=True)
class Missing:
    """A point whose series is not in the cache."""

    metric: Metric
    identity: bytes
    time: int  # Unix time, ns


@dataclass(frozen=True, slots=True)
class Series:
    """A row of the table series, and where the start of its first sample is known."""

    fingerprint: bytes
    metric: Metric
    labels: str  # JSON
    start: int  # Unix time, ns; 0: unknown
    time: int  # Unix time, ns


class SeriesCache:
    """Knows the ids of the series that were seen lately."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._size = 0
        self._ids: dict[Metric, dict[bytes, int]] = {}

    def __len__(self) -> int:
        return self._size

    def look_up(self, points: Numbers | Histograms) -> NDArray[np.int64]:
        """Return the series id of each point; `UNKNOWN` where the cache has none."""
        found: list[int] = []
        for stream in points.streams:
            known = self._ids.get(stream.metric)
            if known is None:
                found.extend(repeat(UNKNOWN, stream.end - stream.begin))
            else:
                found.extend(map(known.get, points.identities[stream.begin : stream.end], repeat(UNKNOWN)))
        return np.array(found, np.int64)

    def put(self, ids: Mapping[tuple[Metric, bytes], int]) -> None:
        """Remember ids. A full cache is emptied: what is alive comes back with the next requests."""
        if self._size + len(ids) > self._capacity:
            self._ids.clear()
            self._size = 0
        for (metric, identity), series_id in ids.items():
            known = self._ids.setdefault(metric, {})
            self._size += identity not in known
            known[identity] = series_id


def missing(points: Numbers | Histograms, ids: NDArray[np.int64]) -> list[Missing]:
    """Return the points without an id, one for each identity."""
    if ids.all():
        return []
    found: dict[tuple[Metric, bytes], Missing] = {}
    for stream in points.streams:
        for position in (np.flatnonzero(ids[stream.begin : stream.end] == UNKNOWN) + stream.begin).tolist():
            identity = points.identities[position]
            if (stream.metric, identity) not in found:
                found[stream.metric, identity] = Missing(stream.metric, identity, int(points.times[position]))
    return list(found.values())


def describe(point: Missing) -> Series | None:
    """Read the series of a point from its identity; None when it can't be stored."""
    message = NumberDataPoint.FromString(point.identity)
    labels = label_set(((item.key, label_text(plain(item.value))) for item in message.attributes), point.metric.labels)
    if len(labels) > LABELS or any(
        not name or not within_key(name) or len(value.encode()) > LABEL_BYTES for name, value in labels.items()
    ):
        return None
    return Series(
        fingerprint=fingerprint(point.metric.name, labels),
        metric=point.metric,
        labels=json_text(dict(labels)),
        start=message.start_time_unix_nano,
        time=point.time,
    )


def label_set(attributes: Iterable[tuple[str, str]], fixed: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Build a label set, sorted by name and without empty labels.

    Attributes that share a label name have their values joined by ";" in the order of the original names
    (OpenTelemetry specification, Prometheus and OpenMetrics compatibility, "Metric Attributes"). The attributes of a
    point stand before those of its resource, but for job and instance. Attributes that no label can be named after are
    under the empty name.
    """
    given = dict(fixed)
    own: dict[str, str] = {}
    for key, value in sorted(attributes):
        name = label_name(storable(key))
        if value:
            own[name] = f"{own[name]};{value}" if name in own else value
    kept = {name: value for name, value in given.items() if name in ("job", "instance", "quantile")}
    return dict(sorted((given | own | kept).items()))


def fingerprint(metric: str, labels: Mapping[str, str]) -> bytes:
    """Digest a metric's name and its sorted labels; no part holds U+0000, so it can part them."""
    parts = (metric, *(text for pair in sorted(labels.items()) for text in pair))
    return hashlib.sha256("\0".join(parts).encode()).digest()[:16]


@dataclass(frozen=True, slots=True)
class Created:
    """What `create` found or made."""

    ids: Mapping[tuple[Metric, bytes], int]  # by metric and identity; `REFUSED` for what can't be stored
    new: int  # series that were not there


async def create(conn: PoolConnectionProxy, described: Sequence[tuple[Missing, Series | None]]) -> Created:
    """Create the series that are not there.

    Args:
        conn: A connection outside of a transaction.
        described: Points without an id, with their series.

    Returns:
        The id of each.
    """
    series = {item.fingerprint: item for _, item in described if item is not None}
    ids = await _select(conn, list(series))
    absent = [series[key] for key in sorted(series.keys() - ids.keys())]
    created = await conn.fetch(_SQL["insert_series"], *_columns(absent)) if absent else []
    ids |= {row["fingerprint"]: row["series_id"] for row in created}
    if len(ids) < len(series):  # another writer was faster
        ids |= await _select(conn, list(series.keys() - ids.keys()))
    await _enter_starts(conn, [(ids[item.fingerprint], item) for _, item in described if item is not None])
    found = {
        (point.metric, point.identity): REFUSED if item is None else ids[item.fingerprint] for point, item in described
    }
    return Created(found, len(created))


def _columns(series: list[Series]) -> tuple[list[bytes | str], ...]:
    rows = [
        (item.fingerprint, item.metric.name, item.labels, item.metric.kind, item.metric.unit, item.metric.help)
        for item in series
    ]
    return tuple(map(list, zip(*rows, strict=True)))


async def _select(conn: PoolConnectionProxy, fingerprints: list[bytes]) -> dict[bytes, int]:
    rows = await conn.fetch(_SQL["select_series"], fingerprints)
    return {row["fingerprint"]: row["series_id"] for row in rows}


async def _enter_starts(conn: PoolConnectionProxy, series: list[tuple[int, Series]]) -> None:
    """Store the start timestamps that are new: a start is part of an identity, so each comes by here."""
    starts = [
        (series_id, instant_ms(item.time), instant_ms(item.start))
        for series_id, item in series
        if 0 < item.start < 2**63
    ]
    if starts:
        await conn.execute(_SQL["insert_start_times"], *map(list, zip(*sorted(set(starts)), strict=True)))


def instant_ms(unix_nano: int) -> datetime:
    """Return a time in UTC, cut to the milliseconds that samples are stored with."""
    return instant(unix_nano // 1_000_000 * 1_000_000)
