"""What the writer tells its clients and its operator when something can't be done."""


class WriterError(Exception):
    """Base of all errors of this package."""

    exit_code: int = 1


class PortTakenError(WriterError):
    """Another process listens where the writer should."""

    exit_code = 4


class ProcessError(WriterError):
    """No process of the writer can run; the exit code is that of the one that said why."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


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
