"""Exemplars of OTLP points."""

import struct
from collections.abc import Callable, Sequence

import numpy as np
from google.protobuf.message import DecodeError, Message
from numpy.typing import NDArray
from opentelemetry.proto.metrics.v1 import metrics_pb2 as otlp

from waferscope_collector.decode.attributes import json_text, label_text, plain, storable
from waferscope_collector.decode.catalog import Request
from waferscope_collector.decode.names import label_name
from waferscope_collector.decode.points import NANOS_PER_MS, Exemplar

_TRACE_BYTES, _SPAN_BYTES = 16, 8
_MOST_TEXT = 4096  # bytes of the labels of one exemplar


def read(
    request: Request, points: NDArray[np.int64], having: NDArray[np.int64], of: Callable[[], Message], times: range
) -> tuple[Exemplar, ...]:
    """Read the exemplars of some points.

    Args:
        request: The request.
        points: The points that positions count in.
        having: Positions of those that have exemplars.
        of: Makes an empty message of the points' kind.
        times: The times that are accepted, Unix time in nanoseconds.

    Returns:
        The exemplars that have an acceptable time and a value; they are samples of what the point holds already, so
        nobody counts the others.
    """
    found: list[Exemplar] = []
    for position in having.tolist():
        try:
            message = request.message(int(points[position]), of)
        except DecodeError:
            continue
        given: Sequence[otlp.Exemplar] = message.exemplars  # type: ignore[attr-defined]
        timed = [exemplar for exemplar in given if exemplar.time_unix_nano in times]
        found += [_exemplar(position, exemplar, kind) for exemplar in timed if (kind := exemplar.WhichOneof("value"))]
    return tuple(found)


def _exemplar(position: int, exemplar: otlp.Exemplar, kind: str) -> Exemplar:
    labels = {label_name(storable(item.key)): label_text(plain(item.value)) for item in exemplar.filtered_attributes}
    text = json_text({name: value for name, value in sorted(labels.items()) if name and value})
    return Exemplar(
        point=position,
        time=exemplar.time_unix_nano // NANOS_PER_MS,
        value=float(getattr(exemplar, kind)),
        trace_id=exemplar.trace_id if len(exemplar.trace_id) == _TRACE_BYTES else None,
        span_id=exemplar.span_id if len(exemplar.span_id) == _SPAN_BYTES else None,
        labels=text if len(text) <= _MOST_TEXT else "{}",
    )


def double_bits(value: float) -> int:
    """Return the bits of a double."""
    found: int = struct.unpack("<Q", struct.pack("<d", value))[0]
    return found
