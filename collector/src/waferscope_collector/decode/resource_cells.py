"""The cells that all rows of a resource and a scope share, encoded once."""

from dataclasses import dataclass
from functools import lru_cache

import msgspec
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from waferscope_collector import cells
from waferscope_collector.decode.attributes import plain_map, storable
from waferscope_collector.decode.fragments import jsonb, message
from waferscope_collector.decode.resource import Origin, origin

RESOURCE_COLUMNS = ("site", "service", "host", "resource")
SCOPE_COLUMNS = ("scope", "scope_version", "scope_attributes")

_SHORT = 8192  # bytes: longer resources are read each time


@dataclass(frozen=True, slots=True)
class Source:
    """What a resource says."""

    origin: Origin
    cells: bytes  # of `RESOURCE_COLUMNS`


def source(resource: bytes, site: str) -> Source:
    """Read a resource.

    Args:
        resource: Serialised.
        site: The site of telemetry that names none.

    Raises:
        BadAttributeError: It is not readable.
    """
    return _known_source(resource, site) if len(resource) <= _SHORT else _source(resource, site)


def scope_cells(scope: bytes) -> bytes:
    """Return the cells of `SCOPE_COLUMNS` of a serialised scope.

    Raises:
        BadAttributeError: It is not readable.
    """
    return _known_scope(scope) if len(scope) <= _SHORT else _scope(scope)


def _source(resource: bytes, site: str) -> Source:
    attributes = message(Resource, resource).attributes
    found = origin(attributes, site)
    json = msgspec.json.encode(plain_map(attributes))
    texts = map(cells.text, (found.site, found.service, found.host))
    return Source(found, b"".join((*texts, jsonb(json))))


def _scope(scope: bytes) -> bytes:
    found = message(InstrumentationScope, scope)
    attributes = plain_map(found.attributes)
    return b"".join(
        (
            cells.text(storable(found.name)),
            cells.text(storable(found.version)) if found.version else cells.NULL,
            jsonb(msgspec.json.encode(attributes)) if attributes else cells.NULL,
        )
    )


_known_source = lru_cache(maxsize=1024)(_source)
_known_scope = lru_cache(maxsize=1024)(_scope)
