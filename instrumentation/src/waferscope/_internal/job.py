"""A job, as its author holds it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from waferscope._internal import (
    arguments,
    clock,
    context,
    guard,
    ids,
    measurements,
    outcome,
    position,
    process,
    severity,
    span,
)
from waferscope._internal.observed import Observed
from waferscope._internal.records import Record
from waferscope._internal.run import Run
from waferscope._internal.spec import Arguments, Spec
from waferscope._internal.step import Step, make_step
from waferscope._internal.track import Track

if TYPE_CHECKING:
    from opentelemetry.context import Context

    from waferscope._internal.arguments import AttributeValue
    from waferscope._internal.runtime import Runtime
    from waferscope._internal.usage import Probe

T = TypeVar("T")


class Job(Observed):
    """One run of a job; made by `waferscope.job`.

    Attributes:
        id: `wafer.job.id`.
        attempt: Number of the attempt at this id, from 1.
    """

    __slots__ = ("_arguments", "_begun", "_probe", "_run", "_spec", "_tracked", "attempt", "id")

    def __init__(self, spec: Spec, given: Arguments | None = None, probe: Probe | None = None) -> None:
        super().__init__()
        self.id = spec.id or ids.new_job_id()
        self.attempt = spec.attempt
        self._spec = spec
        self._arguments = given
        self._probe = probe
        self._run: Run | None = None
        self._begun = False
        self._tracked: object = None

    @property
    def name(self) -> str:
        """`wafer.job.name`."""
        return self._spec.name

    @property
    def traceparent(self) -> str | None:
        """Where the job's span stands, as W3C Trace Context writes it; None while it has not begun."""
        return None if self._run is None else span.traceparent(self._run.span)

    def step(self, name: str, /, **attributes: AttributeValue) -> Step:
        """Make a step of this job, for `with`, `async with` or as a decorator.

        Args:
            name: Of low cardinality ("fit", not "fit wafer 7"): it becomes a metric label.
            **attributes: What else its span shall carry; `slot=7`, `substrate=…` and so on are those of a job.

        Returns:
            The step; it begins when it is entered.
        """
        return make_step(lambda: self, name, attributes)

    def progress(self, done: float, total: float | None = None) -> None:
        """Say how far the job is. Costs next to nothing: the newest value goes with the next heartbeat.

        Args:
            done: Units of work done.
            total: Units of work in all, where known.
        """
        with guard.ARGUMENTS:
            said = position.checked(done, total)
            if said is not None and self._run is not None:
                self._run.progress = said

    def track(self, items: Iterable[T], total: int | None = None, unit: str = "it") -> Track[T]:
        """Iterate, and say how far the job is; on a terminal a bar shows it.

        Of iterations within each other over one job the outermost tells its progress.

        Args:
            items: What to iterate over, by `for` or, where it can, by `async for`.
            total: How many there are; else `len(items)` where it has a length.
            unit: Of what, beside the bar.

        Returns:
            The same items.
        """
        return Track(self, items, total, unit)

    def processed(self, substrates: int = 1) -> None:
        """Count substrates that the job has dealt with.

        Args:
            substrates: How many more.
        """
        with guard.ARGUMENTS:
            counted = arguments.whole("substrates", substrates, 0, least=0)
            if self._run is not None:
                self._run.substrates.append(counted)

    def record(self, name: str, value: float, unit: str = "1", buckets: tuple[float, ...] | None = None) -> None:
        """Record a measurement of the process, an overlay in nm for example, as a histogram.

        Args:
            name: Of the metric, outside of `wafer.`; of low cardinality.
            value: Finite.
            unit: By UCUM.
            buckets: Bounds of the buckets, ascending, the same for every call; else 1-2-5 steps from 1e-3 to 5e5 on
                both sides of zero.
        """
        with guard.METRIC:
            metric = measurements.metric(name, unit, buckets)
            measured = arguments.number("value", value)
            run = self._running()
            if metric is not None and measured is not None and run is not None:
                run.runtime.meter.record(metric, measured, run.spec.on_metrics, run.span, clock.now())

    def log(self, message: str, level: str | int = "info", **attributes: AttributeValue) -> None:
        """Write a log record of the job; it stands beside its events at the site.

        Args:
            message: For people.
            level: A level of `logging`, by its name or number.
            **attributes: What else it shall carry.
        """
        with guard.LOG:
            said, number = arguments.attributes(attributes), severity.of(level)
            body = arguments.prose("the message", message)
            run = self._running()
            if run is not None:
                said.update(run.on_steps)
                run.runtime.emit(Record(None, self._context_here(run), said, severity=number, body=body))

    def retry(self) -> Job:
        """Make the next attempt at this job: the same id, not yet begun; what it waits for is no queue."""
        next_one = replace(self._spec, id=self.id, attempt=self.attempt + 1, queued_ns=None)
        return Job(next_one, None, self._probe)

    def _again(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Job:
        """See `Observed._again`."""
        with guard.ARGUMENTS:
            if self._arguments is not None:
                return Job(self._arguments.called(args, kwargs).check(), None, self._probe)
        return Job(self._spec, None, self._probe)

    def _begin(self) -> None:
        """Tell that the job has started, and make it current."""
        with guard.JOB:
            if self._begun:
                arguments.misuse("job %s is entered a second time: not recorded, make a new one", self.name)
                self._repeats += 1
                return
            self._begun = True
            if self._arguments is not None:  # functions among them, but no call to tell them: they are refused here
                self._spec = spec = self._arguments.check()
                self.id, self.attempt = spec.id or self.id, spec.attempt
            runtime = self._pipeline()
            self._outer = here = context.current()
            if runtime is None:
                inside = context.with_job(here, self, None, {})
            else:
                if context.is_bare(here):
                    here = context.over(runtime.inherited, here)
                self._run = run = Run(runtime, self._spec, self.id, here, self._probe)
                run.start(self)
                inside = run.context
            with guard.CONTEXT:
                context.attach(inside)

    def _finish(self, error: BaseException | None) -> None:
        """Tell how the job ended. The copy in a forked child says nothing: the process that began a job ends it."""
        if self._repeats:
            self._repeats -= 1
            return
        with guard.JOB:
            self._outside()
            run = self._run
            if run is not None and run.end(outcome.of(error, self._declared), error):
                settings = run.runtime.settings
                if settings.flush_after_job and not run.runtime.active:
                    run.runtime.settle()

    def _claim(self, iteration: object) -> bool:
        """Tell whether an iteration is the outermost one over this job: only that one tells how far the job is."""
        if self._tracked is None:
            self._tracked = iteration
        return self._tracked is iteration

    def _release(self) -> None:
        """Let another iteration tell how far the job is."""
        self._tracked = None

    def _holds(self, here: Context) -> bool:
        """See `Observed._holds`."""
        return context.job_of(here) is self

    def _measure(self, probe: Probe) -> None:
        """Let something else than this process tell what the job uses, before it begins.

        Args:
            probe: Tells it.
        """
        self._probe = probe

    def _pipeline(self) -> Runtime | None:
        """Give what shall tell of the job; None in a disabled wrapper."""
        return process.current()

    def _running(self) -> Run | None:
        """Give what is known of the job while it runs, ready for use in this process; None before it has begun."""
        run = self._run
        if run is not None and not run.runtime.started:
            process.start(run.runtime)
        return run

    def _context_here(self, run: Run, current: Context | None = None) -> Context:
        """Give the context for a step: the current one if it is this job's; in another thread the job's own.

        Args:
            run: Of this job.
            current: The current one, where it is known.
        """
        with guard.CONTEXT:
            here = context.current() if current is None else current
            return here if context.job_of(here) is self else run.context
        return run.context

    def _carried(self) -> Spec:
        """Give what a copy of this job in another process has to know."""
        return replace(self._spec if self._run is None else self._run.spec, id=self.id, links=())

    @classmethod
    def _elsewhere(cls, spec: Spec, here: Context) -> Context:
        """Give the context of a job that runs in another process: steps here stand under it, its end is not ours.

        Args:
            spec: What `_carried` gave there.
            here: The context that arrived from there.
        """
        job = cls(spec)
        job._begun = True
        runtime = process.current()
        arrived = context.with_job(here, job, None, {})
        if runtime is not None:
            job._run = Run(runtime, spec, job.id, arrived)
        return arrived
