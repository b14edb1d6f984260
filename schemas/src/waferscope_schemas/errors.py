"""What can go wrong between a component and its database or settings; `exit_code` is what the command ends with."""

from typing import ClassVar


class SchemasError(Exception):
    """Base of all errors of this package."""

    exit_code: ClassVar[int] = 1


class SettingsError(SchemasError):
    """A setting is missing or malformed; the message names its environment variable, never its value."""

    exit_code = 2


class IncompatibleSchemaError(SchemasError):
    """The database's schema is not one that this component can work with."""

    exit_code = 3


class DatabaseUnreachableError(SchemasError):
    """The database does not answer, or does not let us in."""

    exit_code = 5


class MissingTableError(SchemasError):
    """A table of the schema is not there: dropped, or not migrated yet."""


class TooManyPartitionsError(SchemasError):
    """Rows need more new partitions at once than is sane; the message tells how many, and what to do."""


class MigrationError(SchemasError):
    """A migration failed and was rolled back."""


class QueryFileError(SchemasError):
    """A file of named queries breaks the format; a fault of the package, not of its user."""


class RegistryError(SchemasError):
    """The semantic-convention registry breaks a rule of its format."""


def one_line(error: BaseException) -> str:
    """Render an error for people: PostgreSQL's own messages may span several lines.

    Args:
        error: Any exception.

    Returns:
        Its message in one line; its type where it has none.
    """
    return " ".join(str(error).split()) or type(error).__name__
