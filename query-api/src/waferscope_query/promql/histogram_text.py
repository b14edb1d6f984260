"""Histograms as text: Prometheus's JSON and what its messages and `count_values` show."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from waferscope_query.promql.evaluation.kernels.native import cells
from waferscope_query.promql.histograms import COUNT, SUM, HistogramTable
from waferscope_query.promql.text import general_text, json_float_text

_OPENING = {0: "(", 1: "[", 3: "["}
_CLOSING = {0: "]", 1: ")", 3: "]"}


def json_texts(table: HistogramTable, rows: NDArray[np.integer]) -> list[bytes]:
    """Each of some histograms as a JSON object; buckets without observations are left out."""
    buckets, rules, ends = _buckets(table, rows)
    numbers = np.concatenate([table.head[rows][:, (COUNT, SUM)].ravel(), buckets.ravel()])
    distinct, inverse = np.unique(numbers.view(np.int64), return_inverse=True)  # tells -0 from 0
    known = [json_float_text(value) for value in distinct.view(np.float64).tolist()]
    texts = [known[k] for k in inverse.tolist()]
    listed = [
        f'[{rule},"{lower}","{upper}","{held}"]'
        for rule, lower, upper, held in zip(rules.tolist(), *_columns(texts[2 * len(rows) :], 3), strict=True)
    ]
    heads = zip(*_columns(texts[: 2 * len(rows)], 2), pairwise(ends.tolist()), strict=True)
    return [
        (
            f'{{"count":"{count}","sum":"{total}"'
            + (f',"buckets":[{",".join(listed[first:last])}]}}' if last > first else "}")
        ).encode()
        for count, total, (first, last) in heads
    ]


def plain_texts(table: HistogramTable, rows: NDArray[np.integer]) -> list[str]:
    """Each of some histograms as Prometheus prints it: `{count:3, sum:2, (0.5,1]:1, (1,2]:2}`."""
    buckets, rules, ends = _buckets(table, rows)
    listed = [
        f", {_OPENING[rule]}{general_text(lower)},{general_text(upper)}{_CLOSING[rule]}:{general_text(held)}"
        for rule, (lower, upper, held) in zip(rules.tolist(), buckets.tolist(), strict=True)
    ]
    heads = zip(table.head[rows].tolist(), pairwise(ends.tolist()), strict=True)
    return [
        f"{{count:{general_text(head[COUNT])}, sum:{general_text(head[SUM])}{''.join(listed[first:last])}}}"
        for head, (first, last) in heads
    ]


def _columns(texts: list[str], width: int) -> list[list[str]]:
    return [texts[k::width] for k in range(width)]


def _buckets(
    table: HistogramTable, rows: NDArray[np.integer]
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Bounds and count, rule, and where each histogram's begin."""
    wanted = rows.astype(np.int64)
    counts = np.zeros(len(wanted), np.int64)
    cells.bucket_numbers(table, wanted, counts)
    ends = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    buckets, rules = np.empty((int(ends[-1]), 3)), np.empty(int(ends[-1]), np.int64)
    cells.buckets_of(table, wanted, buckets, rules)
    return buckets, rules, ends
