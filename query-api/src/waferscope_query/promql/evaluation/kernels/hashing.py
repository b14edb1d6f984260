"""XXH64 (github.com/Cyan4973/xxHash, seed 0) of many byte strings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from waferscope_query.promql.evaluation.kernels.compiling import kernel
from waferscope_query.promql.evaluation.kernels.types import Ints

_P1 = np.uint64(0x9E3779B185EBCA87)
_P2 = np.uint64(0xC2B2AE3D27D4EB4F)
_P3 = np.uint64(0x165667B19E3779F9)
_P4 = np.uint64(0x85EBCA77C2B2AE63)
_P5 = np.uint64(0x27D4EB2F165667C5)
_SEED_1 = np.uint64((0x9E3779B185EBCA87 + 0xC2B2AE3D27D4EB4F) % 2**64)
_SEED_4 = np.uint64(2**64 - 0x9E3779B185EBCA87)
_STRIPE = 32

Bytes = NDArray[np.uint8]


@kernel
def rotated(value: np.uint64, by: int) -> np.uint64:
    """The bits moved to the left, those that fall out coming in again."""
    return np.uint64((value << np.uint64(by)) | (value >> np.uint64(64 - by)))


@kernel
def word(data: Bytes, at: int, size: int) -> np.uint64:
    """Some bytes as a number, the lowest first."""
    value = np.uint64(0)
    for k in range(size):
        value |= np.uint64(data[at + k]) << np.uint64(8 * k)
    return value


@kernel
def mixed(lane: np.uint64, value: np.uint64) -> np.uint64:
    """One round of a lane."""
    return np.uint64(rotated(lane + value * _P2, 31) * _P1)


@kernel
def xxh64(data: Bytes, bounds: Ints, out: NDArray[np.uint64]) -> None:
    """Fill the hashes; string i is data[bounds[i]:bounds[i + 1]]."""
    for i in range(len(out)):
        at, end = bounds[i], bounds[i + 1]
        total = _P5
        if end - at >= _STRIPE:
            a, b, c, d = _SEED_1, _P2, np.uint64(0), _SEED_4
            while end - at >= _STRIPE:
                a, b = mixed(a, word(data, at, 8)), mixed(b, word(data, at + 8, 8))
                c, d = mixed(c, word(data, at + 16, 8)), mixed(d, word(data, at + 24, 8))
                at += _STRIPE
            total = rotated(a, 1) + rotated(b, 7) + rotated(c, 12) + rotated(d, 18)
            for lane in (a, b, c, d):
                total = (total ^ mixed(np.uint64(0), lane)) * _P1 + _P4
        total += np.uint64(end - bounds[i])
        while end - at >= 8:  # noqa: PLR2004, a word
            total = rotated(total ^ mixed(np.uint64(0), word(data, at, 8)), 27) * _P1 + _P4
            at += 8
        if end - at >= 4:  # noqa: PLR2004, half a word
            total = rotated(total ^ (word(data, at, 4) * _P1), 23) * _P2 + _P3
            at += 4
        while at < end:
            total = rotated(total ^ (np.uint64(data[at]) * _P5), 11) * _P1
            at += 1
        total = (total ^ (total >> np.uint64(33))) * _P2
        total = (total ^ (total >> np.uint64(29))) * _P3
        out[i] = total ^ (total >> np.uint64(32))
