"""Events and log records on their way out: made on the job's path, completed by the exporting thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry._logs import LogRecord, SeverityNumber

from waferscope._internal import clock

if TYPE_CHECKING:
    from opentelemetry.context import Context

    from waferscope._internal.arguments import AttributeValue

_TEXTS = {
    SeverityNumber.TRACE: "TRACE",
    SeverityNumber.DEBUG: "DEBUG",
    SeverityNumber.INFO: "INFO",
    SeverityNumber.WARN: "WARN",
    SeverityNumber.ERROR: "ERROR",
    SeverityNumber.FATAL: "FATAL",
}


class Record:
    """An event or a log record that waits to be exported.

    Attributes:
        name: The event's name; None for a log record.
        context: Holds the span that it belongs to.
        severity: By OpenTelemetry's numbers.
        body: The message of a log record.
        said: When (Unix time in ns) and with which attributes. Replaced as a whole while the record waits, when a
            newer heartbeat says more: so the exporting thread reads either.
        taken: It waits no more: the exporting thread has it, or it was dropped.
    """

    __slots__ = ("body", "context", "name", "said", "severity", "taken")

    def __init__(
        self,
        name: str | None,
        context: Context | None,
        attributes: dict[str, AttributeValue],
        *,
        severity: SeverityNumber = SeverityNumber.INFO,
        body: str | None = None,
        time: int | None = None,
    ) -> None:
        self.name = name
        self.context = context
        self.severity = severity
        self.body = body
        self.said = (clock.now() if time is None else time, attributes)
        self.taken = False

    @staticmethod
    def gave_way(item: Any) -> None:
        """Note that a full outbox has dropped a record: a newer heartbeat must not be written into it."""
        if isinstance(item, Record):
            item.taken = True

    def to_sdk(self) -> LogRecord:
        """Take the record: give it in the API's form."""
        self.taken = True
        time, attributes = self.said
        return LogRecord(
            timestamp=time,
            observed_timestamp=time,
            context=self.context,
            severity_number=self.severity,
            severity_text=_TEXTS.get(self.severity, self.severity.name),
            body=self.body,
            attributes=attributes,
            event_name=self.name,
        )
