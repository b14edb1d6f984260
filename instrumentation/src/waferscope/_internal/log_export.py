"""The export of the standard `logging`'s records, where the author asks for it."""

from __future__ import annotations

import logging
import traceback
from typing import TYPE_CHECKING, Any

from waferscope import semconv
from waferscope._internal import arguments, context, guard, severity
from waferscope._internal.delivery import is_delivering
from waferscope._internal.records import Record

if TYPE_CHECKING:
    from waferscope._internal.arguments import AttributeValue
    from waferscope._internal.runtime import Runtime

_OWN = ("waferscope", "opentelemetry")
_PLAIN = set(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
_STAMPED = {"wafer_job_id", "wafer_job_name", "wafer_trace_id", "wafer_span_id"}


class ExportHandler(logging.Handler):
    """Hands records to the pipeline, with their job and trace; not those about the pipeline itself."""

    def __init__(self, level: int, runtime: Runtime) -> None:
        super().__init__(level)
        self._runtime = runtime

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler.emit`."""
        if is_delivering() or record.name.split(".", 1)[0] in _OWN:
            return
        with guard.LOG:
            here = context.current()
            self._runtime.emit(
                Record(
                    None,
                    here,
                    _attributes(record, here),
                    severity=severity.of(record.levelno),
                    body=arguments.text(record.getMessage()),
                    time=int(record.created * 1e9),
                )
            )


def install(level: int | None, runtime: Runtime) -> None:
    """Add the handler to the root logger, in the place of one added before.

    Args:
        level: From which records are exported; None exports none.
        runtime: Sends them.
    """
    root = logging.getLogger()
    for handler in [item for item in root.handlers if isinstance(item, ExportHandler)]:
        root.removeHandler(handler)
    if level is not None:
        root.addHandler(ExportHandler(level, runtime))


def _attributes(record: logging.LogRecord, here: Any) -> dict[str, AttributeValue]:
    extra = {key: value for key, value in record.__dict__.items() if key not in _PLAIN and key not in _STAMPED}
    said: dict[str, AttributeValue] = {key: _plain(value) for key, value in extra.items() if value is not None}
    said[semconv.CODE_FILE_PATH] = arguments.text(record.pathname)
    said[semconv.CODE_FUNCTION_NAME] = record.funcName or ""
    said[semconv.CODE_LINE_NUMBER] = record.lineno
    job = context.job_of(here)
    run = job.run() if job is not None else None
    if run is not None:
        said.update(run.on_steps)
    if record.exc_info and record.exc_info[1] is not None:
        kind, error, _ = record.exc_info
        said[semconv.EXCEPTION_TYPE] = kind.__qualname__ if kind is not None else ""
        said[semconv.EXCEPTION_MESSAGE] = arguments.text(error)
        said[semconv.EXCEPTION_STACKTRACE] = arguments.text("".join(traceback.format_exception(error)))
    return said


def _plain(value: Any) -> AttributeValue:
    """Give an `extra` as OTLP can carry it; no misuse: it was meant for other handlers."""
    if isinstance(value, bool | float):
        return value
    return value if isinstance(value, int) and abs(value) < 2**63 else arguments.text(value)
