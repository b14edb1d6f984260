"""The language of the case files: `load` gives samples, `eval` asks and states the answer.

    load 1m
      x{a="b"} 0+10x4 _ stale        five samples 0 to 40, a gap, the end of the series

    eval instant at 4m sum(x)
      {} 40

    eval range from 0 to 2m step 1m x > 5
      x{a="b"} _ 10 20

    eval instant at 4m x +
      fail 1:4: parse error: unexpected end of input

A line of its own with `note …` states a warning or info, `ordered` that the series come in this order. Each `load`
starts anew.


A native histogram is one word: `h(count=4;sum=5;schema=1;from=-2:1,2,1)`. `from=i:…` are the buckets from index i on,
`below=i:…` those of the negative side, `zero=n@w` the zero bucket and its width, `bounds=…` makes the buckets custom
ones, `hint=gauge` tells of counter resets. `h(…)x4` repeats it, `h(…)+h(…)x4` adds to it four times.

`60^-1m` tells that the sample counts since a minute before it; so do all samples of `0+60x4^-1m`.
"""

from __future__ import annotations

import math
import re
import struct
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from waferscope_query.promql.evaluation.kernels.native import cells
from waferscope_query.promql.histograms import CUSTOM_BUCKETS, Hint, Histogram, histogram_table
from waferscope_query.promql.labels import METRIC_NAME
from waferscope_query.promql.memory import MemorySource
from waferscope_query.promql.parsing.cursor import Cursor
from waferscope_query.promql.parsing.literals import read_duration_ms
from waferscope_query.promql.parsing.selectors import parse_matchers
from waferscope_query.promql.source import STALE_BITS

STALE = struct.unpack("<d", struct.pack("<Q", STALE_BITS))[0]
_EVAL = re.compile(r"eval (?:instant at (\S+)|range from (\S+) to (\S+) step (\S+)) (.+)")
_REPEATED = re.compile(r"(\S+?)(?:([+-][0-9.]+))?x([0-9]+)")
_HISTOGRAM = re.compile(r"h\(([^)]*)\)(?:\+h\(([^)]*)\))?(?:x([0-9]+))?")
_SERIES = re.compile(r'([a-zA-Z_:][\w:]*)?(\{(?:"[^"]*"|[^}"])*\})?\s+(.+)')

Labels = dict[str, str]
Value = float | Histogram | None


@dataclass(slots=True)
class Case:
    """One question: times in ms (step None for an instant query) and the stated answer, None for an absent value."""

    source: MemorySource
    line: int
    expression: str
    start_ms: int
    end_ms: int
    step_ms: int | None
    series: list[tuple[Labels, list[Value]]] = field(default_factory=list)
    failure: str | None = None
    notes: list[str] = field(default_factory=list)
    ordered: bool = False


def read_cases(path: Path) -> list[Case]:
    """Read a case file."""
    cases: list[Case] = []
    loaded: list[tuple[Labels, list[int], list[float | Histogram]]] = []
    starts: list[list[int]] = []
    interval, source = 0, MemorySource([])
    for number, raw in enumerate(path.read_text().splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("load "):
            loaded, starts, interval = [], [], _time(line.removeprefix("load "))
        elif match := _EVAL.fullmatch(line):
            if loaded:
                source, loaded = MemorySource(loaded, starts=starts), []
            cases.append(_case(source, number, match))
        elif interval and (not cases or cases[-1].line < _last_load(path, number)):
            labels, values = _series(line)
            kept = [(index * interval, value) for index, value in enumerate(values) if value is not None]
            loaded.append((labels, [ts for ts, _ in kept], [value for _, value in kept]))
            told = _starts(line, interval)
            starts.append([told[ts // interval] for ts, _ in kept])
        elif line.startswith("fail "):
            cases[-1].failure = line.removeprefix("fail ")
        elif line == "ordered":
            cases[-1].ordered = True
        elif line.startswith("note "):
            cases[-1].notes.append(line.removeprefix("note "))
        else:
            cases[-1].series.append(_series(line))
    return cases


def _last_load(path: Path, before: int) -> int:
    lines = path.read_text().splitlines()[:before]
    return max(number for number, line in enumerate(lines, 1) if line.startswith("load "))


def _case(source: MemorySource, line: int, match: re.Match[str]) -> Case:
    at, start, end, step, expression = match.groups()
    if at is not None:
        return Case(source, line, expression, _time(at), _time(at), None)
    return Case(source, line, expression, _time(start), _time(end), _time(step))


def _time(text: str) -> int:
    return 0 if text == "0" else read_duration_ms(text)


def _series(line: str) -> tuple[Labels, list[Value]]:
    match = _SERIES.fullmatch(line)
    assert match, line
    name, braces, values = match.groups()
    labels = {m.name: m.value for m in parse_matchers(Cursor(braces))} if braces else {}
    if name:
        labels[METRIC_NAME] = name
    return labels, [value for word in values.split() for value in _values(word)]


def _starts(line: str, interval: int) -> list[int]:
    """When each value of a line of `load` began to count, in ms; 0 where it isn't told."""
    match = _SERIES.fullmatch(line)
    assert match, line
    told: list[int] = []
    for word in match[3].split():
        _, mark, since = word.partition("^")
        begin = len(told)
        times = [index * interval for index in range(begin, begin + len(_values(word)))]
        offset = read_duration_ms(since.lstrip("-")) * (-1 if since.startswith("-") else 1) if mark else 0
        told += [time + offset if mark else 0 for time in times]
    return told


def _values(word: str) -> list[Value]:
    word = word.partition("^")[0]
    if word == "_":
        return [None]
    if word == "stale":
        return [STALE]
    histogram = _HISTOGRAM.fullmatch(word)
    if histogram is not None:
        return list(_histograms(*histogram.groups()))
    repeated = _REPEATED.fullmatch(word)
    if repeated is None:
        return [float(word)]
    first, increment, times = repeated.groups()
    if first == "_":
        return [None] * int(times)
    return [float(first) + index * float(increment or 0) for index in range(int(times) + 1)]


def _histograms(first: str, increment: str | None, times: str | None) -> list[Histogram]:
    histograms = [_histogram(first)] * (int(times or 0) + 1 if increment is None else 1)
    if increment is not None:
        more = histogram_table([_histogram(increment)])
        for _ in range(int(times or 0)):
            before = histogram_table(histograms[-1:])
            none = np.zeros(1, np.int64)
            total = cells.combined(before, none, more, none, 1.0, none.copy())
            histograms.append(total.one(0))
    return histograms


def _histogram(text: str) -> Histogram:
    fields = dict(part.split("=") for part in text.split(";") if part)
    zero_count, _, zero_threshold = fields.get("zero", "0@0").partition("@")
    positive_first, positive = _side(fields.get("from"))
    negative_first, negative = _side(fields.get("below"))
    return Histogram(
        count=float(fields.get("count", 0)),
        sum=float(fields.get("sum", 0)),
        schema=CUSTOM_BUCKETS if "bounds" in fields else int(fields.get("schema", 0)),
        zero_threshold=float(zero_threshold),
        zero_count=float(zero_count),
        positive=positive,
        positive_first=positive_first,
        negative=negative,
        negative_first=negative_first,
        bounds=_numbers(fields.get("bounds", "")),
        hint=Hint[fields.get("hint", "unknown").upper()],
    )


def _side(text: str | None) -> tuple[int, tuple[float, ...]]:
    first, _, counts = (text or "0:").partition(":")
    return int(first), _numbers(counts)


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(word) for word in text.split(",") if word)


def same(wanted: Value, got: Value) -> bool:
    """Whether two values agree, absent ones included; empty buckets and hints of histograms don't count."""
    if wanted is None or got is None:
        return wanted is got
    if isinstance(wanted, Histogram) or isinstance(got, Histogram):
        return isinstance(wanted, Histogram) and isinstance(got, Histogram) and _same_histogram(wanted, got)
    if math.isnan(wanted) or math.isnan(got):
        return math.isnan(wanted) and math.isnan(got)
    return wanted == got or math.isclose(wanted, got, rel_tol=1e-9)


def _same_histogram(wanted: Histogram, got: Histogram) -> bool:
    layouts = [(one.schema, one.bounds, one.zero_threshold, *map(sorted, _buckets(one))) for one in (wanted, got)]
    counts = [
        [one.count, one.sum, one.zero_count, *(side[index] for side in _buckets(one) for index in sorted(side))]
        for one in (wanted, got)
    ]
    return layouts[0] == layouts[1] and all(map(same, *counts))


def _buckets(one: Histogram) -> tuple[dict[int, float], dict[int, float]]:
    """The buckets that aren't empty, by index."""
    positive = {one.positive_first + k: count for k, count in enumerate(one.positive) if count}
    negative = {one.negative_first + k: count for k, count in enumerate(one.negative) if count}
    return positive, negative
