"""The current context: OpenTelemetry's, with the job, its span and its baggage set in one go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from opentelemetry import baggage, trace
from opentelemetry import context as otel_context
from opentelemetry.context import Context

from waferscope._internal import guard

if TYPE_CHECKING:
    from contextvars import Token

    from waferscope._internal.job import Job
    from waferscope._internal.step import Step

# The keys under which the API keeps span and baggage, learned from what it does: setting all in one copy of the
# context costs a third of setting them one by one.
_SPAN = next(iter(trace.set_span_in_context(trace.INVALID_SPAN, Context())))
_BAGGAGE = next(iter(baggage.set_baggage("key", "value", Context())))
_JOB = otel_context.create_key("waferscope-job")
_STEP = otel_context.create_key("waferscope-step")

_NOTHING: Mapping[str, Any] = {}
# Ended in another task or thread than begun: that one's context is none of ours. Or a signal handler of the host's
# raised right after the first try.
_NOT_HERE = guard.Expected(ValueError, RuntimeError)

EMPTY = Context()
current = otel_context.get_current
attach = otel_context.attach


def detach(token: Token[Context] | None) -> None:
    """Make current again what was so before; elsewhere than where it was attached there is nothing to give back."""
    if token is None:
        return
    with _NOT_HERE:
        token.var.reset(token)


def leave(here: Context | None, token: Token[Context] | None, outer: Context | None) -> None:
    """Make current again what was so before a context was attached, also where the host raised amid that.

    Args:
        here: The context.
        token: What attaching it gave; None if it did not come to that.
        outer: What was current before; None where that is not known.
    """
    try:
        _leave(here, token, outer)
    except BaseException:
        _leave(here, token, outer)
        raise


def _leave(here: Context | None, token: Token[Context] | None, outer: Context | None) -> None:
    with guard.CONTEXT:
        if token is not None:
            detach(token)
        elif outer is not None and current() is here:
            attach(outer)


def with_job(context: Context, job: Job, span: trace.Span | None, carried: Mapping[str, str]) -> Context:
    """Give a context in which a job runs.

    Args:
        context: What is current.
        job: The job.
        span: Its span.
        carried: What goes along as baggage to other processes, beside what is carried already.
    """
    values = {**context, _JOB: job, _STEP: None, _BAGGAGE: {**baggage_of(context), **carried}}
    if span is not None:
        values[_SPAN] = span
    return Context(values)


def with_step(context: Context, step: Step, span: trace.Span) -> Context:
    """Give a context in which a step runs."""
    return Context({**context, _STEP: step, _SPAN: span})


def job_of(context: Context) -> Job | None:
    """Give the job that runs in a context."""
    return context.get(_JOB)  # type: ignore[return-value] # only with_job sets it


def innermost(context: Context) -> Job | Step | None:
    """Give what runs in a context: its step, else its job."""
    return step_of(context) or job_of(context)


def step_of(context: Context) -> Step | None:
    """Give the innermost step that runs in a context."""
    return context.get(_STEP)  # type: ignore[return-value] # only with_step sets it


def baggage_of(context: Context) -> Mapping[str, Any]:
    """Give what goes along with a context."""
    found = context.get(_BAGGAGE)
    return found if isinstance(found, dict) else _NOTHING


def is_bare(context: Context) -> bool:
    """Whether a context holds neither a span nor baggage: what the process was started with may stand in."""
    return _SPAN not in context and _BAGGAGE not in context


def over(below: Context, context: Context) -> Context:
    """Give a context with what it lacks taken from another."""
    return Context({**below, **context})


def trace_of(context: Context) -> int:
    """Give the id of the trace that a context is in; 0 for none."""
    return trace.get_current_span(context).get_span_context().trace_id
