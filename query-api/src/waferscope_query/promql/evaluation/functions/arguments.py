"""What functions are, and checks that several share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from waferscope_query.promql.evaluation.context import Context
from waferscope_query.promql.evaluation.values import Value
from waferscope_query.promql.parsing.tree import Call, Expr
from waferscope_query.promql.text import general_text

Function = Callable[[Call, Context], Value]


def check_quantile(q: NDArray[np.float64], node: Expr, context: Context) -> None:
    """Warn about every quantile outside 0 to 1."""
    outside = np.unique(q[~((q >= 0) & (q <= 1))])
    for value in outside.tolist():
        context.notes.warn(f"quantile value should be between 0 and 1, got {general_text(value)}", node.start)
