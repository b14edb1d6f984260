"""What can go wrong while the stack starts and runs, each with the command's exit code."""


class StackError(Exception):
    """The stack can't start or can't go on; the message is one line for a person.

    Attributes:
        exit_code: What the `waferscope` command ends with.
    """

    exit_code = 1


class DataDirError(StackError):
    """The data folder can't be used: not reachable, another user's, or taken by a running stack."""

    exit_code = 2


class PortTakenError(StackError):
    """A port is in use by another program."""

    exit_code = 4


class DatabaseStartError(StackError):
    """The embedded PostgreSQL doesn't come up."""

    exit_code = 5


class PartEndedError(StackError):
    """A part of the running stack ended by itself; we end with its exit code, or 1 where it had none of its own."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.exit_code = max(code, 0) or 1
