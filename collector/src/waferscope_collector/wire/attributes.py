"""The keys of points of any kind: the hash of their metric and attributes."""

import numpy as np
from numpy.typing import NDArray

from waferscope_collector.wire.compiling import kernel
from waferscope_collector.wire.hashing import absorbed, finished
from waferscope_collector.wire.reading import LENGTH, Bytes, field


@kernel
def point_keys(
    data: Bytes, points: NDArray[np.int64], metrics: NDArray[np.int64], keys: NDArray[np.uint64], attribute: int
) -> tuple[NDArray[np.uint64], bool]:
    """Hash the attributes of points that the layout holds.

    Args:
        data: The request.
        points: (points, 2): where they begin and end.
        metrics: (points,): the metric of each.
        keys: (metrics, 2): the hash that each metric's points go on from.
        attribute: The number of the field that holds an attribute.

    Returns:
        (points, 2), and whether all points could be read.
    """
    known = np.empty((len(points), 2), np.uint64)
    for index in range(len(points)):
        at, end = points[index, 0], points[index, 1]
        high, low = keys[metrics[index], 0], keys[metrics[index], 1]
        while at < end:
            number, kind, begin, at = field(data, at, end)
            if at < 0:
                return known, False
            if number == attribute and kind == LENGTH:
                high, low = absorbed(high, low, data, begin, at)
        known[index, 0], known[index, 1] = finished(high, low)
    return known, True
