"""A step of a job: one span and one duration, no events, for it may run thousands of times."""

from __future__ import annotations

import os
from collections.abc import Mapping
from time import perf_counter_ns, time_ns
from typing import TYPE_CHECKING

from waferscope import semconv
from waferscope._internal import guard, outcome, span
from waferscope._internal.decorator import Observed

if TYPE_CHECKING:
    from contextvars import Token

    from opentelemetry.context import Context
    from opentelemetry.trace import Span

    from waferscope._internal.identity import AttributeValue
    from waferscope._internal.job import Job


class Step(Observed):
    """One run of a step; made by `Job.step`.

    Attributes:
        name: Of low cardinality: it becomes a metric label.
        index: Number of the step in its job, from 0; -1 while it has not begun.
    """

    __slots__ = ("_attributes", "_began", "_job", "_pid", "_span", "_start_ns", "_token", "index", "name")

    def __init__(self, job: Job, name: str, attributes: Mapping[str, AttributeValue]) -> None:
        self._job = job
        self._attributes = attributes
        self._span: Span | None = None
        self._token: Token[Context] | None = None
        self._start_ns: int | None = None
        self._began = 0
        self.name = name
        self.index = -1

    def again(self) -> Step:
        """Make a step of the same name, not yet begun."""
        return Step(self._job, self.name, self._attributes)

    def begin(self) -> None:
        """Start the span and make it current."""
        job = self._job
        runtime = job.runtime()
        if runtime is None:
            return
        with guard.CLOCK:
            self._start_ns = time_ns()
            self._began = perf_counter_ns()
        self._pid = os.getpid()
        self.index = job.enter_step(self)
        attributes = {
            **self._attributes,
            **job.on_steps,
            semconv.WAFER_STEP_NAME: self.name,
            semconv.WAFER_STEP_INDEX: self.index,
        }
        context = job.context_here()
        self._span = span.start(runtime.tracer, self.name, attributes, self._start_ns, context)
        self._token = span.attach(self._span, context)

    def finish(self, error: BaseException | None) -> None:
        """End the span and record the duration."""
        started, self._span = self._span, None
        if started is None:
            return
        span.detach(self._token)
        if self._pid != os.getpid():
            return  # the copy in a forked child: the parent ends it
        how = outcome.of(error)
        elapsed_ns = 0
        with guard.CLOCK:
            elapsed_ns = perf_counter_ns() - self._began
        with guard.SPAN:
            started.set_attribute(semconv.WAFER_STEP_RESULT, how.result)
        span.end(started, how, error, self._start_ns, elapsed_ns)
        self._job.leave_step(self, how, elapsed_ns / 1e9)
