"""Spans of jobs and steps: started, ended, linked, each call in its boundary."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.trace import Link, SpanContext, TraceFlags

from waferscope._internal import failure, guard

if TYPE_CHECKING:
    from opentelemetry.context import Context

    from waferscope._internal.arguments import AttributeValue
    from waferscope._internal.outcome import Outcome

_ESCAPED = "exception.escaped"
# W3C Trace Context, "traceparent Header"
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")


def start(
    tracer: trace.Tracer,
    name: str,
    attributes: dict[str, AttributeValue],
    start_ns: int,
    context: Context,
    *,
    links: Sequence[Link] = (),
) -> trace.Span:
    """Start a span.

    Args:
        tracer: Of the scope `waferscope`.
        name: Of the job or the step.
        attributes: Known at the start.
        start_ns: Unix time in ns; 0 lets the SDK look at its own clock.
        context: Holds the parent.
        links: To other spans.

    Returns:
        The span; one that records nothing if it could not be started.
    """
    with guard.SPAN:
        return tracer.start_span(
            name, context, attributes=attributes, links=links, start_time=start_ns or None, record_exception=False,
            set_status_on_exception=False,
        )  # fmt: skip
    return trace.INVALID_SPAN


def end(span: trace.Span, how: Outcome, error: BaseException | None, start_ns: int, elapsed_ns: int) -> None:
    """End a span.

    Args:
        span: What `start` gave.
        how: A failure sets the status ERROR and records the exception.
        error: The exception behind it.
        start_ns: Unix time in ns of the start; 0 where it is not known.
        elapsed_ns: Since then by the monotonic clock: a step of the wall clock does not change the duration.
    """
    end_ns = start_ns + elapsed_ns if start_ns else None
    if how.error_type is not None:
        with guard.SPAN:
            span.set_status(trace.StatusCode.ERROR, f"{how.error_type}: {how.message or how.reason}")
            if error is not None:
                # As `record_exception` does, which would take megabytes where the text has them.
                span.add_event("exception", {**failure.described(error), _ESCAPED: "True"}, end_ns)
    with guard.SPAN:
        span.end(end_ns)


def traceparent(span: trace.Span | None) -> str | None:
    """Write where a span stands, as W3C Trace Context does; None for one that has no place."""
    with guard.SPAN:
        context = span.get_span_context() if span is not None else None
        if context is not None and context.is_valid:
            return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags & 0xFF:02x}"
    return None


def context_of(other: Any) -> SpanContext | None:
    """Find the span that a link points to.

    Args:
        other: A job that has begun, a traceparent, or a link, span or span context of OpenTelemetry.

    Returns:
        Its context; None for what is none of these.
    """
    with guard.SPAN:
        if isinstance(other, SpanContext | Link | trace.Span):
            place = other if isinstance(other, SpanContext) else _context(other)
            return place if place.is_valid else None
        parts = _TRACEPARENT.fullmatch(str(getattr(other, "traceparent", other)))
        if parts is not None:
            trace_id, span_id, flags = (int(part, 16) for part in parts.groups())
            found = SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(flags))
            return found if found.is_valid else None
    return None


def is_place(other: Any) -> bool:
    """Whether something may stand for a span: a job, also before it has begun, or what OpenTelemetry has for one."""
    return hasattr(type(other), "traceparent") or isinstance(other, SpanContext | Link | trace.Span)


def _context(other: Link | trace.Span) -> SpanContext:
    return other.context if isinstance(other, Link) else other.get_span_context()
