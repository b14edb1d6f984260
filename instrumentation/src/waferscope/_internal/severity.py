"""Levels of `logging` as OpenTelemetry's severities."""

from __future__ import annotations

import logging

from opentelemetry._logs import SeverityNumber

from waferscope._internal import arguments

_BY_LEVEL = (
    (logging.CRITICAL, SeverityNumber.FATAL),
    (logging.ERROR, SeverityNumber.ERROR),
    (logging.WARNING, SeverityNumber.WARN),
    (logging.INFO, SeverityNumber.INFO),
    (logging.DEBUG, SeverityNumber.DEBUG),
)


def of(level: str | int) -> SeverityNumber:
    """Give the severity of a level.

    Args:
        level: By its name, in any case, or its number.
    """
    number = level if isinstance(level, int) else logging.getLevelName(str(level).upper())
    if not isinstance(number, int):
        arguments.misuse("%r is no level of logging; info is used", level)
        number = logging.INFO
    return next((severity for least, severity in _BY_LEVEL if number >= least), SeverityNumber.TRACE)
