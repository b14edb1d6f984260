"""The series of points that lie in the bytes of an OTLP request, read when somebody asks."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from typing import TypeVar

import numpy as np
from google.protobuf.message import DecodeError, Message
from numpy.typing import NDArray
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from waferscope_collector.decode import resource
from waferscope_collector.decode.attributes import Plain, label_text, plain, plain_map
from waferscope_collector.decode.context import Context
from waferscope_collector.decode.limits import LONG_KEY
from waferscope_collector.decode.names import metric_name
from waferscope_collector.decode.points import Family, Kind, Series
from waferscope_collector.decode.series import NO_TEXT, described, label_set
from waferscope_collector.wire import metrics as wire
from waferscope_collector.wire.metrics import Layout

M = TypeVar("M", bound=Message)

_TARGET_INFO = Family("target_info", "info", "", "Attributes of the source of telemetry")

_KINDS: dict[int, Kind] = {
    wire.GAUGE: "gauge",
    wire.SUM: "gauge",  # unless it is monotonic
    wire.HISTOGRAM: "histogram",
    wire.EXPONENTIAL: "histogram",
    wire.SUMMARY: "summary",
}


class Request:
    """The bytes of a request with their layout.

    Args:
        body: The request.
        layout: Where its parts are.
        context: Its surroundings.
    """

    def __init__(self, body: bytes, layout: Layout, context: Context) -> None:
        self.body = body
        self.layout = layout
        self.limits = context.limits
        self._site = context.site
        self._promoted = tuple(context.promoted)

    @cached_property
    def metric_of(self) -> NDArray[np.int64]:
        """The metric of each point."""
        metrics = self.layout.metrics
        return np.repeat(np.arange(len(metrics)), metrics[:, wire.LAST] - metrics[:, wire.FIRST])

    def resource(self, number: int) -> "Source":
        """Return what a resource says.

        Raises:
            DecodeError: It is no valid message.
        """
        begin, end = self.layout.resources[number].tolist()
        return _source(self.body[begin:end], self._site, self._promoted)

    def resource_of(self, metric: int) -> int:
        """Return the number of the resource that a metric belongs to."""
        return int(self.layout.scopes[self.layout.metrics[metric, wire.SCOPE], 2])

    def kind(self, metric: int) -> Kind:
        """Return what a metric is."""
        row = self.layout.metrics[metric]
        return "counter" if row[wire.KIND] == wire.SUM and row[wire.MONOTONIC] else _KINDS[int(row[wire.KIND])]

    def text(self, metric: int, column: int) -> str:
        """Return the name, unit or help of a metric."""
        begin, end = self.layout.metrics[metric, column : column + 2].tolist()
        return self.body[begin:end].decode()

    def message(self, point: int, of: Callable[[], M]) -> M:
        """Parse a point.

        Raises:
            DecodeError: It is no valid message.
        """
        begin, end = self.layout.points[point].tolist()
        parsed = of()
        parsed.ParseFromString(self.body[begin:end])
        return parsed


class Source:
    """What a resource says: its origin, and the labels that all its series get."""

    def __init__(self, attributes: dict[str, Plain], origin: resource.Origin, labels: dict[str, str]) -> None:
        self.attributes = attributes
        self.origin = origin
        self.labels = tuple((labels | dict(origin.target)).items())


@lru_cache(maxsize=16_384)
def _source(message: bytes, site: str, promoted: tuple[str, ...]) -> Source:
    parsed = Resource()
    parsed.ParseFromString(message)
    attributes = plain_map(parsed.attributes)
    return Source(attributes, resource.origin(parsed.attributes, site), resource.promoted(attributes, promoted, site))


class PointCatalog:
    """The series of a selection of a request's points.

    Args:
        request: The request.
        points: Which of its points.
        of: Makes an empty message of their kind.
    """

    def __init__(self, request: Request, points: NDArray[np.int64], of: Callable[[], Message]) -> None:
        self._request = request
        self._points = points
        self._of = of

    def series(self, position: int) -> Series | str:
        """Return the series of a point; a text says why it can't be stored."""
        return point_series(self._request, int(self._points[position]), self._of)


class InfoCatalog:
    """The series target_info of some resources.

    Args:
        request: The request.
        resources: Their numbers.
    """

    def __init__(self, request: Request, resources: Sequence[int]) -> None:
        self._request = request
        self._resources = resources

    def series(self, position: int) -> Series | str:
        """Return the series of a resource; a text says why it can't be stored."""
        source = self._request.resource(self._resources[position])
        labels = label_set(resource.target_info(source.attributes), source.labels)
        return described(_TARGET_INFO, labels, self._request.limits)


def point_series(
    request: Request, point: int, of: Callable[[], Message], suffix: str = "", quantile: str = ""
) -> Series | str:
    """Describe the series of a point, or of a part of a summary.

    Args:
        request: The request.
        point: Its number.
        of: Makes an empty message of its kind.
        suffix: Appended to the name.
        quantile: The label of that name.
    """
    metric = int(request.metric_of[point])
    try:
        source = request.resource(request.resource_of(metric))
        attributes = request.message(point, of).attributes  # type: ignore[attr-defined]
        kind, unit = request.kind(metric), request.text(metric, wire.UNIT)
        name = metric_name(request.text(metric, wire.NAME), unit, kind)
        text = request.text(metric, wire.HELP)
    except (DecodeError, UnicodeDecodeError):
        return NO_TEXT
    if not source.origin.fits:
        return LONG_KEY
    own = ((item.key, label_text(plain(item.value))) for item in attributes)
    fixed = (*source.labels, ("quantile", quantile)) if quantile else source.labels
    family = Family(f"{name}{suffix}" if name else "", kind, unit, text)
    series = described(family, label_set(own, fixed), request.limits)
    explicit = request.layout.metrics[metric, wire.KIND] == wire.HISTOGRAM
    return replace(series, classic=True) if explicit and isinstance(series, Series) else series
