"""Attributes as fragments of JSON: most come again and again, so their bytes are looked up instead of taken apart."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeVar

import msgspec
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from waferscope_collector import cells
from waferscope_collector.decode.attributes import Plain, label_text, plain, plain_map, storable
from waferscope_collector.decode.typed import BadAttributeError

TOO_MANY = "with more than 500,000 attributes, events or links"
TOO_LONG = "with attributes or a body of more than 32 MiB of JSON"
UNREADABLE = "with text that is no UTF-8, or values that are malformed or nested too deeply"

M = TypeVar("M", bound=Message)

_SHORT = 128  # bytes: longer attributes are not kept
_ENTRIES = 16_384  # of a generation
_MOST_PARTS = 500_000  # attributes, events or links of a record
_MOST_JSON = 32 * 1024 * 1024  # bytes; PostgreSQL can't build a jsonb of 2**24 elements, each of which takes two


class Named(NamedTuple):
    """An attribute that has a column of its own."""

    key: str
    text: str
    cell: bytes  # of a text column; an empty text is null


class _Fragment(NamedTuple):
    json: bytes  # "key":value
    named: Named | None


class Fragments:
    """Reads attributes, and remembers those that are short and no measured values.

    A full generation becomes the older one: what is used comes over into the next, what came once goes with it.
    """

    def __init__(self, named: Iterable[str]) -> None:
        """Begin with nothing.

        Args:
            named: Keys of attributes that have columns of their own.
        """
        self._named = frozenset(named)
        self._known: dict[bytes, _Fragment] = {}
        self._older: dict[bytes, _Fragment] = {}

    def read(self, attributes: Sequence[bytes]) -> tuple[bytes, dict[str, Named]]:
        """Read attributes.

        Args:
            attributes: Serialised, of OTLP's type KeyValue.

        Returns:
            The cell of a jsonb column with all of them, and those that have columns of their own.

        Raises:
            BadAttributeError: One is not readable.
        """
        few(attributes)
        get = self._known.get
        fragments: list[bytes] = []
        named: dict[str, Named] = {}
        for item in attributes[:]:  # a slice is a list: protobuf's own container is slow to iterate
            json, name = get(item) or self._learn(item)
            fragments.append(json)
            if name is not None:
                named[name.key] = name
        return jsonb(b"{%s}" % b",".join(fragments)), named

    def _learn(self, item: bytes) -> _Fragment:
        if (fragment := self._older.get(item)) is None:
            attribute = message(KeyValue, item)
            key, value = storable(attribute.key), plain(attribute.value)
            named = _named(key, label_text(value)) if key in self._named else None
            fragment = _Fragment(b"%s:%s" % (msgspec.json.encode(key), msgspec.json.encode(value)), named)
            if isinstance(value, float) or len(item) > _SHORT:
                return fragment
        if len(self._known) >= _ENTRIES:
            self._older, self._known = self._known, {}
        self._known[item] = fragment
        return fragment


def few(items: Sequence[bytes]) -> None:
    """Refuse more attributes, events or links than a record can be stored with, before they take room.

    Raises:
        BadAttributeError: There are.
    """
    if len(items) > _MOST_PARTS:
        raise BadAttributeError(TOO_MANY)


def jsonb(json: bytes) -> bytes:
    """Encode a cell of a jsonb column.

    Raises:
        BadAttributeError: It is longer than PostgreSQL can surely store.
    """
    if len(json) > _MOST_JSON:
        raise BadAttributeError(TOO_LONG)
    return cells.json(json)


def attribute_map(attributes: Sequence[bytes]) -> dict[str, Plain]:
    """Turn serialised attributes into a mapping; of a repeated key the last value stays.

    Raises:
        BadAttributeError: One is not readable.
    """
    few(attributes)
    if sum(map(len, attributes)) > _MOST_JSON:
        raise BadAttributeError(TOO_LONG)
    return plain_map(message(KeyValue, item) for item in attributes)


def _named(key: str, text: str) -> Named:
    return Named(key, text, cells.text(text) if text else cells.NULL)


def message(kind: type[M], body: bytes) -> M:
    """Parse a message that is part of a record.

    Raises:
        BadAttributeError: It is not readable.
    """
    try:
        return kind.FromString(body)
    except DecodeError as error:
        raise BadAttributeError(UNREADABLE) from error
