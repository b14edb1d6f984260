"""The job's ids on every record of the standard `logging`, for formatters and handlers to use."""

from __future__ import annotations

import logging
from typing import Any

from opentelemetry import trace

from waferscope._internal import context, guard

STAMPS = frozenset(("wafer_job_id", "wafer_job_name", "wafer_trace_id", "wafer_span_id"))


class _Installed:
    done = False


def install() -> None:
    """Let records carry `wafer_job_id`, `wafer_job_name`, `wafer_trace_id` and `wafer_span_id`, empty outside of jobs.

    The factory that was set before still makes the records. A line changes where its format names the attributes, or
    where its formatter writes all that a record has, as those for JSON do: such lines gain the four, empty ones too. To
    leave them out outside of jobs would break the formats that name them.
    """
    if _Installed.done:
        return
    _Installed.done = True
    below = logging.getLogRecordFactory()

    def factory(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = below(*args, **kwargs)
        _stamp(record)
        return record

    logging.setLogRecordFactory(factory)


class _Stamped(dict[str, Any]):
    """A record's attributes, ours hidden from the check of `Logger.makeRecord`: an `extra` of such a name may win."""

    __slots__ = ()

    def __contains__(self, name: object) -> bool:
        return name not in STAMPS and super().__contains__(name)

    def __reduce__(self) -> tuple[Any, ...]:
        """Cross to other processes as a plain dict."""
        return dict, (dict(self),)


def _stamp(record: logging.LogRecord) -> None:
    with guard.LOG:  # a class of the host's may refuse attributes
        record.__dict__ = _Stamped(record.__dict__)
        record.wafer_job_id = record.wafer_job_name = record.wafer_trace_id = record.wafer_span_id = ""
        here = context.current()
        job = context.job_of(here)
        if job is None:
            return
        record.wafer_job_id, record.wafer_job_name = job.id, job.name
        span = trace.get_current_span(here).get_span_context()
        if span.is_valid:
            record.wafer_trace_id, record.wafer_span_id = f"{span.trace_id:032x}", f"{span.span_id:016x}"
