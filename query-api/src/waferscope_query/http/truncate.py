"""A limit on the series of an answer."""

from dataclasses import replace

import numpy as np

from waferscope_query.promql.evaluation.run import Answer
from waferscope_query.promql.evaluation.values import Vector
from waferscope_query.promql.source import Samples


def truncate(answer: Answer, limit: int) -> tuple[Answer, bool]:
    """Keep the first series of an answer: of a matrix in the order of labels, of a vector as evaluated.

    Args:
        answer: Any value; scalars and strings are never cut.
        limit: Series at most; 0 means all.

    Returns:
        The answer, and whether something was left out.
    """
    value = answer.value
    if not limit or not isinstance(value, Vector | Samples) or len(value.labels) <= limit:
        return answer, False
    if isinstance(value, Samples):
        return replace(answer, value=_taken(value, value.labels.order()[:limit])), True
    rows = range(limit) if answer.instant else value.labels.order()[:limit]
    return replace(answer, value=value.take(np.array(rows))), True


def _taken(samples: Samples, rows: list[int]) -> Samples:
    offsets = samples.offsets
    index = np.concatenate([np.arange(offsets[row], offsets[row + 1]) for row in rows])
    counts = np.diff(offsets)[rows]
    return Samples(
        samples.labels.take(np.array(rows)),
        np.concatenate([[0], np.cumsum(counts)]),
        samples.ts[index],
        samples.values[index],
    )
