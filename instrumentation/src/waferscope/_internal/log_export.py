"""The export of the standard `logging`'s records, where the author asks for it."""

from __future__ import annotations

import logging
import traceback
from typing import TYPE_CHECKING, Any

from opentelemetry import context as otel_context

from waferscope import semconv
from waferscope._internal import arguments, context, guard, process, severity
from waferscope._internal.correlation import STAMPS
from waferscope._internal.delivery import is_delivering
from waferscope._internal.records import Record

if TYPE_CHECKING:
    from waferscope._internal.arguments import AttributeValue
    from waferscope._internal.runtime import Runtime

_ABOVE = "waferscope-export"
# Set while any exporter of the OpenTelemetry SDK is at work, ours or the host's: what is logged then is about that.
_SUPPRESSED = getattr(otel_context, "_SUPPRESS_INSTRUMENTATION_KEY", "suppress_instrumentation")
_OWN = ("waferscope", "opentelemetry")
_PLAIN = set(logging.LogRecord("", 0, "", 0, "", (), None).__dict__) | {"message", "asctime", "taskName"}


class ExportHandler(logging.Handler):
    """Hands records to the pipeline, with their job and trace; not those about the pipeline itself."""

    def __init__(self, level: int, runtime: Runtime) -> None:
        super().__init__(min(level, logging.WARNING))  # those that `logging.lastResort` may want must come by
        self._from = level
        self._runtime = runtime

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler.emit`."""
        with guard.LOG:
            _resort(record)
            here = context.current()
            if (
                record.levelno < self._from
                or is_delivering()
                or here.get(_SUPPRESSED)
                or record.name.split(".", 1)[0] in _OWN
            ):
                return
            if not self._runtime.started:
                process.start(self._runtime)
            self._runtime.emit(
                Record(
                    None,
                    here,
                    _attributes(record, here),
                    severity=severity.of(record.levelno),
                    body=arguments.text(_message(record)),
                    time=int(record.created * 1e9),
                )
            )


def install(level: int | None, runtime: Runtime) -> None:
    """Let records that reach the root logger go on to the export, in the place of one set up before.

    Our handler stands above the root logger, not in it: there, it would keep a later `logging.basicConfig` from its
    work, and a later `logging.config.dictConfig` would throw it out.

    Args:
        level: From which records are exported, as far as the loggers' own levels let them through; None exports none.
        runtime: Sends them.
    """
    root = logging.getLogger()
    if level is not None and root.parent is None:
        root.parent = logging.Logger(_ABOVE)  # noqa: LOG001 - getLogger would make it a child of the root
    above = root.parent
    if above is not None and above.name == _ABOVE:
        above.handlers = [] if level is None else [ExportHandler(level, runtime)]


def _resort(record: logging.LogRecord) -> None:
    """Write a record that nobody but us hears, as `logging` would do without us."""
    last = logging.lastResort
    if last is not None and record.levelno >= last.level and not _is_heard(logging.getLogger(record.name)):
        last.handle(record)


def _is_heard(logger: logging.Logger | None) -> bool:
    while logger is not None and logger.name != _ABOVE:
        if logger.handlers:
            return True
        logger = logger.parent
    return False


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - its arguments don't fit: the host's own handlers tell that
        return str(record.msg)


def _attributes(record: logging.LogRecord, here: Any) -> dict[str, AttributeValue]:
    extra = {key: value for key, value in record.__dict__.items() if key not in _PLAIN and key not in STAMPS}
    said = {arguments.key(key): _plain(value) for key, value in extra.items() if value is not None}
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
    found = arguments.carriable(value)
    return arguments.text(value) if found is None else found
