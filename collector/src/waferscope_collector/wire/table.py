"""A hash table of series in arrays: from a key of 128 bits to an id and a start.

Open addressing with linear steps; keys are hashes already. A slot whose first half of the key is 0 is free.
"""

import numpy as np
from numpy.typing import NDArray

from waferscope_collector.wire.compiling import kernel

Keys = NDArray[np.uint64]
Numbers = NDArray[np.int64]


@kernel
def find(slots: Keys, keys: Keys) -> Numbers:
    """Return the slot of each key, -1 where there is none.

    Args:
        slots: (a power of two, 2).
        keys: (keys, 2).
    """
    mask = np.int64(len(slots) - 1)
    found = np.empty(len(keys), np.int64)
    for index in range(len(keys)):
        first, second = keys[index, 0], keys[index, 1]
        at = np.int64(first) & mask
        while slots[at, 0] and (slots[at, 0] != first or slots[at, 1] != second):
            at = (at + 1) & mask
        found[index] = at if slots[at, 0] else -1
    return found


@kernel
def insert(slots: Keys, keys: Keys) -> tuple[Numbers, int]:
    """Enter keys that may be there already; there must be room.

    Returns:
        The slot of each, and how many were not there.
    """
    mask = np.int64(len(slots) - 1)
    found = np.empty(len(keys), np.int64)
    new = 0
    for index in range(len(keys)):
        first, second = keys[index, 0], keys[index, 1]
        at = np.int64(first) & mask
        while slots[at, 0] and (slots[at, 0] != first or slots[at, 1] != second):
            at = (at + 1) & mask
        if not slots[at, 0]:
            slots[at, 0], slots[at, 1] = first, second
            new += 1
        found[index] = at
    return found, new
