"""What can go wrong between a query and the database."""


class StorageError(Exception):
    """The database could not answer; retrying the same query may not help."""


class StorageUnavailableError(StorageError):
    """The database can't be reached now; the next query may find it again."""
