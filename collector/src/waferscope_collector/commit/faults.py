"""What a failed commit means: try again inside, refuse the data, or let the client send them again."""

import enum

import asyncpg

from waferscope_schemas.errors import SchemasError, TooManyPartitionsError


class Fault(enum.Enum):
    """What to do about a failed commit."""

    REPEAT = "repeat"  # passes at once: another transaction was in the way
    NO_PARTITION = "no partition"  # create it, then repeat
    DATA = "data"  # sending them again can't help
    AWAY = "away"  # the client shall send them again


# What ends work with the database beside PostgreSQL's own errors, and passes.
PASSING = (asyncpg.InterfaceError, asyncpg.InternalClientError, SchemasError, OSError, TimeoutError)

_REPEAT = frozenset({"40001", "40P01", "55P03"})  # serialization failure, deadlock, lock not available
_NO_PARTITION = "23514"  # check violation: "no partition of relation found for row"
_TOO_LARGE = "invalid memory alloc request size"  # of XX000: what the server says of a value beyond its limits
_DATA_CLASSES = frozenset({"22", "23", "54"})  # data exception, constraint violation, program limit exceeded


def classify(error: BaseException) -> Fault:
    """Tell what to do about an error that a commit ended with.

    Anything that PostgreSQL, its schema, its driver, the network or the clock is to blame for passes; what else goes
    wrong while these data are handled would go wrong again, and must not block the writer.
    """
    if isinstance(error, asyncpg.PostgresError):
        state = error.sqlstate or ""
        if state in _REPEAT:
            return Fault.REPEAT
        if state == _NO_PARTITION and "partition" in str(error):
            return Fault.NO_PARTITION
        return Fault.DATA if state[:2] in _DATA_CLASSES or _TOO_LARGE in str(error) else Fault.AWAY
    if isinstance(error, TooManyPartitionsError):
        return Fault.DATA
    return Fault.AWAY if isinstance(error, PASSING) else Fault.DATA
