"""Prometheus remote write, 1.0 and 2.0, to arrays of points.

Labels stay as they are: no name is changed and no site is added.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from waferscope_collector.decode.attributes import json_text, storable
from waferscope_collector.decode.builders import HistogramsBuilder
from waferscope_collector.decode.context import Context
from waferscope_collector.decode.limits import FUTURE, TOO_OLD, Limits, Rejects
from waferscope_collector.decode.native_histograms import native_histogram
from waferscope_collector.decode.points import (
    NANOS_PER_MS,
    Exemplar,
    Family,
    Kind,
    Metrics,
    Numbers,
    Part,
    Series,
)
from waferscope_collector.decode.remote_write_messages import V1, V2
from waferscope_collector.decode.series import NO_TEXT, described
from waferscope_collector.decode.usual import usual
from waferscope_collector.errors import MalformedError
from waferscope_collector.wire.metrics import OddError
from waferscope_collector.wire.numbers import STALE
from waferscope_collector.wire.remote_write import OTHERS, Written, written

Version = Literal[1, 2]

# The second day of the year 1: the database and Python can both say it, and the first instant of the first day is what
# the driver writes as minus infinity.
EARLIEST_MS = -62_135_510_400_000
_TRACE_BYTES, _SPAN_BYTES = 16, 8
_KINDS: tuple[Kind, ...] = (
    *("unknown", "counter", "gauge", "histogram", "histogram", "summary", "info", "stateset"),
)  # by their number in remote write; a gauge histogram is a histogram

UNSORTED = "whose labels are not sorted by name, or repeat one"
NO_NAME = "without the label __name__"
NO_LABEL = "with a label that has no name or no value"
TOO_EARLY = "before 2 January of the year 1"

Labels = list[tuple[str, str]]


def decode(body: bytes, context: Context, *, version: Version) -> Metrics:
    """Decode a request.

    Args:
        body: A WriteRequest (1.0) or Request (2.0), decompressed.
        context: Its surroundings; its rejects count the samples that can't be stored.
        version: Of the protocol.

    Returns:
        The samples that can be stored.

    Raises:
        MalformedError: The body is no such request.
    """
    try:
        return _decode(body, context, version)
    except OddError:
        return _decode(_usual(body, version), context, version)


def _usual(body: bytes, version: Version) -> bytes:
    return usual(body, V1["WriteRequest"] if version == 1 else V2["Request"], f"of remote write {version}.0")


def _decode(body: bytes, context: Context, version: Version) -> Metrics:
    data = np.frombuffer(body, np.uint8)
    try:
        found = written(data, version, context.seed)
    except OddError:
        if body == _usual(body, version):  # nothing to rewrite: a reference leads nowhere
            raise MalformedError("the body refers to symbols that it does not hold") from None
        raise
    request = _Request(body, found, version, context.limits)
    rejects = Rejects(context.rejects.noun)
    parts = [part for part in (_numbers(request, context, rejects), *_others(request, context, rejects)) if part]
    families = tuple(request.families())
    context.rejects.take(rejects)
    return Metrics(tuple(parts), families=families)


class _Request:
    """The bytes of a request with what was found in them."""

    def __init__(self, body: bytes, found: Written, version: Version, limits: Limits) -> None:
        self.limits = limits
        self.body = body
        self.found = found
        self.version = version

    def message(self, series: int) -> Any:
        """Parse a series."""
        begin, end = self.found.series[series, :2].tolist()
        message = (V1 if self.version == 1 else V2)["TimeSeries"]()
        try:
            message.ParseFromString(self.body[begin:end])
        except DecodeError as error:
            raise OddError from error
        return message

    def symbol(self, reference: int) -> str:
        """Return a symbol of 2.0; what refers to none is empty.

        Raises:
            UnicodeDecodeError: It is no text.
        """
        if not 0 <= reference < len(self.found.symbols):
            return ""
        begin, end = self.found.symbols[reference].tolist()
        return self.body[begin:end].decode()

    def labels(self, message: Any) -> Labels:
        """Return the labels of a series or exemplar as they were sent.

        Raises:
            UnicodeDecodeError: One is no text.
        """
        if self.version == 1:
            return [(label.name, label.value) for label in message.labels]
        texts = [self.symbol(reference) for reference in message.labels_refs]
        return list(zip(texts[::2], texts[1::2], strict=False))

    def told(self, message: Any) -> Family:
        """Return what a series says of its metric, but for the name."""
        if self.version == 1 or not message.HasField("metadata"):
            return Family("", "unknown", "", "")
        metadata = message.metadata
        return Family("", _kind(metadata.type), self.symbol(metadata.unit_ref), self.symbol(metadata.help_ref))

    def families(self) -> list[Family]:
        """Return what 1.0 says of metrics, beside the series."""
        found = []
        for begin, end in self.found.rest.tolist():
            metadata = V1["Metadata"]()
            try:
                metadata.ParseFromString(self.body[begin:end])
            except DecodeError as error:
                raise OddError from error
            name, unit, text = (storable(metadata.metric_family_name), storable(metadata.unit), storable(metadata.help))  # type: ignore[attr-defined]
            found.append(Family(name, _kind(metadata.type), unit, text))  # type: ignore[attr-defined]
        return found


def _kind(number: int) -> Kind:
    return _KINDS[number] if 0 <= number < len(_KINDS) else "unknown"


class _Catalog:
    """The series of some samples."""

    def __init__(self, request: _Request, series_of: Sequence[int] | NDArray[np.int64], *, histograms: bool) -> None:
        self._request = request
        self._series_of = series_of
        self._histograms = histograms

    def series(self, position: int) -> Series | str:
        """Return the series of a sample; a text says why it can't be stored."""
        try:
            message = self._request.message(int(self._series_of[position]))
            labels, told = self._request.labels(message), self._request.told(message)
        except (OddError, UnicodeDecodeError):
            return NO_TEXT
        kind: Kind = "histogram" if self._histograms else "counter" if told.kind == "histogram" else told.kind
        return _series(labels, replace(told, kind=kind), self._request.limits)


def _series(labels: Labels, told: Family, limits: Limits) -> Series | str:
    names = [name for name, _ in labels]
    if any(not a < b for a, b in pairwise(names)):
        return UNSORTED
    if any(not name or not value for name, value in labels):
        return NO_LABEL
    known = {storable(name): storable(value) for name, value in labels}
    metric = known.pop("__name__", "")
    if not metric:
        return NO_NAME
    return described(replace(told, name=metric), known, limits)


def _numbers(request: _Request, context: Context, rejects: Rejects) -> Part | None:
    found = request.found
    if not len(found.times):
        return None
    series_of = found.sample_of
    starts = np.where(found.starts, found.starts, found.series[series_of, 2])
    starts = np.clip(starts, 0, context.latest // NANOS_PER_MS)
    points = Numbers(
        keys=found.keys[series_of],
        catalog=_Catalog(request, series_of, histograms=False),
        usable=_usable(found.times, context, rejects),
        times=found.times,
        starts=starts,
        values=found.values,
        starting=(found.values.view(np.uint64) != STALE) & (request.version == 2),  # noqa: PLR2004, 1.0 tells none
    )
    return Part(points, delta=False)


def _usable(times: NDArray[np.int64], context: Context, rejects: Rejects) -> NDArray[np.bool_]:
    """Tell which times can be stored, and count the others."""
    late, early = times > context.latest // NANOS_PER_MS, times < EARLIEST_MS
    old = (times < _oldest(context, "sample")) & ~early
    for reason, bad in ((FUTURE, late), (TOO_EARLY, early), (TOO_OLD, old)):
        if bad.any():
            rejects.add(reason, int(np.count_nonzero(bad)))
    usable: NDArray[np.bool_] = ~(late | early | old)
    return usable


def _oldest(context: Context, table: str) -> int:
    """Return the first time that a table takes in, Unix time in ms."""
    oldest = context.oldest[table]
    return oldest // NANOS_PER_MS if oldest else EARLIEST_MS


def _others(request: _Request, context: Context, rejects: Rejects) -> list[Part]:
    """Read histograms and exemplars, series by series."""
    builder, series_of = HistogramsBuilder(), []
    having = np.flatnonzero(request.found.series[:, OTHERS]).tolist()
    exemplars: list[tuple[int, Exemplar]] = []
    for number in having:
        message = request.message(number)
        high, low = request.found.keys[number].tolist()
        created = int(request.found.series[number, 2])
        for sent in message.histograms:
            if sent.timestamp > context.latest // NANOS_PER_MS:
                rejects.add(FUTURE)
            elif sent.timestamp < _oldest(context, "histogram_sample"):
                rejects.add(TOO_OLD if sent.timestamp >= EARLIEST_MS else TOO_EARLY)
            elif isinstance(point := native_histogram(sent), str):
                rejects.add(point)
            else:
                start = max(sent.start_timestamp or created, 0)
                builder.add((high, low), sent.timestamp, start, point)
                series_of.append(number)
        exemplars += [(number, found) for sent in message.exemplars if (found := _exemplar(request, sent, context))]
    parts = []
    if len(builder):
        parts.append(Part(builder.finish(_Catalog(request, series_of, histograms=True)), delta=False))
    return parts + ([_with_exemplars(request, exemplars)] if exemplars else [])


def _with_exemplars(request: _Request, exemplars: Sequence[tuple[int, Exemplar]]) -> Part:
    """Return exemplars as those of points that are there for their series only."""
    numbers = np.array([number for number, _ in exemplars], np.int64)
    none = np.zeros(len(numbers), np.int64)
    points = Numbers(
        keys=request.found.keys[numbers],
        catalog=_Catalog(request, numbers, histograms=False),
        usable=np.ones(len(numbers), np.bool_),
        times=none,
        starts=none,
        values=none.astype(np.float64),
        starting=none != 0,
    )
    placed = tuple(replace(found, point=position) for position, (_, found) in enumerate(exemplars))
    return Part(points, delta=False, exemplars=placed, carrier=True)


def _exemplar(request: _Request, sent: Any, context: Context) -> Exemplar | None:
    try:
        labels = {storable(name): storable(value) for name, value in request.labels(sent)}
    except UnicodeDecodeError:
        return None
    if not _oldest(context, "exemplar") <= sent.timestamp <= context.latest // NANOS_PER_MS:
        return None
    trace_id = _hex(labels.get("trace_id", ""), _TRACE_BYTES)
    span_id = _hex(labels.get("span_id", ""), _SPAN_BYTES)
    rest = {
        name: value
        for name, value in sorted(labels.items())
        if not (name == "trace_id" and trace_id) and not (name == "span_id" and span_id)
    }
    return Exemplar(0, sent.timestamp, sent.value, trace_id, span_id, json_text(dict(rest)))


def _hex(text: str, size: int) -> bytes | None:
    try:
        found = bytes.fromhex(text)
    except ValueError:
        return None
    return found if len(found) == size else None
