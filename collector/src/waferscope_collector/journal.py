"""The writer's log: lines of text or of JSON on standard error, and repeated warnings only so often."""

import json
import logging
import sys
import threading
import time
from datetime import UTC, datetime
from typing import Literal

Format = Literal["text", "json"]

_PERIOD = 60.0  # s
_BURST = 10  # lines of one kind in a period; what is more is counted
_KINDS = 1000  # remembered at most
# What is no extra of an event; color_message is uvicorn's, the same message for terminals.
_KNOWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "more", "color_message"}


def open_journal(form: Format, *, process: int | None = None) -> None:
    """Send all log lines to standard error.

    Args:
        form: Text for people, JSON for machines.
        process: Which of several processes this is; None: the only one, or their parent.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(process) if form == "json" else TextLines(process))
    handler.addFilter(Repetitions())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


class Repetitions(logging.Filter):
    """Lets so many lines of one kind pass in a period; the next period's first tells how many did not.

    A kind is a place in the code: what its lines say of hosts and requests differs.
    """

    def __init__(self, burst: int = _BURST, period: float = _PERIOD) -> None:
        super().__init__()
        self._burst = burst
        self._period = period
        self._lock = threading.Lock()
        self._kinds: dict[tuple[str, str], tuple[float, int]] = {}  # begin of the period, lines in it

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a line passes."""
        kind, now = (record.name, str(record.msg)), time.monotonic()
        with self._lock:
            began, count = self._kinds.get(kind, (now, 0))
            if now - began >= self._period:
                if count > self._burst:
                    left_out = count - self._burst
                    vars(record).update(left_out=left_out, more=f" ({left_out} more like this were left out)")
                began, count = now, 0
            if len(self._kinds) >= _KINDS:
                self._kinds.clear()
            self._kinds[kind] = began, count + 1
        return count < self._burst


class TextLines(logging.Formatter):
    """2026-01-31 12:00:00,123 WARNING waferscope_collector.server[1]: what happened."""

    def __init__(self, process: int | None) -> None:
        place = "" if process is None else f"[{process}]"
        super().__init__(f"%(asctime)s %(levelname)s %(name)s{place}: %(message)s%(more)s", defaults={"more": ""})


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message, what the event brings as `extra`, and the error's trace."""

    def __init__(self, process: int | None) -> None:
        super().__init__()
        self._always = {} if process is None else {"process": process}

    def format(self, record: logging.LogRecord) -> str:
        """Write a line."""
        event = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **self._always,
            **{key: value for key, value in vars(record).items() if key not in _KNOWN},
        }
        if record.exc_info:
            event["error"] = self.formatException(record.exc_info)
        return json.dumps(event, default=str, ensure_ascii=False)
