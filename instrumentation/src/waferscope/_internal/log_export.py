"""The export of the standard `logging`'s records, where the author asks for it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from opentelemetry import context as otel_context

from waferscope import semconv
from waferscope._internal import arguments, context, failure, guard, process, severity
from waferscope._internal.correlation import STAMPS
from waferscope._internal.delivery import is_delivering
from waferscope._internal.records import Record

if TYPE_CHECKING:
    from waferscope._internal.arguments import AttributeValue
    from waferscope._internal.runtime import Runtime

# Set while any exporter of the OpenTelemetry SDK is at work, ours or the host's: what is logged then is about that.
_SUPPRESSED = getattr(otel_context, "_SUPPRESS_INSTRUMENTATION_KEY", "suppress_instrumentation")
_OWN = ("waferscope", "opentelemetry")
_PLAIN = set(logging.LogRecord("", 0, "", 0, "", (), None).__dict__) | {"message", "asctime", "taskName"}


class _Export:
    """What is exported: nothing until somebody asks for it."""

    level: int | None = None
    runtime: Runtime | None = None
    installed = False


def install(level: int | None, runtime: Runtime) -> None:
    """Export records from a level on, beside what the host's handlers do with them.

    No handler is added: with one on the root logger, `basicConfig` would do nothing, and warnings would no longer
    reach standard error by themselves. Loggers' levels and filters decide as before which records there are.

    Args:
        level: From which records are exported, as far as the loggers' own levels let them through; None exports none.
        runtime: Sends them.
    """
    _Export.level, _Export.runtime = level, runtime
    if level is None or _Export.installed:
        return
    _Export.installed = True
    below = logging.Logger.callHandlers

    def call_handlers(logger: logging.Logger, record: logging.LogRecord) -> None:
        _export(record)
        below(logger, record)

    logging.Logger.callHandlers = call_handlers  # type: ignore[method-assign,assignment] # every record comes by, once


def _export(record: logging.LogRecord) -> None:
    """Hand a record to the pipeline, with its job and trace; not one about the pipeline itself."""
    level, runtime = _Export.level, _Export.runtime
    if level is None or runtime is None or record.levelno < level or is_delivering():
        return
    with guard.LOG:
        here = context.current()
        if here.get(_SUPPRESSED) or record.name.split(".", 1)[0] in _OWN:
            return
        if not runtime.started:
            process.start(runtime)
        body = arguments.text(_message(record))
        said = _attributes(record, here)
        time = int(record.created * 1e9)
        runtime.emit(Record(None, here, said, severity=severity.of(record.levelno), body=body, time=time))


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception as error:
        if guard.passes(error, error.__traceback__):
            raise
        return str(record.msg)  # its arguments don't fit: the host's own handlers tell that


def _attributes(record: logging.LogRecord, here: Any) -> dict[str, AttributeValue]:
    extra = {key: value for key, value in record.__dict__.items() if key not in _PLAIN and key not in STAMPS}
    said = {arguments.key(key): _plain(value) for key, value in extra.items() if value is not None}
    said[semconv.CODE_FILE_PATH] = arguments.text(record.pathname)
    said[semconv.CODE_FUNCTION_NAME] = arguments.text(record.funcName or "")
    said[semconv.CODE_LINE_NUMBER] = record.lineno
    job = context.job_of(here)
    run = job._running() if job is not None else None
    if run is not None:
        said.update(run.on_steps)
    if record.exc_info and record.exc_info[1] is not None:
        said.update(failure.described(record.exc_info[1]))
    return said


def _plain(value: Any) -> AttributeValue:
    """Give an `extra` as OTLP can carry it; no misuse: it was meant for other handlers."""
    found = arguments.carriable(value)
    return arguments.text(value) if found is None else found
