"""A 128-bit hash of bytes, seeded: what series are known by in memory.

The rounds are those of MurmurHash3 (x64, 128 bits), by Austin Appleby, who put it into the public domain. Each piece is
absorbed with its length, so that pieces can't be confused with differently cut ones.
"""

import numpy as np

from waferscope_collector.wire.compiling import kernel
from waferscope_collector.wire.reading import fixed64

_C1, _C2 = np.uint64(0x87C37B91114253D5), np.uint64(0x4CF5AD432745937F)
_A1, _A2 = np.uint64(0x52DCE729), np.uint64(0x38495AB5)
_F1, _F2 = np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53)
_FIVE = np.uint64(5)
_BLOCK = 16  # bytes


@kernel
def _rotated(value, bits):
    return (value << np.uint64(bits)) | (value >> np.uint64(64 - bits))


@kernel
def mixed(high, low, first, second):
    """Absorb two numbers of 64 bits."""
    high ^= _rotated(first * _C1, 31) * _C2
    high = (_rotated(high, 27) + low) * _FIVE + _A1
    low ^= _rotated(second * _C2, 33) * _C1
    low = (_rotated(low, 31) + high) * _FIVE + _A2
    return high, low


@kernel
def _tail(data, at, end):
    """Read up to 8 bytes, the rest zeros."""
    value = np.uint64(0)
    for index in range(min(8, end - at)):
        value |= np.uint64(data[at + index]) << np.uint64(8 * index)
    return value


@kernel
def absorbed(high, low, data, begin, end):
    """Absorb bytes."""
    at = begin
    while end - at >= _BLOCK:
        high, low = mixed(high, low, fixed64(data, at), fixed64(data, at + 8))
        at += _BLOCK
    if end - at >= 8:
        high, low = mixed(high, low, fixed64(data, at), _tail(data, at + 8, end))
    elif at < end:
        high, low = mixed(high, low, _tail(data, at, end), np.uint64(0))
    return mixed(high, low, np.uint64(end - begin), np.uint64(0))


@kernel
def _avalanche(value):
    value ^= value >> np.uint64(33)
    value *= _F1
    value ^= value >> np.uint64(33)
    value *= _F2
    return value ^ (value >> np.uint64(33))


@kernel
def finished(high, low):
    """Turn a state into a hash, of which the first half is never 0."""
    high += low
    low += high
    high, low = _avalanche(high), _avalanche(low)
    high += low
    low += high
    return high or np.uint64(1), low
