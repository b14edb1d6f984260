"""info(): labels of the info series that describe the same instance and job."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from waferscope_query.promql.errors import ExecutionError
from waferscope_query.promql.evaluation.context import Context
from waferscope_query.promql.evaluation.functions.arguments import Function
from waferscope_query.promql.evaluation.functions.info_lookup import InfoLookup, info_lookup
from waferscope_query.promql.evaluation.grouping import group_rows, stack
from waferscope_query.promql.evaluation.selecting import newest_histograms, stale_markers, times_of_newest
from waferscope_query.promql.evaluation.values import Vector
from waferscope_query.promql.labels import METADATA_LABELS, METRIC_NAME, LabelFrame
from waferscope_query.promql.matchers import select_rows
from waferscope_query.promql.parsing.tree import Call
from waferscope_query.promql.source import Samples
from waferscope_query.promql.text import labels_text, series_text

_IDENTIFYING = ("instance", "job")
Rows = NDArray[np.int64]
Labels = dict[str, str]


def _info(node: Call, context: Context) -> Vector:
    base = context.vector(node.args[0])
    lookup = info_lookup(node, context.query)
    samples = context.samples[node.start]
    times = context.times if lookup.at is None else np.full(len(context.times), lookup.at, np.int64)
    taken, present = times_of_newest(samples, times - lookup.offset_ms, context)
    ignored = select_rows(base.labels, lookup.names)
    base_targets, info_targets = _targets(base.labels, samples.labels, ignored)
    wanted = np.isin(info_targets, base_targets)
    _refuse_histograms(samples, wanted, times - lookup.offset_ms, context)
    infos = _Infos(samples.labels.take(wanted), info_targets[wanted], taken[wanted], present[wanted])
    return _described(base, ignored, base_targets, infos, lookup)


def _refuse_histograms(samples: Samples, wanted: NDArray[np.bool_], times: Rows, context: Context) -> None:
    histograms = newest_histograms(samples, times, context.limits.lookback_ms, stale_markers(samples))
    if histograms is None:
        return
    concerned = wanted & (histograms.at >= 0).any(axis=1)
    for row in np.flatnonzero(concerned)[:1].tolist():
        text = labels_text(samples.labels.row(row))
        raise ExecutionError(f"this should be an info metric, with float samples: {text}")


@dataclass(frozen=True, slots=True, eq=False)
class _Infos:
    """Info series: labels, target int64[n], when the newest sample was taken float64[n, s] (ms), present bool[n, s]."""

    labels: LabelFrame
    targets: Rows
    taken: NDArray[np.float64]
    present: NDArray[np.bool_]


def _targets(base: LabelFrame, infos: LabelFrame, ignored: NDArray[np.bool_]) -> tuple[Rows, Rows]:
    """Number the pairs of instance and job; -1 for a base series that none describes, -2 for an info series without."""
    both = stack(base.project(_IDENTIFYING), infos.project(_IDENTIFYING))
    ids, _ = group_rows(both)
    nameless = np.ones(len(both), np.bool_)
    for column in both.codes.T:
        nameless &= column == 0
    base_ids = np.where(nameless[: len(base)] | ignored, -1, ids[: len(base)])
    return base_ids, np.where(nameless[len(base) :], -2, ids[len(base) :])


def _chosen(infos: _Infos) -> dict[int, dict[int, Rows]]:
    """For each target and info metric, int64[s]: the info series whose sample is the newest, -1 where there is none.

    Raises:
        ExecutionError: Two are equally new.
    """
    chosen: dict[int, dict[int, Rows]] = {}
    names = infos.labels.column(METRIC_NAME)
    for row in range(len(infos.labels)):
        metrics = chosen.setdefault(int(infos.targets[row]), {})
        best = metrics.setdefault(int(names[row]), np.full(infos.present.shape[1], -1, np.int64))
        there = infos.present[row] & (best >= 0)
        rival = np.where(there, infos.taken[best, np.arange(len(best))], -np.inf)
        tied = there & (rival == infos.taken[row])
        if tied.any():
            raise _duplicate(infos, int(best[np.argmax(tied)]), row, int(infos.taken[row, np.argmax(tied)]))
        best[infos.present[row] & (infos.taken[row] > rival)] = row
    return chosen


def _duplicate(infos: _Infos, existing: int, new: int, taken: int) -> ExecutionError:
    texts = [series_text(infos.labels.row(row)) for row in (existing, new)]
    return ExecutionError(
        f"found duplicate series for info metric: existing {texts[0]} @ {taken}, new {texts[1]} @ {taken}"
    )


def _described(base: Vector, ignored: NDArray[np.bool_], targets: Rows, infos: _Infos, lookup: InfoLookup) -> Vector:
    """Give every base series the labels of its info series, in as many pieces as these change over the steps."""
    chosen = _chosen(infos)
    keeps_undescribed = all(matcher.matches("") for matcher in lookup.data)
    only = {matcher.name for matcher in lookup.data}
    rows: list[int] = []
    labels: list[Labels] = []
    pieces: list[NDArray[np.bool_]] = []
    for row, own in enumerate(base.labels.rows()):
        for infos_of_piece, steps in _pieces(chosen.get(int(targets[row]), {}), base.present[row]):
            if not infos_of_piece and not keeps_undescribed and not ignored[row]:
                continue
            rows.append(row)
            labels.append(_added([infos.labels.row(info) for info in infos_of_piece], only) | own)
            pieces.append(steps)
    picked = base.take(np.array(rows, np.int64))
    present = np.array(pieces, np.bool_).reshape(picked.present.shape)
    frame = LabelFrame.from_dicts(labels, base.labels.pool)
    return Vector(frame, picked.values, present, picked.drop_name).merged()


def _pieces(metrics: dict[int, Rows], present: NDArray[np.bool_]) -> list[tuple[list[int], NDArray[np.bool_]]]:
    """The different sets of info series over the steps, each with the steps it holds at."""
    if not metrics or not len(present):
        return [([], present)]
    table = np.array(list(metrics.values()))
    distinct, which = np.unique(table, axis=1, return_inverse=True)
    found = []
    for number, column in enumerate(distinct.T):
        steps = present & (which.reshape(-1) == number)
        if steps.any():
            found.append(([int(info) for info in column if info >= 0], steps))
    return found


def _added(described: list[Labels], only: set[str]) -> Labels:
    """What info series say; where labels were asked for, only these.

    Raises:
        ExecutionError: Two contradict each other.
    """
    for one, other in combinations(described, 2):
        for name in one.keys() & other.keys() - set(METADATA_LABELS):
            if one[name] != other[name] and (not only or name in only):
                raise ExecutionError(f"conflicting label: {name}")
    return {
        name: value
        for labels in described
        for name, value in labels.items()
        if name not in METADATA_LABELS and (not only or name in only)
    }


FUNCTIONS: dict[str, Function] = {"info": _info}
