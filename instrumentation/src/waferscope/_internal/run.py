"""One run of a job under way: from its first event to its span and its metrics at the end."""

from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING

from opentelemetry._logs import SeverityNumber
from opentelemetry.trace import INVALID_SPAN, Link

from waferscope import semconv
from waferscope._internal import arguments, clock, context, guard, outcome, report, span, usage
from waferscope._internal.records import Record

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span

    from waferscope._internal.job import Job
    from waferscope._internal.outcome import Outcome
    from waferscope._internal.report import Said
    from waferscope._internal.runtime import Runtime
    from waferscope._internal.spec import Spec
    from waferscope._internal.step import Step
    from waferscope._internal.usage import Consumption, Memory, Probe, Usage

_STARTED = semconv.EVENT_WAFER_JOB_STARTED
_HEARTBEAT = semconv.EVENT_WAFER_JOB_HEARTBEAT
_ENDED = semconv.EVENT_WAFER_JOB_ENDED


class Run:
    """What is known of a job while it runs.

    Attributes:
        runtime: Tells of it.
        spec: What its author said, and what it inherited.
        job_id: `wafer.job.id`.
        span: Its span; one that records nothing in the copy for another process.
        context: In which it runs.
        on_steps: What the spans of its steps and its log records say of it.
        progress: Units done, and in all where known.
        substrates: How many it has dealt with, call by call: appending is atomic, adding is not.
        more: What else its events shall say.
    """

    __slots__ = (
        "_beat", "_began", "_ended", "_gc", "_gpu_peak", "_measured", "_peak", "_pid", "_probe", "_said", "_sequence",
        "_start_ns", "_step_numbers", "_steps", "_told", "_used", "context", "job_id", "more", "on_steps", "progress",
        "runtime", "span", "spec", "substrates",
    )  # fmt: skip

    def __init__(self, runtime: Runtime, spec: Spec, job_id: str, here: Context, probe: Probe | None = None) -> None:
        self.runtime = runtime
        self.spec = spec
        self.job_id = job_id
        self.context = here
        self.span: Span = INVALID_SPAN
        self.on_steps = report.on_steps(spec, job_id)
        self.progress: tuple[float, float | None] | None = None
        self.substrates: list[int] = []
        self.more: Said = {}
        self._probe = probe
        self._said: Said = {}
        self._used = usage.NOTHING
        self._beat: Record | None = None
        self._pid = self._sequence = self._start_ns = self._began = self._peak = self._gpu_peak = 0
        self._gc = 0.0
        self._ended = self._measured = False
        self._told: Outcome | None = None  # by the ended event
        self._steps: list[Step] = []
        self._step_numbers = itertools.count()

    def start(self, job: Job) -> None:
        """Tell that the job has started; its context is to be made current by the caller.

        Args:
            job: Whose run it is.
        """
        runtime, here = self.runtime, self.context
        carried = context.baggage_of(here)
        self.spec = spec = self.spec.inherit(carried)
        self._start_ns = start_ns = clock.now()
        self._began = clock.monotonic()
        probe = self._probe or runtime.probe
        self._used, self._peak = probe.usage(), probe.memory().own
        self._gc = runtime.gc.seconds if runtime.gc is not None else 0.0
        queue_s = None if spec.queued_ns is None else max(start_ns - spec.queued_ns, 0) / 1e9
        parent_id = spec.parent_id or carried.get(semconv.WAFER_JOB_ID)
        if parent_id is not None:
            parent_id = arguments.key(parent_id)  # it may come from another process
        self._said = report.on_events(spec, self.job_id, parent_id, queue_s)
        self.span = span.start(runtime.tracer, spec.name, self._said, start_ns, here, links=self._links())
        with guard.CONTEXT:
            more = {**spec.carried, semconv.WAFER_JOB_ID: self.job_id}
            self.context = context.with_job(here, job, self.span, more)
        with guard.SPAN:
            runtime.lots.note(spec.attributes.get(semconv.WAFER_LOT_ID), self.span)
        self._pid = os.getpid()  # from here on it has begun, and must end
        runtime.emit(Record(_STARTED, self.context, self._event(0, self.more), time=start_ns), wake=True)
        runtime.active[id(self)] = self
        if queue_s is not None:
            runtime.meter.record(semconv.METRIC_WAFER_JOB_QUEUE_DURATION, queue_s, spec.on_metrics, self.span, start_ns)

    def end(self, how: Outcome, error: BaseException | None) -> bool:
        """Tell how the job ended; only once, and only in the process that began it.

        Args:
            how: Its outcome.
            error: The exception behind it.

        Returns:
            Whether it was told by this call. Where the host raises amid it, another call does what is left to do.
        """
        if self._pid != os.getpid():
            return False
        ours = False
        try:
            with self.runtime.lock:
                if self._ended:
                    return False
                self._ended = ours = True
            self._tell_end(self._told or how, error)
        except BaseException:
            if ours:
                self._ended = False
            raise
        return True

    def _tell_end(self, how: Outcome, error: BaseException | None) -> None:
        runtime = self.runtime
        runtime.active.pop(id(self), None)
        elapsed_ns = self._elapsed_ns()
        consumed = self._consumed(None)
        on_span = {**report.on_consumption(consumed), **self._extras(), **self.more, **report.on_end(how)}
        if self._told is None:
            number = SeverityNumber.ERROR if how.result == outcome.FAILURE.result else SeverityNumber.INFO
            attributes = self._event(elapsed_ns, {**on_span, **self._position()})
            runtime.emit(Record(_ENDED, self.context, attributes, severity=number), wake=True)
            self._told = how
        with guard.SPAN:
            if not self.span.is_recording():
                on_span = {}
        if on_span:
            with guard.SPAN:
                self.span.set_attributes(on_span)
            span.end(self.span, how, error, self._start_ns, elapsed_ns)
        with guard.METRIC:
            if not self._measured:
                self._measured = True
                report.record(
                    runtime.meter, self.spec, how, elapsed_ns / 1e9, consumed=consumed,
                    substrates=sum(self.substrates), span=self.span, time=self._start_ns + elapsed_ns,
                )  # fmt: skip

    def abandon(self, reason: str) -> None:
        """End the job because its process ends.

        Args:
            reason: Why.
        """
        for step in reversed(self._steps[:]):
            step.cancel(reason)
            step.__exit__(None, None, None)
        with guard.JOB:
            self.end(outcome.Outcome(outcome.CANCELLATION.result, reason=reason), None)

    def sample(self, memory: Memory) -> None:
        """Note the memory of now: its highest value during the job is told.

        Args:
            memory: Of the process; a job with a probe of its own asks that.
        """
        self._peak = max(self._peak, memory.own if self._probe is None else self._probe.memory().own)

    def beat(self, used: Usage | None = None) -> None:
        """Tell that the job still runs; a heartbeat that has not left yet is replaced, so that few wait in an outage.

        Args:
            used: By the process so far, where it has just been read.
        """
        with self.runtime.lock:
            if self._ended:
                return
            state = {**report.on_heartbeats(self._consumed(used)), **self._extras(), **self.more, **self._position()}
            waiting = self._beat
            if waiting is not None and not waiting.taken:
                self._sequence -= 1  # the number of the one that it replaces: a gap would look like a loss
                waiting.said = (clock.now(), self._event(self._elapsed_ns(), state))
            else:
                self._beat = Record(_HEARTBEAT, self.context, self._event(self._elapsed_ns(), state))
                self.runtime.emit(self._beat, wake=True)

    def enter_step(self, step: Step) -> int:
        """Note a step that begins; give its number."""
        self._steps.append(step)
        return next(self._step_numbers)

    def leave_step(self, step: Step, how: Outcome, elapsed: float, span: Span, time: int) -> None:
        """Note a step that has ended.

        Args:
            step: One that has entered.
            how: Its outcome.
            elapsed: Its duration, s.
            span: Its span, for an exemplar.
            time: Of its end, Unix time in ns.
        """
        with guard.METRIC:
            try:
                self._steps.remove(step)
            except ValueError:  # it has left already, but the host raised amid that
                return
            labels = (
                *self.spec.on_metrics,
                (semconv.WAFER_JOB_RESULT, how.result),
                (semconv.WAFER_STEP_NAME, step.name),
            )
            self.runtime.meter.record(semconv.METRIC_WAFER_STEP_DURATION, elapsed, labels, span, time)

    def forget_step(self, step: Step) -> None:
        """Take a step off the list of those that run, if it is there."""
        if step in self._steps:
            self._steps.remove(step)

    def _links(self) -> list[Link]:
        """Link the jobs that the author names, and the one before of the same lot unless it is in the same trace."""
        links = []
        for other in self.spec.links:
            found = span.context_of(other)
            if found is None:
                arguments.misuse("%r is no job that has begun; no link to it", other)
            else:
                links.append(other if isinstance(other, Link) else Link(found))
        lot = self.spec.attributes.get(semconv.WAFER_LOT_ID)
        before = self.runtime.lots.get(lot)
        if before is not None and before.trace_id != context.trace_of(self.context):
            links.append(Link(before, {semconv.WAFER_LOT_ID: str(lot)}))
        return links

    def _event(self, elapsed_ns: int, more: Said) -> Said:
        """Give the attributes of the next event."""
        attributes = {
            **self._said,
            semconv.WAFER_JOB_SEQUENCE: self._sequence,
            semconv.WAFER_JOB_HEARTBEAT_INTERVAL: self.runtime.settings.heartbeat_interval,
            semconv.WAFER_JOB_ELAPSED: elapsed_ns / 1e9,
            **more,
        }
        self._sequence += 1
        return attributes

    def _elapsed_ns(self) -> int:
        return max(clock.monotonic() - self._began, 0)

    def _consumed(self, used: Usage | None) -> Consumption:
        probe = self._probe or self.runtime.probe
        memory = probe.memory()
        self._peak = max(self._peak, memory.own)
        now = used if used is not None and self._probe is None else probe.usage()
        return usage.between(self._used, now, memory, self._peak)

    def _extras(self) -> Said:
        """Give what only some processes measure."""
        said: Said = {}
        runtime = self.runtime
        if runtime.gc is not None:
            said[semconv.WAFER_JOB_GC_PAUSE] = runtime.gc.seconds - self._gc
        if runtime.gpu is not None:
            held = runtime.gpu.memory()
            if held is not None:
                self._gpu_peak = max(self._gpu_peak, held)
                said[semconv.WAFER_JOB_GPU_MEMORY_CURRENT] = held
                said[semconv.WAFER_JOB_GPU_MEMORY_MAX] = self._gpu_peak
        return said

    def _position(self) -> Said:
        state: Said = {}
        if self.progress is not None:
            done, total = self.progress
            state[semconv.WAFER_JOB_PROGRESS_DONE] = done
            if total is not None:
                state[semconv.WAFER_JOB_PROGRESS_TOTAL] = total
        steps = self._steps[-1:]
        if steps:
            state[semconv.WAFER_STEP_NAME] = steps[0].name
            state[semconv.WAFER_STEP_INDEX] = steps[0].index
        return state
