"""Spans of jobs and steps: started, made current, ended, each call in its boundary."""

from __future__ import annotations

from contextvars import Token
from typing import TYPE_CHECKING

from opentelemetry import context as otel_context
from opentelemetry import trace

from waferscope._internal import guard

if TYPE_CHECKING:
    from opentelemetry.context import Context

    from waferscope._internal.identity import AttributeValue
    from waferscope._internal.outcome import Outcome


def start(
    tracer: trace.Tracer,
    name: str,
    attributes: dict[str, AttributeValue],
    start_ns: int | None,
    context: Context | None = None,
) -> trace.Span:
    """Start a span.

    Args:
        tracer: Of the scope `waferscope`.
        name: Of the job or the step.
        attributes: Known at the start.
        start_ns: Unix time in ns.
        context: Holds the parent; None means the current one.

    Returns:
        The span; one that records nothing if it could not be started.
    """
    with guard.SPAN:
        return tracer.start_span(
            name, context, attributes=attributes, start_time=start_ns, record_exception=False,
            set_status_on_exception=False,
        )  # fmt: skip
    return trace.INVALID_SPAN


def end(span: trace.Span, how: Outcome, error: BaseException | None, start_ns: int | None, elapsed_ns: int) -> None:
    """End a span.

    Args:
        span: What `start` gave.
        how: A failure sets the status ERROR and records the exception.
        error: The exception behind it.
        start_ns: Unix time in ns of the start.
        elapsed_ns: Since then by the monotonic clock: a step of the wall clock does not change the duration.
    """
    end_ns = None if start_ns is None else start_ns + elapsed_ns
    if how.error_type is not None:
        with guard.SPAN:
            span.set_status(trace.StatusCode.ERROR, f"{how.error_type}: {how.message}")
            if error is not None:
                span.record_exception(error, timestamp=end_ns, escaped=True)
    with guard.SPAN:
        span.end(end_ns)


def attach(span: trace.Span, context: Context | None = None) -> Token[Context] | None:
    """Make a span current.

    Args:
        span: What `start` gave.
        context: What else is current with it; None means what is current now.

    Returns:
        What `detach` needs.
    """
    with guard.CONTEXT:
        return otel_context.attach(trace.set_span_in_context(span, context))
    return None


def detach(token: Token[Context] | None) -> None:
    """Make current again what was so before."""
    if token is not None:
        with guard.CONTEXT:
            otel_context.detach(token)
