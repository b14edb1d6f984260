"""Functions of counters whose samples tell since when they count: a start that moves on is a reset."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from waferscope_query.promql.evaluation.context import Context
from waferscope_query.promql.evaluation.functions.windowed import over_windows
from waferscope_query.promql.evaluation.kernels import events, starts
from waferscope_query.promql.evaluation.selecting import known_starts
from waferscope_query.promql.evaluation.values import Vector, Windows
from waferscope_query.promql.labels import METRIC_NAME
from waferscope_query.promql.parsing.literals import quote
from waferscope_query.promql.parsing.tree import Call
from waferscope_query.promql.source import Samples

Bools = NDArray[np.bool_]

OVERLAP = "sample has start time that overlaps with previous sample timestamp for metric"


def growth(node: Call, windows: Windows, context: Context) -> Vector:
    """Evaluate rate or increase of floats."""
    vector, overlapping = growth_and_overlaps(node, windows, context)
    warn_of_overlaps(windows.samples, overlapping.sum(axis=1), node.args[0].start, context)
    return vector


def growth_and_overlaps(node: Call, windows: Windows, context: Context) -> tuple[Vector, Bools]:
    """Evaluate rate or increase of floats; bool[n, s] says in which windows starts overlap."""
    samples = windows.samples
    found, overlaps = resets_of_floats(samples)
    overlapping = np.zeros((len(samples.labels), len(windows.ends)), np.bool_)
    vector = over_windows(
        windows, context, starts.extrapolated, known_starts(samples), found, overlaps, node.function == "rate",
        overlapping,
    )  # fmt: skip
    return vector, overlapping


def last_growth(windows: Windows, context: Context) -> Vector:
    """Evaluate irate of floats."""
    return over_windows(windows, context, starts.last_two, resets_of_floats(windows.samples)[0])


def resets(windows: Windows, context: Context) -> Vector:
    """Count the resets of floats."""
    return over_windows(windows, context, events.counted, resets_of_floats(windows.samples)[0], 0)


def resets_of_floats(samples: Samples) -> tuple[Bools, Bools]:
    """bool[m] each: before which samples a counter was reset, and which starts lie before the sample before."""
    found, overlaps = np.zeros(len(samples.ts), np.bool_), np.zeros(len(samples.ts), np.bool_)
    starts.find_resets(samples.offsets, samples.ts, samples.values, known_starts(samples), found, overlaps)
    return found, overlaps


def warn_of_overlaps(samples: Samples, times: NDArray[np.int64], start: int, context: Context) -> None:
    """Name the metrics of the series that have windows with overlaps; `start` is where the warning points to."""
    names = samples.labels.column(METRIC_NAME)
    for code in np.unique(names[times > 0]).tolist():
        text = f"{OVERLAP} {quote(context.pool.text(code))}"
        context.notes.warn_of_times(text, start, int(times[names == code].sum()))
