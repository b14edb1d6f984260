"""What an error means to a client of the Prometheus API: one table.

It is Prometheus's (web/api/v1/api.go, getDefaultErrorCode) but for `unavailable`, which is 503 here: clients try again.
"""

import enum

from starlette.requests import ClientDisconnect

from waferscope_query.promql.errors import (
    BadDataError,
    ExecutionError,
    MemoryExhaustedError,
    ParseError,
    PromQLError,
    QueryCanceledError,
    QueryTimeoutError,
    QueueFullError,
)
from waferscope_query.storage.errors import StorageError, StorageUnavailableError


class ErrorType(enum.Enum):
    """Prometheus's error types with their HTTP statuses."""

    BAD_DATA = ("bad_data", 400)
    NOT_FOUND = ("not_found", 404)
    EXECUTION = ("execution", 422)
    CANCELED = ("canceled", 499)
    INTERNAL = ("internal", 500)
    TIMEOUT = ("timeout", 503)
    UNAVAILABLE = ("unavailable", 503)

    def __init__(self, text: str, status: int) -> None:
        self.text = text
        self.status = status


class ParameterError(Exception):
    """A request parameter is no good; the message is Prometheus's."""

    @classmethod
    def named(cls, name: str, reason: object) -> "ParameterError":
        """Give the message of a parameter's fault."""
        return cls(f'invalid parameter "{name}": {reason}')


_TABLE: tuple[tuple[type[Exception], ErrorType], ...] = (
    (ParameterError, ErrorType.BAD_DATA),
    (ParseError, ErrorType.BAD_DATA),
    (BadDataError, ErrorType.BAD_DATA),
    (QueryTimeoutError, ErrorType.TIMEOUT),
    (QueryCanceledError, ErrorType.CANCELED),
    (ClientDisconnect, ErrorType.CANCELED),
    (QueueFullError, ErrorType.UNAVAILABLE),
    (MemoryExhaustedError, ErrorType.UNAVAILABLE),
    (ExecutionError, ErrorType.EXECUTION),
    (PromQLError, ErrorType.EXECUTION),
    (StorageUnavailableError, ErrorType.UNAVAILABLE),
    (StorageError, ErrorType.INTERNAL),
)
KNOWN_ERRORS = tuple(dict.fromkeys(error for error, _ in _TABLE))


def error_type(error: Exception) -> ErrorType:
    """Find what an error means; one that isn't in the table is a fault of ours."""
    return next((kind for known, kind in _TABLE if isinstance(error, known)), ErrorType.INTERNAL)
