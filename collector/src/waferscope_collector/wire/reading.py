"""The protobuf wire format, read from an array of bytes.

Every reader takes a position and returns one; a negative one says that the bytes end too early or make no sense.
Source: Protocol Buffers documentation, "Encoding".
"""

import numpy as np
from numpy.typing import NDArray

from waferscope_collector.wire.compiling import kernel

Bytes = NDArray[np.uint8]

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5  # wire types; groups (3, 4) are read by nobody
_MOST_VARINT = 10  # bytes


@kernel
def varint(data, at, end):
    """Read a varint; its value comes as int64, so unsigned ones over 2**63 are negative."""
    value = np.uint64(0)
    for index in range(_MOST_VARINT):
        if at >= end:
            return np.int64(0), np.int64(-1)
        byte = data[at]
        at += 1
        value |= np.uint64(byte & 0x7F) << np.uint64(7 * index)
        if byte < 0x80:
            return np.int64(value), np.int64(at)
    return np.int64(0), np.int64(-1)


@kernel
def fixed64(data, at):
    """Read 8 bytes, little-endian, that must be there."""
    return (
        np.uint64(data[at])
        | np.uint64(data[at + 1]) << np.uint64(8)
        | np.uint64(data[at + 2]) << np.uint64(16)
        | np.uint64(data[at + 3]) << np.uint64(24)
        | np.uint64(data[at + 4]) << np.uint64(32)
        | np.uint64(data[at + 5]) << np.uint64(40)
        | np.uint64(data[at + 6]) << np.uint64(48)
        | np.uint64(data[at + 7]) << np.uint64(56)
    )


@kernel
def field(data, at, end):
    """Read a field's tag and find its content.

    Returns:
        Number and wire type of the field, where its content begins and where it ends; for a varint both are those of
        its bytes, for a LENGTH field those of the bytes after the length.
    """
    tag, at = varint(data, at, end)
    number, kind = tag >> 3, tag & 7
    if at < 0 or number < 1:
        return np.int64(0), np.int64(0), np.int64(0), np.int64(-1)
    begin = at
    if kind == LENGTH:
        size, begin = varint(data, at, end)
        if begin < 0 or size < 0 or size > end - begin:
            return np.int64(0), np.int64(0), np.int64(0), np.int64(-1)
        after = begin + size
    elif kind == VARINT:
        _, after = varint(data, at, end)
    elif kind == FIXED64:
        after = at + 8
    elif kind == FIXED32:
        after = at + 4
    else:
        after = -1
    if after > end:
        after = -1
    return number, kind, begin, np.int64(after)
