"""A limit on the series of an answer."""

from dataclasses import replace

import numpy as np

from waferscope_query.promql.evaluation.run import Answer
from waferscope_query.promql.evaluation.values import Vector
from waferscope_query.promql.source import Samples


def truncate(answer: Answer, limit: int) -> tuple[Answer, bool]:
    """Keep the first series of an answer.

    Args:
        answer: Any value; scalars and strings are never cut.
        limit: Series at most; 0 means all.

    Returns:
        The answer, and whether something was left out.
    """
    value = answer.value
    if not limit or not isinstance(value, Vector | Samples) or len(value.labels) <= limit:
        return answer, False
    if isinstance(value, Vector):
        return replace(answer, value=value.take(np.arange(limit))), True
    kept = int(value.offsets[limit])
    cut = Samples(value.labels.take(np.arange(limit)), value.offsets[: limit + 1], value.ts[:kept], value.values[:kept])
    return replace(answer, value=cut), True
