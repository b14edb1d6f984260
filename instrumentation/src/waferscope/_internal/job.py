"""A job: one run of a piece of work; events tell of it from its first moment, a span and metrics at its end."""

from __future__ import annotations

import itertools
import os
from time import perf_counter_ns, time_ns
from typing import TYPE_CHECKING

from opentelemetry import context as otel_context
from opentelemetry import trace

from waferscope import semconv
from waferscope._internal import events, guard, ids, outcome, report, span
from waferscope._internal import runtime as runtimes
from waferscope._internal.decorator import Observed
from waferscope._internal.identity import UNKNOWN, AttributeValue, Identity
from waferscope._internal.step import Step
from waferscope._internal.usage import NOTHING, Consumption, read

if TYPE_CHECKING:
    from contextvars import Token

    from opentelemetry.context import Context
    from opentelemetry.trace import Span

    from waferscope._internal.outcome import Outcome
    from waferscope._internal.runtime import Runtime

_KEY = otel_context.create_key("waferscope-job")


class Job(Observed):
    """One run of a job; made by `waferscope.job`.

    Attributes:
        id: `wafer.job.id`.
        attempt: Number of the attempt at this id, from 1.
    """

    __slots__ = (
        "_began", "_context", "_ended", "_given_id", "_identity", "_peak", "_pid", "_progress", "_runtime",
        "_said", "_sequence", "_span", "_start_ns", "_step_numbers", "_steps", "_substrates", "_token", "_used",
        "attempt", "id", "on_steps",
    )  # fmt: skip

    def __init__(self, identity: Identity, given_id: str | None = None, attempt: int = 1) -> None:
        self.id = given_id or ids.new_job_id()
        self.attempt = attempt
        self.on_steps: dict[str, AttributeValue] = {}
        self._identity = identity
        self._given_id = given_id
        self._runtime: Runtime | None = None
        self._token: Token[Context] | None = None
        self._context: Context | None = None
        self._span: Span | None = None
        self._said: dict[str, AttributeValue] = {}
        self._used = NOTHING
        self._start_ns: int | None = None
        self._pid = self._sequence = self._began = self._peak = 0
        self._substrates: list[int] = []
        self._ended = False
        self._steps: list[Step] = []
        self._step_numbers = itertools.count()
        self._progress: tuple[float, float | None] | None = None

    @property
    def name(self) -> str:
        """`wafer.job.name`."""
        return self._identity.name

    def step(self, name: str, /, **attributes: AttributeValue) -> Step:
        """Make a step of this job, for `with`, `async with` or as a decorator.

        Args:
            name: Of low cardinality ("fit", not "fit wafer 7"): it becomes a metric label.
            **attributes: What else its span shall carry.

        Returns:
            The step; it begins when it is entered.
        """
        return Step(self, name, attributes)

    def progress(self, done: float, total: float | None = None) -> None:
        """Say how far the job is; its heartbeats tell it.

        Args:
            done: Units of work done.
            total: Units of work in all, where known.
        """
        with guard.ARGUMENTS:
            self._progress = (float(done), None if total is None else float(total))

    def processed(self, substrates: int = 1) -> None:
        """Count substrates that the job has dealt with.

        Args:
            substrates: How many more.
        """
        with guard.ARGUMENTS:
            self._substrates.append(int(substrates))  # atomic, unlike +=

    def again(self) -> Job:
        """Make a job of the same identity, not yet begun."""
        return Job(self._identity, self._given_id, self.attempt)

    def begin(self) -> None:
        """Tell that the job has started, and make it current."""
        if self._runtime is not None:
            guard.ARGUMENTS.failed(None, "job %s is entered a second time: not recorded, make a new one", self.name)
            return
        parent = enclosing()
        self._runtime = runtime = runtimes.current()
        if runtime is None:
            self._attach()
            return
        self._pid = os.getpid()
        with guard.CLOCK:
            self._start_ns = time_ns()
            self._began = perf_counter_ns()
        self._used = read()
        self._peak = runtime.memory.current()
        self._said = self._identity.on_events(self.id, self.attempt, parent.id if parent else None)
        self.on_steps = report.on_steps(self.id, self.name, self.attempt)
        self._span = span.start(runtime.tracer, self.name, self._said, self._start_ns)
        self._attach()
        self._emit(events.STARTED, 0, {})
        runtime.active[id(self)] = self

    def finish(self, error: BaseException | None) -> None:
        """Tell how the job ended. The copy in a forked child says nothing: the process that began a job ends it."""
        span.detach(self._token)
        self._token = None
        if self._runtime is not None and self._pid == os.getpid():
            self._end(outcome.of(error), error)

    def abandon(self) -> None:
        """End the job because its process ends."""
        self._end(outcome.CANCELLATION, None)

    def beat(self, memory: int) -> None:
        """Tell that the job still runs.

        Args:
            memory: Resident set now, bytes.
        """
        runtime = self._runtime
        if runtime is None:
            return
        with runtime.lock:
            if not self._ended:
                state = {**report.on_consumption(self._consumed(memory)), **self._position()}
                self._emit(events.HEARTBEAT, self._elapsed_ns(), state)

    def runtime(self) -> Runtime | None:
        """Give the pipeline of a job that has begun, ready for use in this process; else None."""
        runtime = self._runtime
        if runtime is not None and not runtime.started:
            runtime.start()
        return runtime

    def context_here(self) -> Context | None:
        """Give the context for a step: the current one if it is this job's; in another thread the job's own."""
        with guard.CONTEXT:
            here = otel_context.get_current()
            return here if here.get(_KEY) is self else self._context
        return None

    def enter_step(self, step: Step) -> int:
        """Note a step that begins; give its number."""
        self._steps.append(step)
        return next(self._step_numbers)

    def leave_step(self, step: Step, how: Outcome, elapsed: float) -> None:
        """Note a step that has ended.

        Args:
            step: One that has entered.
            how: Its outcome.
            elapsed: Its duration, s.
        """
        with guard.METRIC:
            self._steps.remove(step)
            if self._runtime is not None:
                labels = (*self._identity.on_metrics, (semconv.WAFER_JOB_RESULT, how.result))
                self._runtime.meter.record(
                    semconv.METRIC_WAFER_STEP_DURATION, elapsed, (*labels, (semconv.WAFER_STEP_NAME, step.name))
                )

    def _end(self, how: Outcome, error: BaseException | None) -> None:
        runtime, own_span = self._runtime, self._span
        if runtime is None or own_span is None:
            return
        with runtime.lock:
            if self._ended:
                return
            self._ended = True
        runtime.active.pop(id(self), None)
        elapsed_ns = self._elapsed_ns()
        consumed = self._consumed(runtime.memory.current())
        on_span = {**report.on_consumption(consumed), **report.on_end(how)}
        self._emit(
            events.ENDED, elapsed_ns, {**on_span, **self._position()}, failed=how.result == outcome.FAILURE.result
        )
        with guard.SPAN:
            own_span.set_attributes(on_span)
        span.end(own_span, how, error, self._start_ns, elapsed_ns)
        with guard.METRIC:
            report.record(
                runtime.meter,
                self._identity,
                how,
                elapsed_ns / 1e9,
                consumed=consumed,
                substrates=sum(self._substrates),
            )

    def _attach(self) -> None:
        with guard.CONTEXT:
            here = otel_context.set_value(_KEY, self)
            self._context = here if self._span is None else trace.set_span_in_context(self._span, here)
            self._token = otel_context.attach(self._context)

    def _emit(self, name: str, elapsed_ns: int, more: dict[str, AttributeValue], *, failed: bool = False) -> None:
        if self._runtime is None:
            return
        attributes = {
            **self._said,
            semconv.WAFER_JOB_SEQUENCE: self._sequence,
            semconv.WAFER_JOB_HEARTBEAT_INTERVAL: self._runtime.settings.heartbeat_interval,
            semconv.WAFER_JOB_ELAPSED: elapsed_ns / 1e9,
            **more,
        }
        self._sequence += 1
        events.emit(self._runtime.logger, name, self._context, attributes, failed=failed)

    def _elapsed_ns(self) -> int:
        with guard.CLOCK:
            return perf_counter_ns() - self._began
        return 0

    def _consumed(self, memory: int) -> Consumption:
        self._peak = max(self._peak, memory)
        return read().since(self._used, memory, self._peak)

    def _position(self) -> dict[str, AttributeValue]:
        state: dict[str, AttributeValue] = {}
        if self._progress is not None:
            done, total = self._progress
            state[semconv.WAFER_JOB_PROGRESS_DONE] = done
            if total is not None:
                state[semconv.WAFER_JOB_PROGRESS_TOTAL] = total
        steps = self._steps[-1:]
        if steps:
            state[semconv.WAFER_STEP_NAME] = steps[0].name
            state[semconv.WAFER_STEP_INDEX] = steps[0].index
        return state


_NO_JOB = Job(UNKNOWN)


def enclosing() -> Job | None:
    """Give the job whose block, or whose forked or threaded copy of it, this code runs in."""
    with guard.CONTEXT:
        found = otel_context.get_value(_KEY)
        if isinstance(found, Job):
            return found
    return None


def current_job() -> Job:
    """Give the job that this code runs in.

    Returns:
        The innermost one; outside of any a job that records nothing, so that a function may name its steps and
        progress without knowing who calls it.
    """
    return enclosing() or _NO_JOB
