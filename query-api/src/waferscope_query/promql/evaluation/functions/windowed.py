"""Calling window kernels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from waferscope_query.promql.evaluation.context import Context
from waferscope_query.promql.evaluation.values import Vector, Windows


def over_windows(windows: Windows, context: Context, kernel: Callable[..., None], *parameters: Any) -> Vector:
    """Call a window kernel block by block; the metric name is dropped."""
    samples = windows.samples
    values, present = context.cells(len(samples.labels))
    context.over_blocks(
        len(values), kernel,
        samples.offsets, samples.ts, samples.values, windows.ends, windows.width_ms, *parameters, values, present,
    )  # fmt: skip
    return Vector(samples.labels, values, present, np.ones(len(values), np.bool_))
