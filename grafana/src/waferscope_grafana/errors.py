"""What can go wrong with boards."""


class GrafanaError(Exception):
    """Base of this package's errors: one line for the terminal, and an exit code."""

    exit_code = 1


class InterpolationError(GrafanaError):
    """A query uses a variable, format or macro that is unknown here or unsafe where it stands."""


class NoBoardFolderError(GrafanaError):
    """The package is not part of a checkout, so it has no committed boards to write."""

    exit_code = 2
