"""From a plan and its samples to an answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from waferscope_query.promql.control import Control
from waferscope_query.promql.evaluation.context import Context
from waferscope_query.promql.evaluation.extending import extended_window
from waferscope_query.promql.evaluation.history import past_of
from waferscope_query.promql.evaluation.holding import holding
from waferscope_query.promql.evaluation.nodes import visit
from waferscope_query.promql.evaluation.notes import Notes
from waferscope_query.promql.evaluation.selecting import stale_markers
from waferscope_query.promql.evaluation.statistics import statistics_of, statistics_selectors
from waferscope_query.promql.evaluation.tracing import Trace
from waferscope_query.promql.evaluation.values import Scalar, String, Value, Vector, Windows
from waferscope_query.promql.labels import LabelFrame, ScratchPool, StringPool
from waferscope_query.promql.parsing.literals import scrub
from waferscope_query.promql.plan import Plan
from waferscope_query.promql.source import Rollups, Samples


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What an expression evaluates to.

    Attributes:
        value: Scalar and String as they are; a Vector in its final form (names dropped, empty series left out);
            Samples for a range vector.
        times: int64[s], ms: the steps.
        instant: Whether the query was an instant one.
        warnings: Reasons to doubt the answer.
        infos: Reasons to doubt the question.
    """

    value: Scalar | String | Vector | Samples
    times: NDArray[np.int64]
    instant: bool
    warnings: tuple[str, ...]
    infos: tuple[str, ...]


def evaluate_plan(  # noqa: PLR0917 - a stage takes what the one before gave
    plan: Plan,
    samples: list[Samples],
    pool: StringPool,
    control: Control,
    trace: Trace | None = None,
    rollups: Sequence[Rollups] = (),
) -> Answer:
    """Evaluate a plan; computes only, touches no storage.

    Args:
        plan: The expression and its steps.
        samples: One per selection of the plan, in its order.
        pool: The pool of the samples' labels.
        control: Deadline, cancellation, and what the query may use.
        trace: Notes what each node takes and counts samples as Prometheus does; None: nothing is noted.
        rollups: One per rollup selection of the plan, in its order.

    Raises:
        ExecutionError: The expression can't be answered over this data.
        TooManySamplesError: It needs more room than the limit allows.
        MemoryLimitError: It needs more memory than its share.
        MemoryExhaustedError: Other queries have the memory.
        QueryTimeoutError: The deadline has passed.
        QueryCanceledError: The query was canceled.
    """
    scratch = ScratchPool(pool)
    by_selector = {start: _prepared(samples[index], scratch) for start, index in plan.selection_of.items()}
    if any(one.histograms is not None for one in samples):
        for start in statistics_selectors(plan.query.tree) & by_selector.keys():
            by_selector[start] = statistics_of(by_selector[start])
    notes = Notes(plan.query.text)
    past = past_of(plan.rollups, plan.rollup_of, rollups, lambda one: _prepared(one, scratch))
    visiting = holding(visit)
    if trace is not None:
        visiting = trace.tracing(visiting, plan.grid)
    context = Context(visiting, plan.grid, plan.grid, plan.limits, by_selector, scratch, control, notes, past)
    with np.errstate(all="ignore"):  # IEEE 754's answers are PromQL's: 1/0 is +Inf
        value = _final(visiting(plan.query.tree, context), plan.limits.lookback_ms)
    return Answer(value, context.times, plan.instant, notes.warnings, notes.infos)


def _prepared(samples: Samples, pool: ScratchPool) -> Samples:
    """The samples as the kernels take them: one layout, or each variant would be compiled anew."""
    labels = LabelFrame(samples.labels.names, samples.labels.codes, pool)
    offsets, ts = (np.require(array, np.int64, ["C", "W"]) for array in (samples.offsets, samples.ts))
    starts = None if samples.starts is None else np.require(samples.starts, np.int64, ["C", "W"])
    return Samples(labels, offsets, ts, np.require(samples.values, np.float64, ["C", "W"]), samples.histograms, starts)


def _final(value: Value, lookback_ms: int) -> Scalar | String | Vector | Samples:
    if isinstance(value, Vector):
        return value.final()
    if isinstance(value, Windows):
        return extended_window(value, lookback_ms) if value.extension else _cut(value)
    if isinstance(value, String):
        return String(scrub(value.value))
    return value


def _cut(windows: Windows) -> Samples:
    """A range vector at the only step of an instant query: the samples in its window."""
    samples, end = windows.samples, int(windows.ends[0])
    inside = (samples.ts > end - windows.width_ms) & (samples.ts <= end) & ~stale_markers(samples)
    kept = np.concatenate([[0], np.cumsum(inside)]).astype(np.int64)
    counts = np.diff(kept[samples.offsets])
    rows = np.flatnonzero(counts)
    return Samples(
        labels=samples.labels.take(rows),
        offsets=np.concatenate([[0], np.cumsum(counts[rows])]).astype(np.int64),
        ts=samples.ts[inside],
        values=samples.values[inside],
        histograms=None if samples.histograms is None else samples.histograms.take(inside),
    )
