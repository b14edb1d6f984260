"""The wrapper's metrics: noted where they happen in a fraction of a µs, added up by the exporting thread.

No SDK instrument stands on the job's path (one record costs 3.5-15 µs there). What is handed out are deltas: every
process of a service adds to the same series at the site.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from waferscope import semconv
from waferscope._internal import clock
from waferscope._internal.exponential import Exponential

if TYPE_CHECKING:
    from opentelemetry.trace import Span

_CARDINALITY = 2000  # attribute sets per instrument and export (OpenTelemetry metrics SDK, "Cardinality limits")
_METRICS = 1000  # metrics per export: names come from the author, too
_PENDING = 10_000  # measurements that wait to be added up: some 2 MB
OVERFLOW = ("otel.metric.overflow", True)

AttributeSet = tuple[tuple[str, str | bool], ...]


class Exemplar(NamedTuple):
    """A measurement with the trace that it comes from.

    Attributes:
        value: What was measured.
        time: Unix time in ns.
        trace_id: Of the span.
        span_id: Of the span.
    """

    value: float
    time: int
    trace_id: int
    span_id: int


class Measurement(NamedTuple):
    """One value, not yet added up.

    Attributes:
        metric: What was measured.
        value: In the metric's unit.
        attributes: Of low cardinality.
        span: Where it comes from, for an exemplar.
        time: Unix time in ns, for an exemplar.
    """

    metric: semconv.Metric
    value: float
    attributes: AttributeSet
    span: Span | None
    time: int


@dataclass(slots=True)
class State:
    """What one series has gathered since the last export.

    Attributes:
        count: Number of values.
        sum: Their sum.
        min: The least.
        max: The greatest.
        buckets: How many fell into each bucket, one more than bounds; empty for a counter and for exponential buckets.
        exponential: The exponential buckets, where those were chosen.
        exemplars: The newest one by bucket; of a counter and of exponential buckets by 0.
    """

    count: int
    sum: float
    min: float
    max: float
    buckets: list[int] = field(default_factory=list)
    exponential: Exponential | None = None
    exemplars: dict[int, Exemplar] = field(default_factory=dict)

    def add(self, measured: Measurement, boundaries: tuple[float, ...]) -> None:
        """Add one value; the boundaries are those that the buckets were made for."""
        value = measured.value
        self.count += 1
        self.sum += value
        self.min = min(self.min, value)
        self.max = max(self.max, value)
        bucket = 0
        if self.buckets:
            bucket = bisect_left(boundaries, value)
            self.buckets[bucket] += 1
        elif self.exponential is not None:
            self.exponential.add(value)
        if measured.span is not None:
            context = measured.span.get_span_context()
            if context.trace_flags.sampled:
                self.exemplars[bucket] = Exemplar(value, measured.time, context.trace_id, context.span_id)


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

    def __init__(self, *, exponential: bool = False, exemplars: bool = True) -> None:
        """Begin empty.

        Args:
            exponential: Histograms have exponential buckets instead of the registry's.
            exemplars: Keep the trace behind a measurement of each bucket.
        """
        self._exponential = exponential
        self._exemplars = exemplars
        self.restart()

    def restart(self) -> None:
        """Start empty: also in the child of a fork, whose copy is the parent's to send."""
        self._lock = threading.Lock()
        self._since = clock.now()
        self._pending: deque[Measurement] = deque()
        self._excess = 0
        self._recorded: dict[tuple[str, str], Recorded] = {}

    def record(
        self,
        metric: semconv.Metric,
        value: float,
        attributes: AttributeSet,
        span: Span | None = None,
        time: int = 0,
    ) -> None:
        """Note one measurement.

        Args:
            metric: What was measured: a counter or a histogram.
            value: In the metric's unit.
            attributes: Of low cardinality; beyond 2,000 sets they are counted together as an overflow.
            span: Where it comes from, for an exemplar.
            time: Unix time in ns, for an exemplar.
        """
        self._pending.append(Measurement(metric, value, attributes, span if self._exemplars else None, time))
        if len(self._pending) > _PENDING:
            self.fold()

    def fold(self) -> None:
        """Add up what was noted; nothing where that is being done, in this very thread perhaps.

        The garbage collector or a signal handler of the host's may end a job amid it.
        """
        if self._lock.acquire(blocking=False):
            try:
                self._fold()
            finally:
                self._lock.release()

    def take(self) -> Delta | None:
        """Take away what was recorded since the last call; None when there was nothing."""
        with self._lock:
            self._fold()
            start, self._since = self._since, max(clock.now(), self._since + 1)
            if not self._recorded:
                return None  # the next delta begins here: the nearer its start, the truer the rate over it
            recorded, self._recorded = self._recorded, {}
        return Delta(start, self._since, tuple(recorded.values()))

    def excess(self) -> int:
        """Tell how many measurements were left out since the last call, since there were too many metrics."""
        with self._lock:
            excess, self._excess = self._excess, 0
        return excess

    def _fold(self) -> None:
        pending = self._pending
        for _ in range(len(pending)):
            measured = pending.popleft()
            metric = measured.metric
            recorded = self._recorded.get((metric.name, metric.unit))
            if recorded is None:
                if len(self._recorded) >= _METRICS and not metric.name.startswith("wafer."):
                    self._excess += 1
                    continue
                recorded = self._recorded[metric.name, metric.unit] = Recorded(metric)
            state = recorded.states.get(measured.attributes) or self._new_state(recorded, measured)
            state.add(measured, recorded.metric.boundaries)

    def _new_state(self, recorded: Recorded, measured: Measurement) -> State:
        attributes = measured.attributes if len(recorded.states) < _CARDINALITY else (OVERFLOW,)
        state = State(0, 0, measured.value, measured.value)
        if recorded.metric.instrument == "histogram":
            if self._exponential:
                state.exponential = Exponential()
            else:
                state.buckets = [0] * (len(recorded.metric.boundaries) + 1)
        return recorded.states.setdefault(attributes, state)
