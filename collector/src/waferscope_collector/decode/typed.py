"""Attributes read by their names with the type that the conventions give them."""

from collections.abc import Mapping

from waferscope_collector.decode.attributes import Plain, label_text
from waferscope_collector.decode.limits import LONG_KEY, within_key

INT4_MAX = 2**31 - 1
INT8_MAX = 2**63 - 1
MOST, LEAST = 1e15, 1e-15  # of numbers: far beyond what is measured; less counts as zero


class BadAttributeError(ValueError):
    """An attribute does not have the type that the conventions give it; the text continues "1 log record …"."""


class Typed:
    """Reads attributes, and remembers which ones were asked for."""

    def __init__(self, attributes: Mapping[str, Plain]) -> None:
        self._attributes = attributes
        self._read: set[str] = set()

    def rest(self) -> dict[str, Plain]:
        """Return the attributes that nobody has asked for: what the author added."""
        return {key: value for key, value in self._attributes.items() if key not in self._read}

    def text(self, key: str) -> str | None:
        """Read a text; other types are written as text, an empty one stands for none."""
        return label_text(self._get(key)) or None

    def key(self, key: str) -> str | None:
        """Read a text that becomes part of an index.

        Raises:
            BadAttributeError: It is too long.
        """
        found = self.text(key)
        if found is not None and not within_key(found):
            raise BadAttributeError(LONG_KEY)
        return found

    def integer(self, key: str, *, most: int = INT4_MAX) -> int | None:
        """Read a whole number from 0 to `most`.

        Raises:
            BadAttributeError: It is none.
        """
        match self._get(key):
            case None:
                return None
            case bool():
                pass
            case int() | float() as found if 0 <= found <= most and found == int(found):
                return int(found)
        raise BadAttributeError(f"whose {key} is no whole number from 0 to {most}")

    def number(self, key: str) -> float | None:
        """Read a number that SQL can count with: it refuses what leaves the range of a double.

        Raises:
            BadAttributeError: It is none, or greater than anything that is measured.
        """
        match self._get(key):
            case None:
                return None
            case bool():
                pass
            case int() | float() as found if abs(found) <= MOST:
                return float(found) if abs(found) >= LEAST else 0.0
        raise BadAttributeError(f"whose {key} is no number from {-MOST:g} to {MOST:g}")

    def _get(self, key: str) -> Plain:
        self._read.add(key)
        return self._attributes.get(key)
