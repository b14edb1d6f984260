"""The log events that tell of a running job: a span reaches a backend only when it ends."""

from __future__ import annotations

from time import time_ns
from typing import TYPE_CHECKING

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context

from waferscope import semconv
from waferscope._internal import guard

if TYPE_CHECKING:
    from opentelemetry._logs import Logger

    from waferscope._internal.identity import AttributeValue

STARTED = semconv.EVENT_WAFER_JOB_STARTED
HEARTBEAT = semconv.EVENT_WAFER_JOB_HEARTBEAT
ENDED = semconv.EVENT_WAFER_JOB_ENDED


def emit(
    logger: Logger, name: str, context: Context | None, attributes: dict[str, AttributeValue], *, failed: bool = False
) -> None:
    """Emit one event, now by the wall clock.

    Args:
        logger: Of the scope `waferscope`.
        name: The event's name.
        context: Holds the job's span.
        attributes: Of the event.
        failed: The end of a failed job: severity ERROR instead of INFO.
    """
    with guard.EVENT:
        now = time_ns()
        logger.emit(
            LogRecord(
                timestamp=now,
                observed_timestamp=now,
                context=context,
                severity_number=SeverityNumber.ERROR if failed else SeverityNumber.INFO,
                severity_text="ERROR" if failed else "INFO",
                attributes=attributes,
                event_name=name,
            )
        )
