"""Arrays that grow, and slices of many ranges at once."""

from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

Scalar = TypeVar("Scalar", bound=np.generic)

_FIRST_CAPACITY = 1024


class GrowingArray(Generic[Scalar]):
    """A one-dimensional array with amortised appends.

    Args:
        dtype: Type of the elements.
    """

    __slots__ = ("_data", "_size")

    def __init__(self, dtype: DTypeLike) -> None:
        self._data: NDArray[Any] = np.zeros(_FIRST_CAPACITY, dtype)
        self._size = 0

    def __len__(self) -> int:
        return self._size

    @property
    def view(self) -> NDArray[Scalar]:
        """The elements so far; a view, valid until the next append."""
        return self._data[: self._size]

    def extend(self, values: NDArray[Any]) -> None:
        """Append many elements."""
        needed = self._size + len(values)
        if needed > len(self._data):
            grown = np.zeros(max(needed, 2 * len(self._data)), self._data.dtype)
            grown[: self._size] = self.view
            self._data = grown
        self._data[self._size : needed] = values
        self._size = needed

    def clear(self) -> None:
        """Forget all elements."""
        self._size = 0


def ranges(starts: NDArray[np.integer], counts: NDArray[np.integer]) -> NDArray[np.int64]:
    """Indices of many slices, one after the other.

    Args:
        starts: int[n], first index of each slice.
        counts: int[n], length of each slice.

    Returns:
        int64[sum(counts)]: starts[0], starts[0] + 1, ..., starts[1], ...
    """
    ends = np.cumsum(counts, dtype=np.int64)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total, dtype=np.int64) + np.repeat(starts - (ends - counts), counts)


def positions(wanted: NDArray[np.integer], known: NDArray[np.integer]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Where each wanted value stands among sorted known ones.

    Args:
        wanted: int[n].
        known: int[m], ascending.

    Returns:
        intp[n], an index into `known` (valid as an index wherever `known` isn't empty), and bool[n]: whether the value
        is really there.
    """
    if not len(known):
        return np.zeros(len(wanted), np.intp), np.zeros(len(wanted), np.bool_)
    found = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return found, known[found] == wanted
