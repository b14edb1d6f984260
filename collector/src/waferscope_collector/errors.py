"""What the writer tells its clients and its operator when something can't be done."""

from typing import ClassVar


class WriterError(Exception):
    """Base of all errors of this package."""

    exit_code: ClassVar[int] = 1


class PortTakenError(WriterError):
    """Another process listens where the writer should."""

    exit_code = 4


class RequestError(WriterError):
    """A request that is answered by an error; `receive.status` maps each kind to HTTP and gRPC."""


class MalformedError(RequestError):
    """The body is not what its headers say; sending it again can't help."""


class TooLargeError(RequestError):
    """The body, compressed or not, is over the limit."""


class UnsupportedError(RequestError):
    """The content type or the compression is none that the writer understands."""


class UnstorableError(RequestError):
    """The database refuses the data themselves; sending them again can't help."""


class UnavailableError(RequestError):
    """The database or the queue can't take the request now; the client shall send it again."""
