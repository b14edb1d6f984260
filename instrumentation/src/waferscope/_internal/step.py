"""A step of a job: one span and one duration, no events, for it may run thousands of times."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from opentelemetry import trace

from waferscope import semconv
from waferscope._internal import arguments, clock, context, guard, outcome, process, span, spec
from waferscope._internal.observed import Observed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.context import Context
    from opentelemetry.trace import Span

    from waferscope._internal.arguments import AttributeValue
    from waferscope._internal.job import Job
    from waferscope._internal.run import Run


class Step(Observed):
    """One run of a step; made by `waferscope.step` and `Job.step`.

    Attributes:
        name: Of low cardinality: it becomes a metric label.
        index: Number of the step in its job, from 0; -1 while it has not begun.
    """

    __slots__ = ("_attributes", "_began", "_find", "_pid", "_run", "_span", "_start_ns", "index", "name")

    def __init__(self, find: Callable[[], Job], name: str, attributes: Mapping[str, AttributeValue]) -> None:
        super().__init__()
        self._find = find
        self._attributes = attributes
        self._run: Run | None = None
        self._span: Span | None = None
        self._start_ns = self._began = 0
        self.name = name
        self.index = -1

    def _again(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Step:
        """See `Observed._again`."""
        del args, kwargs
        return Step(self._find, self.name, self._attributes)

    def _begin(self) -> None:
        """Start the span and make it current."""
        with guard.STEP:
            if self._span is not None:
                arguments.misuse("step %s is entered anew before its end: not recorded, make a new one", self.name)
                self._repeats += 1
                return
            job = self._find()
            run = job._running()
            if run is None:
                return
            self._run = run
            self._start_ns = clock.now()
            self._began = clock.monotonic()
            self._pid = os.getpid()
            self.index = run.enter_step(self)
            attributes = {
                **self._attributes,
                **run.on_steps,
                semconv.WAFER_STEP_NAME: self.name,
                semconv.WAFER_STEP_INDEX: self.index,
            }
            with guard.CONTEXT:
                self._outer = context.current()
            here = job._context_here(run, self._outer)
            self._span = span.start(run.runtime.tracer, self.name, attributes, self._start_ns, here)
            with guard.CONTEXT:
                context.attach(context.with_step(here, self, self._span))

    def _holds(self, here: Context) -> bool:
        """See `Observed._holds`."""
        return context.step_of(here) is self

    def _finish(self, error: BaseException | None) -> None:
        """End the span and record the duration."""
        if self._repeats:
            self._repeats -= 1
            return
        started, self._span = self._span, None
        run = self._run
        if run is None:
            return
        if started is None:
            run.forget_step(self)
            return
        try:
            self._end(run, started, error)
        except BaseException:  # of the host's: we are called again; what is left to do needs no span that has ended
            self._span = started if started.is_recording() else trace.INVALID_SPAN
            raise

    def _end(self, run: Run, started: Span, error: BaseException | None) -> None:
        with guard.STEP:
            self._outside()
            if self._pid != os.getpid():
                return  # the copy in a forked child: the parent ends it
            how = outcome.of(error, self._declared)
            elapsed_ns = max(clock.monotonic() - self._began, 0)
            with guard.SPAN:
                started.set_attribute(semconv.WAFER_STEP_RESULT, how.result)
                if how.error_type is not None:
                    started.set_attribute(semconv.ERROR_TYPE, how.error_type)
                if how.reason:
                    started.set_attribute(semconv.WAFER_STEP_RESULT_REASON, how.reason)
            span.end(started, how, error, self._start_ns, elapsed_ns)
            run.leave_step(self, how, elapsed_ns / 1e9, started, self._start_ns + elapsed_ns)


def make_step(find: Callable[[], Job], name: str, attributes: Mapping[str, Any]) -> Step:
    """Make a step.

    Args:
        find: Tells its job once it begins.
        name: Of low cardinality.
        attributes: By the keywords of a job, or the author's own.
    """
    checked: Mapping[str, AttributeValue] = {}
    with guard.ARGUMENTS:
        name = arguments.name("the name of a step", name)
        if attributes and (arguments.is_strict() or not process.is_disabled()):
            checked = spec.on_step(attributes)
    return Step(find, name, checked)
