"""The wrapper's metrics: added up where they happen, at about 1 µs each, and taken away by the exporting thread.

No SDK instrument stands on the job's path (one record costs 3.5-15 µs there). What is handed out are deltas: every
process of a service adds to the same series at the site.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from dataclasses import dataclass, field
from time import time_ns

from waferscope import semconv

_CARDINALITY = 2000  # attribute sets per instrument and export (OpenTelemetry metrics SDK, "Cardinality limits")
OVERFLOW = ("otel.metric.overflow", True)

AttributeSet = tuple[tuple[str, str | bool], ...]


@dataclass(slots=True)
class State:
    """What one series has gathered since the last export.

    Attributes:
        count: Number of values.
        sum: Their sum.
        min: The least.
        max: The greatest.
        buckets: How many fell into each bucket, one more than bounds; empty for a counter.
    """

    count: int
    sum: float
    min: float
    max: float
    buckets: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What one metric has gathered: states by their attributes."""

    metric: semconv.Metric
    states: dict[AttributeSet, State] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Delta:
    """What was recorded between two instants.

    Attributes:
        start: Unix time in ns: the end of the delta before.
        end: Unix time in ns.
        metrics: What was recorded, at least one.
    """

    start: int
    end: int
    metrics: tuple[Recorded, ...]


class Meter:
    """Adds up measurements, from any thread."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Start empty: also in the child of a fork, whose copy is the parent's to send."""
        self._lock = threading.Lock()
        self._since = time_ns()
        self._recorded: dict[str, Recorded] = {}

    def record(self, metric: semconv.Metric, value: float, attributes: AttributeSet) -> None:
        """Add one measurement.

        Args:
            metric: What was measured: a counter or a histogram of the registry.
            value: In the metric's unit.
            attributes: Of low cardinality; beyond 2,000 sets they are counted together as an overflow.
        """
        with self._lock:
            recorded = self._recorded.get(metric.name)
            if recorded is None:
                recorded = self._recorded[metric.name] = Recorded(metric)
            state = recorded.states.get(attributes)
            if state is None:
                state = _add_state(recorded, value, attributes)
            state.count += 1
            state.sum += value
            if state.buckets:
                state.buckets[bisect_left(metric.boundaries, value)] += 1
                if value < state.min:
                    state.min = value
                elif value > state.max:
                    state.max = value

    def take(self) -> Delta | None:
        """Take away what was recorded since the last call; None when there was nothing."""
        with self._lock:
            start, self._since = self._since, max(time_ns(), self._since + 1)
            if not self._recorded:
                return None  # the next delta begins here: the nearer its start, the truer the rate over it
            recorded, self._recorded = self._recorded, {}
        return Delta(start, self._since, tuple(recorded.values()))


def _add_state(recorded: Recorded, value: float, attributes: AttributeSet) -> State:
    if len(recorded.states) >= _CARDINALITY:
        attributes = (OVERFLOW,)
    buckets = [0] * (len(recorded.metric.boundaries) + 1) if recorded.metric.boundaries else []
    return recorded.states.setdefault(attributes, State(0, 0, value, value, buckets))
